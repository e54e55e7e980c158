"""Writes tests/fixtures/deberta/masked_lm: small masked language models with what transformers makes of them.

Versions: torch 2.13.0 (CPU), transformers 5.17.0, tokenizers as it brings, safetensors 0.8.0.
Run from the project folder: python tests/oracles/masked_lm.py

legacy/ (a Unigram tokenizer laid out as DeBERTa-v3's) and lm_head/ (`legacy=False`, WordPiece) are Hugging Face folders of
DebertaV2ForMaskedLM with random weights, beside them
  expected.json         {maxLength, cases: [{text, start, end, ids, masked}]}: the tokens of the text, where one mask replaces
                        those of the word text[start:end] (by the tokenizer's own offsets; where the last of them holds
                        more, the rest of the text is tokenized by itself), cut to maxLength tokens, as many on either
                        side as there are
  expected.safetensors  logits [cases, vocabulary] of the masks
demo.json holds the same of the demo's model, data/demo/masked_lm, with the logits of every 40th token of the vocabulary.
Everything is fp32 with eager attention; the sequences are computed one by one, without padding. The trainers of
`tokenizers` break ties as it happens, so another run gives other tokenizers.
"""

import json
import shutil
from pathlib import Path

import torch
from families import DEBERTA_NO_DROPOUT, NO_DROPOUT, scatter
from deberta_text import POSTS
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    DebertaV2Config,
    DebertaV2ForMaskedLM,
    DebertaV2Tokenizer,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForMaskedLM,
)

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = PROJECT / "tests" / "fixtures" / "deberta" / "masked_lm"
SPECIAL = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]

# Text and the word to be masked, with its occurrence.
WORDS = [
    ("I have not slept well for three weeks, and I wake up at four every night.", "slept", 0),
    ("I have not slept well for three weeks, and I wake up at four every night.", "weeks", 0),
    ("I have not slept well for three weeks, and I wake up at four every night.", "night", 0),
    ("Everything is fine. My sister says she feels tired all the time, but I don't.", "Everything", 0),
    ("Everything is fine. My sister says she feels tired all the time, but I don't.", "My", 0),
    ("He said \"you are worthless\" and I believed him - I still do.", "worthless", 0),
    ("He said \"you are worthless\" and I believed him - I still do.", "you", 0),
    ("  Two spaces,\ta tab\nand a line break; caf\u00e9, na\u00efve \u2014 and \u2603.  ", "tab", 0),
    ("  Two spaces,\ta tab\nand a line break; caf\u00e9, na\u00efve \u2014 and \u2603.  ", "na\u00efve", 0),
    ("Short.", "Short", 0),
    (POSTS[-1], "line", 0),
    (POSTS[-1], "concentrate", 0),
    (POSTS[-1], "spring", 0),
]
DEMO_WORDS = [
    ("I can not sleep at night. Our dog likes the park.", "sleep", 0),
    ("These days I cry for no reason and my sister is worried.", "cry", 0),
    ("We nearly died laughing. I bought a bicycle for my son.", "bicycle", 0),
]


def unigram():
    trainee = Tokenizer(models.Unigram())
    trainee.normalizer = normalizers.Sequence([normalizers.NFC()])
    trainee.pre_tokenizer = pre_tokenizers.Metaspace()
    trainee.train_from_iterator(
        POSTS, trainers.UnigramTrainer(vocab_size=140, show_progress=False, unk_token="[UNK]", special_tokens=["[UNK]"]))
    pieces = [(piece, round(score, 6)) for piece, score in json.loads(trainee.to_str())["model"]["vocab"]
              if piece != "[UNK]" and "\u2603" not in piece]
    return DebertaV2Tokenizer(vocab=[(token, 0.0) for token in SPECIAL[:4]] + pieces + [("[MASK]", 0.0)], unk_id=3)


def word_piece():
    trainee = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    trainee.normalizer = normalizers.BertNormalizer(lowercase=False)
    trainee.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainee.decoder = decoders.WordPiece()
    trainee.train_from_iterator(
        POSTS, trainers.WordPieceTrainer(vocab_size=160, show_progress=False, special_tokens=SPECIAL))
    cls, sep = SPECIAL.index("[CLS]"), SPECIAL.index("[SEP]")
    trainee.post_processor = processors.BertProcessing(("[SEP]", sep), ("[CLS]", cls))
    return PreTrainedTokenizerFast(tokenizer_object=trainee, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]",
                                   unk_token="[UNK]", mask_token="[MASK]")


