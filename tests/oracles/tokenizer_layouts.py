"""Writes tests/fixtures/tokenizers/layouts/: tokenizers as published (spm.model, vocab.txt, …) and what transformers makes of texts.

Made with transformers 5.23.0, tokenizers 0.23.3, sentencepiece 0.2.3. `tokenizer_layouts.py FOLDER COUNT` writes the same
with COUNT random strings beside the chosen ones.
"""

import csv
import gzip
import io
import json
import random
import shutil
import struct
import sys
import tempfile
from pathlib import Path

import sentencepiece
from tokenizers import ByteLevelBPETokenizer, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer
from transformers.utils import logging

HERE = Path(__file__).parent
DEMO = HERE.parent.parent / "data" / "demo"
TARGET = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "fixtures" / "tokenizers" / "layouts"
COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 1200
rng = random.Random(23)

with open(DEMO / "posts.csv", newline="", encoding="utf-8") as file:
    POSTS = [row["text"] for row in csv.DictReader(file)]
with open(DEMO / "criteria.json", encoding="utf-8") as file:
    CRITERIA = [entry["text"] for entry in json.load(file)["criteria"]]

LANGUAGES = """All human beings are born free and equal in dignity and rights.
Alle Menschen sind frei und gleich an Würde und Rechten geboren. Straße GROẞ
Tous les êtres humains naissent libres et égaux en dignité et en droits. Où ça, Noël œuvre
Todos los seres humanos nacen libres e iguales en dignidad y derechos. ¿Qué? ¡Año!
Все люди рождаются свободными и равными в своем достоинстве и правах. Ёлка й
Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι. ΣΊΣΥΦΟΣ σίσυφος
Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar. İstanbul ılık IŞIK
يولد جميع الناس أحرارا متساوين في الكرامة والحقوق. أَنَا مُتْعَبٌ
כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם. שָׁלוֹם
सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता है। क्षि
மனிதப் பிறிவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்
มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกัน ก็ไม่รู้ ทำไม
人人生而自由，在尊严和权利上一律平等。我很累，睡不着
すべての人間は、生まれながらにして自由であり、ｶﾞｷﾞ とても疲れた。
모든 인간은 태어날 때부터 자유로우며 존엄하다. 나는 너무 피곤하다
Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm.
ყველა ადამიანი იბადება თავისუფალი. Ბ
Բոլոր մարդիկ ծնվում են ազատ ու հավասար
ሁሉም የሰው ልጆች ነፃ ሆነው ተወልደዋል
ငါ ပင်ပန်း ခဲ့ သည် မအိပ်နိုင်ဘူး""".split("\n")

