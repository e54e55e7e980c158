"""Writes tests/fixtures/masked_lm: small masked language models laid out as the published ones are, and what transformers makes of them.

Versions: torch 2.13.0 (CPU), transformers 5.23.0, tokenizers 0.23.3, sentencepiece 0.2.3.
Run from the project folder: python tests/oracles/published_masked_lm.py [FOLDER]

deberta_v3   as microsoft/deberta-v3-base: pytorch_model.bin with both heads of pretraining under their own names, spm.model
bert         as google-bert/bert-base-uncased: LayerNorms' gamma and beta, the next-sentence head, vocab.txt
roberta      as FacebookAI/roberta-base: vocab.json and merges.txt, nothing that names the mask
xlm_roberta  as FacebookAI/xlm-roberta-base: sentencepiece.bpe.model

Beside each expected.json and expected.safetensors as masked_lm.py describes them; the former also has the mask's id and
the whole words among the tokens. transformers reads the head of deberta-v3-base with `legacy=False` only: by default it
finds none of `cls.predictions` and draws one at random, which is asserted here.
"""

import json
import shutil
import sys
from pathlib import Path

import sentencepiece
import torch
from deberta_text import POSTS
from families import DEBERTA_NO_DROPOUT, NO_DROPOUT, scatter
from masked_lm import WORDS, logits_of, masked_case
from safetensors.torch import save_file
from tokenizers import ByteLevelBPETokenizer, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForPreTraining,
    BertForMaskedLM,
    DebertaV2Config,
    DebertaV2ForMaskedLM,
    RobertaConfig,
    RobertaForMaskedLM,
    XLMRobertaConfig,
    XLMRobertaForMaskedLM,
)

FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[1] / "fixtures" / "masked_lm")
MAX_LENGTH = 50
SIZES = dict(hidden_size=20, num_attention_heads=2, num_hidden_layers=1, intermediate_size=24)
POSITIONS = dict(max_position_embeddings=64, type_vocab_size=1, layer_norm_eps=1e-5)
DEBERTA = dict(relative_attention=True, position_buckets=8, max_relative_positions=-1, max_position_embeddings=64,
               share_att_key=True, norm_rel_ebd="layer_norm", pos_att_type=["p2c", "c2p"], position_biased_input=False)


def sentencepiece_file(path, **options):
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(POSTS), model_prefix=str(path.with_suffix("")), vocab_size=150, model_type="unigram",
        normalization_rule_name="identity", character_coverage=1.0, hard_vocab_limit=False, minloglevel=2, **options)
    path.with_suffix(".vocab").unlink()


def word_piece_file(path):
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainee = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    trainee.normalizer = normalizers.BertNormalizer(lowercase=True)
    trainee.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainee.train_from_iterator(POSTS, trainers.WordPieceTrainer(vocab_size=260, show_progress=False, special_tokens=special))
    path.write_text("".join(f"{token}\n" for token, _ in sorted(trainee.get_vocab().items(), key=lambda entry: entry[1])))


