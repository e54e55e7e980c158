"""Writes tests/fixtures/tokenizers/settings.json.gz: what transformers makes of the settings beside a vocabulary.

Made with transformers 5.23.0, tokenizers 0.23.3; the vocabularies are those of tokenizer_layouts.py.
"""

import gzip
import json
import random
import tempfile
from pathlib import Path

from transformers import AutoTokenizer
from transformers.utils import logging

TARGET = Path(__file__).parent.parent / "fixtures" / "tokenizers"
NAMES = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"]
TOKENS = ["[CLS]", "[SEP]", "[UNK]", "[PAD]", "[MASK]", "<s>", "</s>", "<unk>", "<pad>", "<mask>", "<own>", "café_tok", "t", "▁I", "the"]
OPTIONS = {"do_lower_case": [True, False], "split_by_punct": [True, False], "add_prefix_space": [True, False], "strip_accents": [True, False, None],
           "tokenize_chinese_chars": [True, False], "unk_id": [0, 1, 3]}
CLASSES = {"deberta_v1": "DebertaTokenizer", "deberta": "DebertaV2Tokenizer", "xlmr": "XLMRobertaTokenizer", "bert": "BertTokenizer", "roberta": "RobertaTokenizer"}
rng = random.Random(29)
logging.set_verbosity_error()


def flags(content=None, **more):
    return {"content": content or rng.choice(TOKENS), "lstrip": rng.random() < 0.3, "rstrip": rng.random() < 0.3, "normalized": rng.random() < 0.5, "single_word": rng.random() < 0.2, **more}


def random_files(layout):
    own = "<" if "roberta" in layout or "xlmr" in layout else "["
    own_tokens = [token for token in TOKENS if token[0] == own]
    class_name = next(name for key, name in CLASSES.items() if layout.removeprefix("json_").startswith(key))
    settings = {key: rng.choice(values) for key, values in OPTIONS.items() if rng.random() < 0.25}
    if rng.random() < 0.4:
        settings["tokenizer_class"] = rng.choice([class_name, class_name + "Fast"] + (["PreTrainedTokenizerFast", "TokenizersBackend"] if layout.startswith("json") else []))
    for key in NAMES:
        if rng.random() < 0.15:
            settings[key] = rng.choice([rng.choice(own_tokens), rng.choice(TOKENS), {"__type": "AddedToken", **flags()}])
    if rng.random() < 0.2:
        settings[rng.choice(["additional_special_tokens", "extra_special_tokens"])] = rng.sample(TOKENS, rng.randint(0, 3))
    if rng.random() < 0.1:
        settings["extra_special_tokens"] = {"image_token": "<img>", "x_token": rng.choice(TOKENS)}
    if rng.random() < 0.1:
        settings["own_token"] = rng.choice([*TOKENS, "<mine>"])
    if rng.random() < 0.3:
        settings["added_tokens_decoder"] = {str(id): flags(token, special=rng.random() < 0.5) for id, token in zip(rng.sample(range(2000), 3), rng.sample(TOKENS, 3))}
    files = {"tokenizer_config.json": settings}
    if rng.random() < 0.4:
        files["special_tokens_map.json"] = {key: rng.choice([rng.choice(own_tokens), flags(rng.choice(own_tokens))]) for key in NAMES if rng.random() < 0.6}
        if rng.random() < 0.3:
            files["special_tokens_map.json"]["additional_special_tokens"] = rng.sample(TOKENS, 2)
    if rng.random() < 0.3:
        files["added_tokens.json"] = {token: 1000 + i for i, token in enumerate(rng.sample(TOKENS, 3))}
    return files


cases = []
for layout in sorted(path.name for path in (TARGET / "layouts").iterdir() if path.is_dir() and not path.name.startswith("fast")):
    for _ in range(15):
        files = random_files(layout)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "config.json").write_bytes((TARGET / "layouts" / layout / "config.json").read_bytes())
            for path in (TARGET / "layouts" / layout).glob("*.gz"):
                (folder / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
            for file, content in files.items():
                (folder / file).write_text(json.dumps(content), encoding="utf-8")
            rules = json.loads(AutoTokenizer.from_pretrained(folder).backend_tokenizer.to_str())
        model = rules.pop("model")
        # The map and the rest of the vocabulary have tests of their own.
        if (rules["normalizer"] or {}).get("type") == "Precompiled":
            rules["normalizer"]["precompiled_charsmap"] = None
        vocab = model["vocab"]
        first = [piece for piece, _ in vocab[:5]] if isinstance(vocab, list) else None
        cases.append({"layout": layout, "files": files, "rules": rules, "unknown": model.get("unk_id", model.get("unk_token")), "first": first})
content = json.dumps(cases, ensure_ascii=False).encode()
(TARGET / "settings.json.gz").write_bytes(gzip.compress(content, 9, mtime=0))