CHOSEN = [
    "", " ", "  ", "\n", "\t", "a", " a", "a ", "  two  spaces  ", "tab\tand\nline\r\nbreaks\n\n\nmany \n end", "ALL CAPS and Title Case",
    "don't can't I'm it's we'll they've he'd DON'T I'M", "1234567890 3.14 1,000 50% $5 12:30", "e-mail@example.org http://x.y/z?a=b#c",
    "cafe\u0301 nai\u0308ve A\u030angstro\u0308m", "ﬁne ﬂow ½ ² ™ № ﷺ Ⅳ ㌔", "ＦＵＬＬ　ｗｉｄｔｈ ～ ｶﾞ", "ΣΊΣΥΦΟΣ ΑΣ ΑΣ. İI ıi ẞß Ǆǅǆ ŉ ΐ ᾳ", "😀", "😀😀",
    "so tired 😩😭 can't 👍🏽 👨‍👩‍👧‍👦 🇺🇸🇩🇪 ❤️ 1️⃣ 🏴\U000e0067\U000e0062\U000e007f", "zero\u200bwidth\u200djoin\u200cnon\ufeffbom\u2060word\u00adsoft",
    "nbsp\u00a0here\u2003em\u2028line\u2029par\u0085nel\u1680og\u180emon\u202fnn\u205fmm\u3000id", "\u00a0 \u3000", "\x01\x02\x1b[0m\x7f\x80\x9f chars \x1c\x1d\x1e\x1f x \x0b\x0c y",
    "\ufffd replaced \ufffe \uffff", "a\u0000b", "▁mark ▁▁ marks ▁", "a\u2581b", "Ġ Ċ ĉ âĢĻ", "##ing ## a##b", "<0x41> <0xE2>", "[SEP] in text [CLS]",
    "a[MASK]b  [MASK]  c\t[MASK]\n", "[PAD][UNK]<s></s><mask> <unk>  <mask>  x<pad>", "[sep] lower [ SEP ] [SEP", "<s>a</s></s>b</s>", "\u00a0<mask>\u3000<mask>\u0085[MASK]\u200b",
    "[SE[SEP]P] [[CLS]] [MASK][MASK]", "…—–‘’“”«»", "!!!???...,,,;;;", "a" * 60, "supercalifragilisticexpialidocious" * 3, "x" * 99, "x" * 100, "x" * 101,
    "é" * 100, "é" * 101, "漢" * 101, "word" * 300, "\u0301start", "e\u0301\u0302\u0303", "Z͑ͫ̓ͪ̂ͫ̽a͔l g\u0323\u0307o", "\r", "\r\n\r\n", "𝒽𝑒𝓁𝓁𝑜 𝔴𝔬𝔯𝔩𝔡 𠜎𠜱", "\U000e0001tag",
    "க்ஷ", "한글 \u1112\u1161\u11ab", "q̣̇ ạ̈ ạ̈", "\ud7a4 \u2fff", "``quoted'' ''x``", "a\u2009b\u200ac", "\u0640\u064b", "ÀÉÎõü ŁłØøĐđ", "ᴬᵇ ₁₂ ⁵ ①⑳ ㈱ ㋿", "\u037e\u2126\u212b\u1fef",
    "snow☃man ☀️☀︎ ♥ © ® ° § ¶ † • ◌ → ≤ ≠ ∞ √ ∑ ⟨⟩", "$5 +1 <a> ^_^ =) ~x~ `y` |z| €5 £6 ¥7 ¢", "_under_score __init__ a_b", "it’s ‘s ’ll", "x's' 're 'VE 'Ll", "12a34b ½x x² 3rd", "  lead\u3000",
    "<own> <own>\u3000 a<own>b <OWN>", "<new> tok<new>en <NEW> café_tok CAFÉ_TOK", "<new>\u00a0 <new>s _<new>_",
]
POOLS = [
    "abcdefghijklmnopqrstuvwxyz", " \t\n ", "ABCÀÉÎõü", "0123456789", ".,;:!?'\"()-", "éàüñçøßœ", "абвгдЁЙ", "漢字かなカナ한글", "😀😢👍🏽❤️‍\u200d🇺🇸", "\u0301\u0308\u0327\u0323\u093c\u05b8",
    "\u00a0\u2003\u200b\u3000\u0085\ufeff\u2028\u180e", "▁[]<>/sSEPCLMASK#Ġ", "ﬁ½²™Ⅳ㌔ﾞｶ", "ΣσςİıǅŐ", "क्षि่ำ้", "\x00\x01\x1c\x1f\x7f\x80\x9f\ufffd\u200e\u202e\u2060\u00ad",
]
SPECIAL = ["[CLS]", "[SEP]", "[MASK]", "[PAD]", "[UNK]", "<s>", "</s>", "<mask>", "<pad>", "<unk>", "<new>", "<own>", "café_tok"]


def any_character():
    """Any character at all, also those that no version of Unicode has."""
    code = rng.randrange(rng.choice([0x80, 0x250, 0x3000, 0x10000, 0x20000, 0x110000]))
    return chr(code) if not 0xD800 <= code < 0xE000 else "x"


def random_text():
    kind = rng.randrange(6)
    if kind == 0:
        pools = rng.sample(POOLS, 4) + [POOLS[0], POOLS[0], POOLS[1]]
        return "".join(rng.choice(rng.choice(pools)) for _ in range(rng.randint(1, 40)))
    if kind == 1:
        return "".join(any_character() + rng.choice(["", "", " "]) for _ in range(rng.randint(1, 25)))
    if kind == 2:
        start = rng.randrange(max(1, len(post := rng.choice(POSTS)) - 10))
        return post[start : start + rng.randint(1, 90)]
    if kind == 3:
        return rng.choice(["", " ", "  ", "\n"]).join(rng.choice(SPECIAL + POSTS[rng.randrange(len(POSTS))].split()[:4]) for _ in range(rng.randint(1, 7)))
    if kind == 4:
        words = rng.choice(LANGUAGES).split() + rng.choice(LANGUAGES).split()
        return " ".join(rng.choice(words) for _ in range(rng.randint(1, 9)))
    text = list(rng.choice(LANGUAGES)[: rng.randint(3, 40)])
    for _ in range(rng.randint(1, 5)):
        text.insert(rng.randrange(len(text) + 1), rng.choice([any_character(), rng.choice(rng.choice(POOLS)), rng.choice(SPECIAL)]))
    return "".join(text)


