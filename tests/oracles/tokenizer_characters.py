"""Writes tests/fixtures/tokenizers/characters.json: digests of what the crate `tokenizers` makes of every character.

Made with tokenizers 0.23.3. Characters are taken 4096 at a time, of the planes that have any.
"""

import gzip
import hashlib
import json
from pathlib import Path

from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer
from tokenizers import normalizers as normalizers_of_crate

TARGET = Path(__file__).parent.parent / "fixtures" / "tokenizers" / "characters.json"
BERT = {"type": "BertNormalizer", "clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False}
NORMALIZERS = [
    *({**BERT, key: True} for key in ("clean_text", "handle_chinese_chars", "strip_accents", "lowercase")),
    *({"type": name} for name in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel")),
    *({"type": "Replace", "pattern": {"Regex": regex}, "content": "_"} for regex in (r"\s{2,}|[\n\r\t]", r"[^\d\s]", r"\S+", r"\p{L}\W")),
]
PRE_TOKENIZERS = [
    *({"type": name} for name in ("BertPreTokenizer", "WhitespaceSplit", "Whitespace")),
    {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
    *({"type": "Digits", "individual_digits": individual} for individual in (True, False)),
    *({"type": "Punctuation", "behavior": behavior} for behavior in ("Isolated", "Removed", "Contiguous", "MergedWithPrevious", "MergedWithNext")),
    *({"type": "Split", "pattern": {"Regex": r"\s|b+"}, "behavior": behavior, "invert": False} for behavior in ("Isolated", "Removed", "Contiguous", "MergedWithPrevious", "MergedWithNext")),
    {"type": "Split", "pattern": {"String": "b"}, "behavior": "Removed", "invert": True},
]


def text_of(start):
    return " ".join(f"a{c}b{c}{c}\u0334 {c}z\u0345{c}" for c in map(chr, range(start, start + 4096)))


def tokenizer(**parts):
    document = {"version": "1.0", "added_tokens": [], "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None,
                "model": {"type": "WordPiece", "unk_token": "?", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": {"?": 0}}}
    return Tokenizer.from_str(json.dumps({**document, **parts}))


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:8]


starts = [start for plane in (0, 1, 2, 3, 14) for start in range(plane << 16, (plane + 1) << 16, 4096) if not 0xD000 <= start < 0xE000]
texts = [text_of(start) for start in starts]
normalizers = [[digest(tokenizer(normalizer=part).normalizer.normalize_str(text)) for text in texts] for part in NORMALIZERS]
pre_tokenizers = []
for part in PRE_TOKENIZERS:
    cut = tokenizer(pre_tokenizer=part).pre_tokenizer.pre_tokenize_str
    pre_tokenizers.append([digest("\n".join(word for word, _ in cut(text))) for text in texts])
# The map of SentencePiece's rule nmt_nfkc, as XLM-R has it; "½" is in it, and what makes a grapheme with that goes with it.
xlmr = sentencepiece_model_pb2.ModelProto.FromString(gzip.decompress((TARGET.parent / "layouts" / "xlmr" / "sentencepiece.bpe.model.gz").read_bytes()))
precompiled = normalizers_of_crate.Precompiled(xlmr.normalizer_spec.precompiled_charsmap)
rows = lambda parts, digests: [{"part": part, "digests": each} for part, each in zip(parts, digests)]
content = {"starts": starts, "normalizers": rows(NORMALIZERS, normalizers), "pre_tokenizers": rows(PRE_TOKENIZERS, pre_tokenizers), "nmt_nfkc": [digest(precompiled.normalize_str(text.replace("a", "½"))) for start, text in zip(starts, texts) if start < 0x10000]}
TARGET.parent.mkdir(exist_ok=True)
TARGET.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")
