"""Writes tests/fixtures/dataset/tokenizers/: small tokenizer.json files and what transformers makes of texts and pairs.

Made with transformers 5.17.0, tokenizers 0.23.3, sentencepiece 0.2.3 (which compiles the normalization map of "xlmr").
"""

import csv
import io
import json
import random
import tempfile
from pathlib import Path

import sentencepiece
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertTokenizerFast, DebertaV2TokenizerFast, PreTrainedTokenizerFast

HERE = Path(__file__).parent
TARGET = HERE.parent / "fixtures" / "dataset" / "tokenizers"
TARGET.mkdir(parents=True, exist_ok=True)
rng = random.Random(11)

with open(HERE.parent.parent / "data" / "demo" / "posts.csv", newline="", encoding="utf-8") as file:
    POSTS = [row["text"] for row in csv.DictReader(file)][:120]
with open(HERE.parent.parent / "data" / "demo" / "criteria.json", encoding="utf-8") as file:
    CRITERIA = [entry["text"] for entry in json.load(file)["criteria"]]

TEXTS = [
    "", " ", "\n", "a", "  two  spaces  ", "tab\tand\nline\r\nbreaks\n\n\nmany", "trailing space ", " leading",
    "ALL CAPS and Title Case", "don't can't I'm it's", "1234567890 3.14 1,000 50% $5 12:30", "e-mail@example.org http://x.y/z?a=b",
    "café naïve coöperate Ångström", "cafe\u0301 nai\u0308ve A\u030angstro\u0308m", "ﬁne ﬂow ½ ² ™ № ﷺ Ⅳ ㌔", "ＦＵＬＬ　ｗｉｄｔｈ ～ ｶﾞ",
    "Straße GROẞ ΣΊΣΥΦΟΣ σίσυφος İstanbul ıI", "я устал и не сплю", "我很累 睡不着", "とても疲れた。", "나는 너무 피곤하다",
    "أنا متعب جدا", "मैं थक गया हूँ", "😀", "😀😀", "so tired 😩😭 can't 👍🏽 👨‍👩‍👧‍👦 🇺🇸 ❤️", "zero\u200bwidth\u200djoin\ufeffbom",
    "nbsp\u00a0here\u2003em\u2028line\u2029par\u0085nel", "\u00a0 \u3000", "control\u0001\u0007\u007f\u009f chars", "soft\u00adhyphen", "\ufffd replaced",
    "▁mark ▁▁ marks ▁", "[SEP] in text [CLS]", "a[MASK]b  [MASK]  c", "[PAD][UNK]<s></s><mask> <unk>", "[sep] lower [ SEP ]", "…—–‘’“”«»",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "supercalifragilisticexpialidocious", "x" * 120, "!!!???...,,,;;;",
    "𝒽𝑒𝓁𝓁𝑜 𝔴𝔬𝔯𝔩𝔡", "ǅ ǆ ß ŉ ΐ", "ก็ไม่รู้ ทำไม", "क्षि", "e\u0301\u0302\u0303", "\u0301start", "\r", "\r\n\r\n", "a\u2581b", "no\u2060break", "Z͑ͫ̓ͪ̂ͫ̽a͔l",
    "\U000e0001tag", "\u0b95\u0bcd\u0bb7", "q̣̇", "a\u0000b",
]
POOLS = ["abcdefghijklmnopqrstuvwxyz", " \t\n ", "ABCÀÉÎõü", "0123456789", ".,;:!?'\"()-", "éàüñçøßœ", "абвгд", "漢字かなカナ한글", "😀😢👍🏽❤️‍\u200d",
         "\u0301\u0308\u0327", "\u00a0\u2003\u200b\u3000\u0085\ufeff", "▁[]<>/sSEPCLMASK", "ﬁ½²™Ⅳ㌔ﾞｶ", "ΣσςİıǅŐ"]
for _ in range(110):
    pools = rng.sample(POOLS, 4) + [POOLS[0], POOLS[0], POOLS[1]]
    TEXTS.append("".join(rng.choice(rng.choice(pools)) for _ in range(rng.randint(1, 40))))
TEXTS += [post[:150] for post in rng.sample(POSTS, 15)] + CRITERIA[:2]
LONG = [" ".join(rng.sample(POSTS, 3)), "\n\n".join(rng.sample(POSTS, 2)) + " 😩 \u00a0end  ", POSTS[0][:60]]