# A small map, with rules of one to three characters, one that is the beginning of another, and a space that goes.
RULES = [("e\u0301", "é"), ("\ufb01", "fi"), ("½", "1/2"), ("\t", " "), ("\n", " "), ("\u00a0", " "), ("\u3000", " "), ("\u200b", ""), ("Ｆ", "F"), ("ｶ", "カ"), ("ｶﾞ", "ガ"),
         ("™", "TM"), ("…", "..."), ("\u0301", ""), ("ﷺ", "صلى الله"), ("👍🏽", "ok"), ("q\u0323", "Q"), ("𝒽", "h"), ("İ", "i\u0307")]
CORPUS = POSTS[:400] + CRITERIA + LANGUAGES * 6 + ["emoji 😩 😭 👍 ❤️ … — ’ “ ” 1 2 3 $ % & @"] * 4


def sentencepiece_model(path, size, **options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS), model_writer=model, vocab_size=size, model_type="unigram", character_coverage=0.9995, hard_vocab_limit=False, minloglevel=2, num_threads=1, **options)
    path.write_bytes(model.getvalue())


def folder(name, config, settings, **files):
    path = TARGET / name
    path.mkdir(parents=True)
    for file, content in {"config": config, "tokenizer_config": settings, **files}.items():
        if content is not None:
            (path / f"{file}.json").write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def lines(path, pieces):
    path.write_text("".join(f"{piece}\n" for piece in pieces), encoding="utf-8")


def word_pieces(lower, special, size=1500):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lower)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=size, special_tokens=special, show_progress=False))
    return [piece for piece, _ in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])]


def byte_pairs(path, special, size=1200):
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(CORPUS, vocab_size=size, special_tokens=special, show_progress=False)
    tokenizer.save_model(str(path))


