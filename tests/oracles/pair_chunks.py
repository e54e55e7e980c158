"""Writes tests/fixtures/tokenizers/chunks.json.gz: how transformers cuts pairs into chunks, with each tokenizer of layouts/.

Made with transformers 5.23.0, tokenizers 0.23.3. Of each pair the number of chunks and the start of the SHA-256 over them, little
endian: for each its length, the length of its second segment, its ids. "error" where transformers refuses.
"""

import csv
import gzip
import hashlib
import json
import random
import shutil
import struct
import tempfile
from pathlib import Path

from transformers import AutoTokenizer
from transformers.utils import logging

HERE = Path(__file__).parent
DEMO = HERE.parent.parent / "data" / "demo"
LAYOUTS = HERE.parent / "fixtures" / "tokenizers" / "layouts"
rng = random.Random(31)

with open(DEMO / "posts.csv", newline="", encoding="utf-8") as file:
    POSTS = [row["text"] for row in csv.DictReader(file)]
with open(DEMO / "criteria.json", encoding="utf-8") as file:
    CRITERIA = [entry["text"] for entry in json.load(file)["criteria"]]
TEXTS = json.loads(gzip.decompress((LAYOUTS / "texts.json.gz").read_bytes()))["texts"]


def a_post(length):
    parts = [rng.choice(POSTS if rng.random() < 0.8 else TEXTS) for _ in range(12)]
    return rng.choice([" ", "\n\n", ""]).join(parts)[:length]


def case():
    max_length = rng.randint(16, 200)
    return [a_post(rng.choice([0, 1, 40, 150, 400, 900, 2000])), rng.choice(CRITERIA)[: rng.randint(1, 60)], max_length, rng.randint(0, max_length // 2)]


def published(layout, folder):
    for file in layout.iterdir():
        if file.name == "expected.gz":
            continue
        if file.suffix == ".gz":
            (folder / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
        else:
            shutil.copy(file, folder)
    return AutoTokenizer.from_pretrained(folder)


def chunks(tokenizer, post, criterion, max_length, stride):
    try:
        both = tokenizer(post, criterion, truncation="only_first", max_length=max_length, stride=stride, return_overflowing_tokens=True, return_token_type_ids=True)
    except BaseException as error:  # pyo3's PanicException is no Exception
        if isinstance(error, KeyboardInterrupt):
            raise
        return "error"
    digest = hashlib.sha256()
    for ids, types in zip(both["input_ids"], both["token_type_ids"]):
        assert types == sorted(types)
        digest.update(struct.pack(f"<{len(ids) + 2}I", len(ids), sum(types), *ids))
    return f"{len(both['input_ids'])} {digest.hexdigest()[:12]}"


if __name__ == "__main__":
    logging.set_verbosity_error()
    cases = [case() for _ in range(300)]
    expected = {}
    for layout in sorted(path for path in LAYOUTS.iterdir() if path.is_dir()):
        with tempfile.TemporaryDirectory() as folder:
            tokenizer = published(layout, Path(folder))
            expected[layout.name] = [chunks(tokenizer, *each) for each in cases]
    document = {"cases": cases, "expected": expected}
    (LAYOUTS.parent / "chunks.json.gz").write_bytes(gzip.compress(json.dumps(document, ensure_ascii=False).encode(), 9, mtime=0))