def byte_pair_files(folder):
    trainee = ByteLevelBPETokenizer()
    trainee.train_from_iterator(POSTS * 3, vocab_size=420, show_progress=False,
                                special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    trainee.save_model(str(folder))


def published(config_class, model_class, seed, vocab_size, **options):
    rates = DEBERTA_NO_DROPOUT if config_class is DebertaV2Config else NO_DROPOUT
    config = config_class(**rates, **SIZES, **options, vocab_size=vocab_size, initializer_range=0.2)
    torch.manual_seed(seed)
    model = model_class._from_config(config, attn_implementation="eager").eval()
    scatter(model, torch.Generator().manual_seed(seed))
    model.tie_weights()
    return config, model.state_dict()


def write_config(folder, config, *without):
    content = {key: value for key, value in config.to_dict().items() if key not in ("architectures", "dtype", *without)}
    (folder / "config.json").write_text(json.dumps(content, indent=1) + "\n")


def whole_words(tokenizer):
    """Tokens that, decoded behind another, are a word of letters after a space."""
    first = tokenizer.convert_tokens_to_ids(tokenizer.tokenize("I"))[0]
    before = tokenizer.decode([first])
    words = {}
    for token in range(len(tokenizer)):
        text = tokenizer.decode([first, token], clean_up_tokenization_spaces=False)
        word = text.removeprefix(before + " ")
        if token not in tokenizer.all_special_ids and word != text and word.isalpha():
            words[word] = token
    return words


def write_expected(folder, model):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    cases = [masked_case(tokenizer, *word, MAX_LENGTH) for word in WORDS]
    logits = torch.stack([logits_of(model.eval(), case) for case in cases])
    save_file({"logits": logits}, folder / "expected.safetensors")
    (folder / "expected.json").write_text(json.dumps(dict(
        maxLength=MAX_LENGTH, maskId=tokenizer.mask_token_id, words=whole_words(tokenizer), cases=cases), indent=1) + "\n")
    print(f"{folder.name}: {len(tokenizer)} tokens, mask {tokenizer.mask_token_id}, lengths {[len(case['ids']) for case in cases]}, "
          f"logits {logits.min():.2f} to {logits.max():.2f}, {len(whole_words(tokenizer))} words")


def new_folder(name):
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def deberta_v3():
    folder = new_folder("deberta_v3")
    sentencepiece_file(folder / "spm.model", pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece="[PAD]", bos_piece="[CLS]",
                       eos_piece="[SEP]", unk_piece="[UNK]")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false, "vocab_type": "spm"}\n')
    write_config(folder, DebertaV2Config())
    size = len(AutoTokenizer.from_pretrained(folder))
    config, state = published(DebertaV2Config, DebertaV2ForMaskedLM, 310, size, legacy=False, **DEBERTA)
    hidden = config.hidden_size
    state["deberta.embeddings.position_ids"] = torch.arange(64).expand((1, -1))
    for name, shape in {"dense.weight": (hidden, hidden), "dense.bias": (hidden,), "LayerNorm.weight": (hidden,),
                        "LayerNorm.bias": (hidden,), "classifier.weight": (1, hidden), "classifier.bias": (1,)}.items():
        state[f"mask_predictions.{name}"] = torch.randn(shape)
    torch.save(state, folder / "pytorch_model.bin")
    write_config(folder, config, "legacy")
    _, info = DebertaV2ForMaskedLM.from_pretrained(folder, output_loading_info=True)
    assert {"cls.predictions.transform.dense.weight", "cls.predictions.bias"} <= set(info["missing_keys"]), info
    assert "lm_predictions.lm_head.bias" in info["unexpected_keys"], info
    write_expected(folder, DebertaV2ForMaskedLM.from_pretrained(folder, legacy=False, attn_implementation="eager"))


def bert():
    folder = new_folder("bert")
    word_piece_file(folder / "vocab.txt")
    write_config(folder, BertConfig())
    size = len(AutoTokenizer.from_pretrained(folder))
    config, state = published(BertConfig, BertForPreTraining, 311, size, max_position_embeddings=64, type_vocab_size=2)
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    for new, name in old.items():
        state = {key.replace(new, name): tensor for key, tensor in state.items()}
    del state["cls.predictions.decoder.bias"]
    save_file({key: tensor.clone() for key, tensor in state.items()}, folder / "model.safetensors", {"format": "pt"})
    write_config(folder, config)
    write_expected(folder, BertForMaskedLM.from_pretrained(folder, attn_implementation="eager"))


def roberta():
    folder = new_folder("roberta")
    byte_pair_files(folder)
    write_config(folder, RobertaConfig())
    size = len(AutoTokenizer.from_pretrained(folder))
    config, state = published(RobertaConfig, RobertaForMaskedLM, 312, size, **POSITIONS)
    save_file({key: tensor.clone() for key, tensor in state.items()}, folder / "model.safetensors", {"format": "pt"})
    write_config(folder, config)
    write_expected(folder, RobertaForMaskedLM.from_pretrained(folder, attn_implementation="eager"))


def xlm_roberta():
    folder = new_folder("xlm_roberta")
    sentencepiece_file(folder / "sentencepiece.bpe.model")
    write_config(folder, XLMRobertaConfig())
    size = len(AutoTokenizer.from_pretrained(folder))
    config, state = published(XLMRobertaConfig, XLMRobertaForMaskedLM, 313, size, **POSITIONS)
    state = {key: tensor for key, tensor in state.items() if not key.startswith("lm_head.decoder")}
    save_file({key: tensor.clone() for key, tensor in state.items()}, folder / "model.safetensors", {"format": "pt"})
    write_config(folder, config)
    write_expected(folder, XLMRobertaForMaskedLM.from_pretrained(folder, attn_implementation="eager"))


if __name__ == "__main__":
    torch.set_num_threads(1)
    deberta_v3()
    bert()
    roberta()
    xlm_roberta()