def make_folders():
    # The published DeBERTa-v3: [MASK] is no piece of its model, and nothing else is said.
    deberta = {"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3, "pad_piece": "[PAD]", "bos_piece": "[CLS]", "eos_piece": "[SEP]", "unk_piece": "[UNK]"}
    path = folder("deberta_v3", {"model_type": "deberta-v2"}, {"do_lower_case": False, "vocab_type": "spm"})
    sentencepiece_model(path / "spm.model", 1600, normalization_rule_name="identity", **deberta)
    # Every option of the class, with user-defined pieces and added tokens of both kinds.
    path = folder("deberta_v2", {"model_type": "deberta-v2"}, {"do_lower_case": True, "split_by_punct": True, "tokenizer_class": "DebertaV2Tokenizer"},
                  added_tokens={"[MASK]": 1000, "<new>": 1001, "café_tok": 1002},
                  special_tokens_map={"bos_token": "[CLS]", "cls_token": "[CLS]", "eos_token": "[SEP]", "sep_token": "[SEP]", "pad_token": "[PAD]", "mask_token": "[MASK]",
                                      "unk_token": {"content": "[UNK]", "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}})
    sentencepiece_model(path / "spm.model", 1000, normalization_rule_name="identity", user_defined_symbols=["snow☃man", "<a>"], **deberta)
    path = folder("xlmr", {"model_type": "xlm-roberta"}, {"model_max_length": 512})
    sentencepiece_model(path / "sentencepiece.bpe.model", 2000, normalization_rule_name="nmt_nfkc")
    path = folder("xlmr_mask", {"model_type": "xlm-roberta"}, {"model_max_length": 512, "tokenizer_class": "XLMRobertaTokenizer"},
                  special_tokens_map={"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "sep_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>",
                                      "mask_token": {"content": "<mask>", "lstrip": True, "normalized": True, "rstrip": False, "single_word": False}})
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        rules.write("".join(f"{' '.join(f'{ord(c):X}' for c in source)}\t{' '.join(f'{ord(c):X}' for c in replacement)}\n" for source, replacement in RULES))
        rules.flush()
        sentencepiece_model(path / "sentencepiece.bpe.model", 2000, normalization_rule_tsv=rules.name)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    lines(folder("bert_uncased", {"model_type": "bert"}, None) / "vocab.txt", word_pieces(True, special))
    lines(folder("bert_cased", {"model_type": "bert"}, {"do_lower_case": False, "strip_accents": True, "additional_special_tokens": ["<new>"]}) / "vocab.txt", word_pieces(False, special))
    lines(folder("bert_options", {"model_type": "bert"}, {"tokenizer_class": "BertTokenizerFast", "tokenize_chinese_chars": False, "strip_accents": False, "added_tokens_decoder": {
        "1000": {"content": "<new>", "lstrip": True, "normalized": False, "rstrip": True, "single_word": False, "special": False},
        "1001": {"content": "café_tok", "lstrip": False, "normalized": True, "rstrip": False, "single_word": True, "special": False}}}) / "vocab.txt", word_pieces(True, special, 1000))
    roberta = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    byte_pairs(folder("roberta", {"model_type": "roberta"}, None), roberta)
    path = folder("roberta_prefix", {"model_type": "roberta"}, {"add_prefix_space": True, "mask_token": {"__type": "AddedToken", "content": "<mask>", "lstrip": True, "normalized": True, "rstrip": False, "single_word": False}})
    byte_pairs(path, roberta, 600)
    byte_pairs(folder("deberta_v1", {"model_type": "deberta"}, {"do_lower_case": False, "vocab_type": "gpt2"}), special, 800)


def from_json_folders():
    """tokenizer.json: the classes of this version keep its vocabulary and added tokens, and have rules of their own for the rest."""
    for name in ["deberta_v3", "xlmr_mask", "bert_cased", "roberta"]:
        tokenizer = AutoTokenizer.from_pretrained(TARGET / name)
        document = json.loads(tokenizer.backend_tokenizer.to_str())
        document["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Lowercase"}] + ([document["normalizer"]] if document["normalizer"] else [])}
        document["added_tokens"].append({"id": len(tokenizer), "content": "<own>", "single_word": False, "lstrip": False, "rstrip": True, "normalized": True, "special": False})
        for prefix, settings in {"json": {"model_max_length": 64}, "fast": {"tokenizer_class": "PreTrainedTokenizerFast"}}.items():
            # Those that hold as they are differ in little but the scores, which are read otherwise.
            if prefix == "json" or name in ("deberta_v3", "xlmr_mask"):
                path = folder(f"{prefix}_{name}", json.loads((TARGET / name / "config.json").read_text()), settings)
                (path / "tokenizer.json").write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def expected(name, texts, pairs):
    tokenizer = AutoTokenizer.from_pretrained(TARGET / name)
    encoded = [ids for start in range(0, len(texts), 1000) for ids in tokenizer(texts[start : start + 1000], add_special_tokens=False)["input_ids"]]
    joined = []
    for post, criterion, max_length in pairs:
        both = tokenizer(post, criterion, truncation="only_first", max_length=max_length, return_token_type_ids=True)
        assert both["token_type_ids"] == sorted(both["token_type_ids"])
        joined.append([*both["input_ids"], sum(both["token_type_ids"])])
    rows = encoded + joined
    numbers = [len(tokenizer), len(texts), len(pairs), *(len(row) for row in rows), *(n for row in rows for n in row)]
    return struct.pack(f"<{len(numbers)}I", *numbers)


def compress(path, content):
    path.write_bytes(gzip.compress(content, 9, mtime=0))


if __name__ == "__main__":
    logging.set_verbosity_error()
    shutil.rmtree(TARGET, ignore_errors=True)
    make_folders()
    from_json_folders()
    texts = CHOSEN + LANGUAGES + CRITERIA + [random_text() for _ in range(COUNT)]
    pairs = [(rng.choice(POSTS)[: rng.randint(0, 700)] + rng.choice(["", " ", " 😩 \u00a0end  "]), rng.choice(CRITERIA)[: rng.randint(1, 60)], rng.choice([48, 64, 100, 512])) for _ in range(40)]
    compress(TARGET / "texts.json.gz", json.dumps({"texts": texts, "pairs": pairs}, ensure_ascii=False).encode())
    for path in sorted(TARGET.iterdir()):
        if path.is_dir():
            compress(path / "expected.gz", expected(path.name, texts, pairs))
            for file in [*path.glob("*.model"), *path.glob("vocab.*"), *path.glob("merges.txt"), *path.glob("tokenizer.json")]:
                compress(path / f"{file.name}.gz", file.read_bytes())
                file.unlink()