def masked_case(tokenizer, text, word, occurrence, max_length):
    start = -1
    for _ in range(occurrence + 1):
        start = text.index(word, start + 1)
    end = start + len(word)
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    # The mark that stands for the space before a word belongs to the word, also where it is a token of its own.
    space = len(text[:start].rstrip())
    offsets = encoded["offset_mapping"]
    overlap = [i for i, (a, b) in enumerate(offsets) if max(a, space) < min(b, end)]
    before, after = encoded["input_ids"][:overlap[0]], encoded["input_ids"][overlap[-1] + 1:]
    if offsets[overlap[-1]][1] > end:
        after = tokenizer(text[end:], add_special_tokens=False)["input_ids"]
    room = max_length - 3
    left = min(len(before), max(room // 2, room - len(after)))
    right = min(len(after), room - left)
    ids = [*before[len(before) - left:], tokenizer.mask_token_id, *after[:right]]
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    return dict(text=text, start=start, end=end, ids=[cls, *ids, sep], masked=1 + left)


def logits_of(model, case):
    with torch.no_grad():
        return model(torch.tensor([case["ids"]])).logits[0, case["masked"]]


def write(name, tokenizer, seed, max_length, config_class=DebertaV2Config, model_class=DebertaV2ForMaskedLM, **options):
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    rates = DEBERTA_NO_DROPOUT if config_class is DebertaV2Config else NO_DROPOUT
    config = config_class(**rates, **options, vocab_size=len(tokenizer), initializer_range=0.2)
    torch.manual_seed(seed)
    model = model_class._from_config(config, attn_implementation="eager").eval()
    scatter(model, torch.Generator().manual_seed(seed))
    model.tie_weights()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    cases = [masked_case(tokenizer, *word, max_length) for word in WORDS]
    logits = torch.stack([logits_of(model, case) for case in cases])
    save_file({"logits": logits}, folder / "expected.safetensors")
    (folder / "expected.json").write_text(json.dumps(dict(maxLength=max_length, cases=cases), indent=1) + "\n")
    print(f"{name}: {len(tokenizer)} tokens, lengths {[len(case['ids']) for case in cases]}, "
          f"logits {logits.min():.2f} to {logits.max():.2f}")


def write_demo():
    source = PROJECT / "data" / "demo" / "masked_lm"
    tokenizer = AutoTokenizer.from_pretrained(source)
    model = DebertaV2ForMaskedLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager").eval()
    cases = [masked_case(tokenizer, *word, 128) for word in DEMO_WORDS]
    for case in cases:
        logits = logits_of(model, case)
        case["logits"] = logits[::40].tolist()
        print("demo:", case["text"], [f"{tokenizer.convert_ids_to_tokens(i)} {p:.3f}" for p, i in zip(
            *(t.tolist() for t in logits.softmax(-1).topk(6)))])
    (FOLDER / "demo.json").write_text(json.dumps(dict(maxLength=128, cases=cases), indent=1) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    # As DeBERTa-v3, but for the head's old names.
    write("legacy", unigram(), 300, 80, hidden_size=30, num_attention_heads=5, num_hidden_layers=2, intermediate_size=37,
          relative_attention=True, position_buckets=8, max_relative_positions=-1, max_position_embeddings=128,
          share_att_key=True, norm_rel_ebd="layer_norm", pos_att_type=["p2c", "c2p"], position_biased_input=False)
    # Absolute positions.
    write("lm_head", word_piece(), 301, 50, legacy=False, hidden_size=28, num_attention_heads=4, num_hidden_layers=1,
          intermediate_size=31, relative_attention=False, position_biased_input=True, max_position_embeddings=64,
          type_vocab_size=2)
    # Embeddings narrower than the layers, and the convolution.
    write("narrow", unigram(), 304, 60, hidden_size=30, num_attention_heads=5, num_hidden_layers=2, intermediate_size=37,
          relative_attention=True, position_buckets=8, max_relative_positions=-1, max_position_embeddings=128,
          share_att_key=True, norm_rel_ebd="layer_norm", pos_att_type=["p2c", "c2p"], position_biased_input=False,
          embedding_size=17, conv_kernel_size=3, conv_act="gelu")
    write("../../bert/masked_lm", word_piece(), 302, 60, BertConfig, BertForMaskedLM, hidden_size=28,
          num_attention_heads=4, num_hidden_layers=2, intermediate_size=35, max_position_embeddings=60)
    # Its padding is token 0: positions begin at 1.
    write("../../roberta/masked_lm", unigram(), 303, 60, RobertaConfig, RobertaForMaskedLM, hidden_size=26,
          num_attention_heads=2, num_hidden_layers=2, intermediate_size=33, max_position_embeddings=61, pad_token_id=0,
          type_vocab_size=1, layer_norm_eps=1e-5)
    write_demo()