def unigram_vocab(normalizer, special, size=420):
    """Pieces with log probabilities, special tokens first; rounded so that ties occur and the file stays small."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.train_from_iterator(POSTS + CRITERIA + ["café naïve ½ fine ▁ я устал 我很累 😩😭"] * 3,
                                  trainers.UnigramTrainer(vocab_size=size, special_tokens=special, unk_token=special[1], show_progress=False))
    pieces = json.loads(tokenizer.to_str())["model"]["vocab"]
    return [(piece, round(score, 2)) for piece, score in pieces]


def small_charsmap():
    """A compiled normalization map with rules of one to three characters, and a prefix rule."""
    # "e + acute" is longer than one character, "a" and "ab" share a prefix, a space is dropped to nothing.
    rules = [("e\u0301", "é"), ("\ufb01", "fi"), ("½", "1/2"), ("\t", " "), ("\n", " "), ("\r", " "), ("\u00a0", " "), ("\u3000", " "), ("\u200b", ""),
             ("Ｆ", "F"), ("Ｕ", "U"), ("Ｌ", "L"), ("ｶ", "カ"), ("ｶﾞ", "ガ"), ("™", "TM"), ("…", "..."), ("\u0301", ""), ("ﷺ", "صلى الله"),
             ("👍🏽", "ok"), ("q\u0323", "Q"), ("𝒽", "h"), ("İ", "i\u0307")]
    with tempfile.NamedTemporaryFile("w", suffix=".tsv", encoding="utf-8") as tsv:
        for source, replacement in rules:
            tsv.write(" ".join(f"{ord(c):X}" for c in source) + "\t" + " ".join(f"{ord(c):X}" for c in replacement) + "\n")
        tsv.flush()
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(POSTS), model_writer=model, vocab_size=200, normalization_rule_tsv=tsv.name, minloglevel=2)
    return protobuf_field(protobuf_field(model.getvalue(), 3), 2)


def protobuf_field(message, wanted):
    """The bytes of a length-delimited field (ModelProto.normalizer_spec = 3, NormalizerSpec.precompiled_charsmap = 2)."""
    def varint(i):
        value = shift = 0
        while True:
            byte = message[i]
            value |= (byte & 127) << shift
            i, shift = i + 1, shift + 7
            if byte < 128:
                return value, i
    i = 0
    while i < len(message):
        key, i = varint(i)
        if key & 7 == 0:
            _, i = varint(i)
        elif key & 7 == 2:
            length, i = varint(i)
            if key >> 3 == wanted:
                return message[i : i + length]
            i += length
        else:
            i += 4 if key & 7 == 5 else 8
    raise ValueError("field not found")


def fast(tokenizer, special, **names):
    tokenizer.add_special_tokens(special)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def template(tokenizer, pair, single, tokens):
    tokenizer.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=[(t, tokenizer.token_to_id(t)) for t in tokens])


def deberta(**options):
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return DebertaV2TokenizerFast(vocab=unigram_vocab(normalizers.NFC(), special), **options)


def xlmr():
    special = ["<pad>", "<unk>", "<s>", "</s>", "<mask>"]
    norm = normalizers.Sequence([normalizers.Precompiled(small_charsmap()), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer = Tokenizer(models.Unigram(unigram_vocab(normalizers.NFC(), special), unk_id=1))
    tokenizer.normalizer = norm
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    template(tokenizer, "<s> $A </s> </s> $B </s>", "<s> $A </s>", ["<s>", "</s>"])
    return fast(tokenizer, special, unk_token="<unk>", pad_token="<pad>", cls_token="<s>", sep_token="</s>", mask_token="<mask>")


def nfkc_bytes():
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocab = unigram_vocab(normalizers.NFKC(), special, 300) + [(f"<0x{b:02X}>", -20.0) for b in range(256)]
    tokenizer = Tokenizer(models.Unigram(vocab, unk_id=1, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.NFKC(), normalizers.Strip(), normalizers.Replace("``", '"')])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Punctuation(), pre_tokenizers.Metaspace(prepend_scheme="always")])
    template(tokenizer, "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", "[CLS]:0 $A:0 [SEP]:0", ["[CLS]", "[SEP]"])
    return fast(tokenizer, special, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]")


def bert():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(POSTS + CRITERIA + ["cafe straße 我很累 я устал"] * 3, trainers.WordPieceTrainer(vocab_size=420, special_tokens=special, show_progress=False))
    template(tokenizer, "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", "[CLS]:0 $A:0 [SEP]:0", ["[CLS]", "[SEP]"])
    return fast(tokenizer, special, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]")


def write(name, tokenizer):
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        folder = Path(folder)
        document = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        again = type(tokenizer).from_pretrained(folder)
    (TARGET / name).mkdir(exist_ok=True)
    (TARGET / name / "tokenizer.json").write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    texts = [again(text, add_special_tokens=False)["input_ids"] for text in TEXTS]
    pairs = []
    for post in range(len(LONG)):
        for criterion in (0, 3):
            length = len(again(LONG[post], CRITERIA[criterion])["input_ids"])
            shortest = len(again("", CRITERIA[criterion])["input_ids"]) + 1
            for max_length in (length + 3, length, length - 1, shortest + 7, shortest):
                encoded = again(LONG[post], CRITERIA[criterion], truncation="only_first", max_length=max_length, return_token_type_ids=True)
                types = encoded["token_type_ids"]
                pairs.append({"post": post, "criterion": criterion, "maxLength": max_length, "ids": encoded["input_ids"], "ones": sum(types)})
                assert types == sorted(types)
    (TARGET / name / "expected.json").write_text(json.dumps({"vocabSize": len(again), "texts": texts, "pairs": pairs}, separators=(",", ":")) + "\n")


write("deberta", deberta())
write("deberta_punctuation", deberta(do_lower_case=True, split_by_punct=True))
write("xlmr", xlmr())
write("nfkc_bytes", nfkc_bytes())
write("bert", bert())
(TARGET / "texts.json").write_text(json.dumps({"texts": TEXTS, "posts": LONG, "criteria": CRITERIA}, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
