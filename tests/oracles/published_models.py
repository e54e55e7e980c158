"""Models as their authors publish them, through `predict` and `train`, beside transformers: prints a line for each.

Versions: torch 2.13.0 (CPU), transformers 5.23.0, sentencepiece 0.2.3. By hand, from the project folder:

  python tests/oracles/published_models.py [NAME …]

Each model has the configuration, tokenizer settings, tensor names and types of the repository that it is named after; only
its sizes are small and its numbers random, and its tokenizer is one of tests/fixtures/tokenizers/layouts. A model that has
a head for one or two labels is scored as it is. Any other is trained for one step with a learning rate of 0: the encoder
must come out as it was, and the head be said to be new. Every logit must be within 1e-4 of transformers', relative to
the largest.
"""

import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from families import scatter
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, DebertaV2ForMaskedLM
import transformers

PROJECT = Path(__file__).resolve().parents[2]
LAYOUTS = PROJECT / "tests/fixtures/tokenizers/layouts"
WORK = Path(tempfile.mkdtemp(prefix="entail-published-"))
PAIRS = [
    ("I have not slept well for three weeks, and food tastes of nothing.", "Insomnia or sleeping too much."),
    ("My brother never sleeps. We have two cats and a rabbit.", "Insomnia or sleeping too much."),
    ("Na ja.", "Depressed mood most of the day, nearly every day."),
]

DROPOUTS = dict(hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1)
SIZES = dict(hidden_size=48, num_attention_heads=4, num_hidden_layers=2, intermediate_size=64)
# microsoft/deberta-v3-small, -base and -large, and mdeberta-v3-base, differ in sizes alone.
V3 = dict(model_type="deberta-v2", hidden_act="gelu", initializer_range=0.02, max_position_embeddings=512,
          relative_attention=True, position_buckets=256, norm_rel_ebd="layer_norm", share_att_key=True,
          pos_att_type="p2c|c2p", layer_norm_eps=1e-7, max_relative_positions=-1, position_biased_input=False,
          type_vocab_size=0, **DROPOUTS)
V3_SAVED = V3 | dict(_name_or_path="microsoft/deberta-v3-base", architectures=["DebertaV2ForSequenceClassification"],
                     pad_token_id=0, pooler_dropout=0, pooler_hidden_act="gelu", pooler_hidden_size=48,
                     pos_att_type=["p2c", "c2p"], torch_dtype="float32", transformers_version="4.13.0")
XLMR = dict(model_type="xlm-roberta", bos_token_id=0, eos_token_id=2, pad_token_id=1, hidden_act="gelu",
            initializer_range=0.02, layer_norm_eps=1e-5, output_past=True, position_embedding_type="absolute",
            type_vocab_size=1, use_cache=True, **DROPOUTS)
BGE = XLMR | dict(architectures=["XLMRobertaForSequenceClassification"], classifier_dropout=None,
                  id2label={"0": "LABEL_0"}, label2id={"LABEL_0": 0}, torch_dtype="float32")
BERT = dict(model_type="bert", hidden_act="gelu", initializer_range=0.02, layer_norm_eps=1e-12, pad_token_id=0,
            max_position_embeddings=512, position_embedding_type="absolute", type_vocab_size=2, use_cache=True,
            gradient_checkpointing=False, **DROPOUTS)
NLI = lambda *names: dict(id2label={str(i): name for i, name in enumerate(names)},
                          label2id={name: i for i, name in enumerate(names)})
SPM = {"do_lower_case": False, "vocab_type": "spm"}
SPM_SAVED = SPM | {f"{kind}_token": f"[{name}]" for kind, name in dict(
    bos="CLS", eos="SEP", unk="UNK", sep="SEP", pad="PAD", cls="CLS", mask="MASK").items()} | dict(
    split_by_punct=False, sp_model_kwargs={}, model_max_length=512, special_tokens_map_file=None,
    name_or_path="microsoft/deberta-v3-base", tokenizer_class="DebertaV2Tokenizer")
BGE_TOKENIZER = dict(bos_token="<s>", eos_token="</s>", unk_token="<unk>", sep_token="</s>", cls_token="<s>",
                     pad_token="<pad>", mask_token="<mask>", clean_up_tokenization_spaces=True, model_max_length=8192,
                     sp_model_kwargs={}, tokenizer_class="XLMRobertaTokenizer")


def half(state):
    return {name: tensor.half() for name, tensor in state.items()}


def old_norms(state):
    """The LayerNorms' names of TensorFlow, which bert-base-uncased still has."""
    rename = lambda name: name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
    return {rename(name): tensor for name, tensor in state.items()}


def position_ids(prefix, count=512):
    """The buffer that versions of transformers before 4.31 saved."""
    return lambda state: {f"{prefix}embeddings.position_ids": torch.arange(count).expand((1, -1)).clone()} | state


def pretraining(state):
    """The heads of DeBERTa-v3's generator and discriminator as its authors named them."""
    renamed = {name.replace("cls.predictions.transform", "lm_predictions.lm_head")
               .replace("cls.predictions", "lm_predictions.lm_head"): tensor for name, tensor in state.items()
               if not name.endswith("decoder.weight") and not name.endswith("decoder.bias")}
    hidden = SIZES["hidden_size"]
    more = {"dense.weight": (hidden, hidden), "dense.bias": (hidden,), "LayerNorm.weight": (hidden,),
            "LayerNorm.bias": (hidden,), "classifier.weight": (1, hidden), "classifier.bias": (1,)}
    return renamed | {f"mask_predictions.{name}": torch.randn(shape) for name, shape in more.items()}


def bare(prefix):
    """A plain encoder's names."""
    return lambda state: {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}


def also(**tensors):
    return lambda state: state | {name.replace("__", "."): torch.randn(shape) for name, shape in tensors.items()}


# config, tokenizer (layout, tokenizer_config.json, whether tokenizer.json is there too), class of the published weights,
# what distinguishes their file, and its name.
MODELS = {
    "microsoft/deberta-v3-base": dict(
        config=V3, tokenizer=("deberta_v3", SPM, False), model=DebertaV2ForMaskedLM,
        changes=[pretraining, position_ids("deberta."), half], file="pytorch_model.bin"),
    "microsoft/deberta-v2-xlarge": dict(
        config=V3 | dict(attention_head_size=12, conv_act="gelu", conv_kernel_size=3, share_att_key=True),
        tokenizer=("deberta_v2", SPM, False), model=DebertaV2ForMaskedLM, changes=[pretraining, half],
        file="pytorch_model.bin"),
    "MoritzLaurer/DeBERTa-v3-base-mnli-fever-anli": dict(
        config=V3_SAVED | NLI("entailment", "neutral", "contradiction"), tokenizer=("deberta_v3", SPM_SAVED, True),
        changes=[half], file="model.safetensors"),
    "MoritzLaurer/deberta-v3-base-zeroshot-v2.0": dict(
        config=V3_SAVED | NLI("entailment", "not_entailment"), tokenizer=("deberta_v3", SPM_SAVED, True),
        changes=[half], file="model.safetensors"),
    "cross-encoder/nli-deberta-v3-base": dict(
        config=V3_SAVED | NLI("contradiction", "entailment", "neutral"), tokenizer=("deberta_v3", SPM_SAVED, True),
        changes=[position_ids("deberta.")], file="pytorch_model.bin"),
    "BAAI/bge-reranker-v2-m3": dict(
        config=BGE | dict(max_position_embeddings=8194, _name_or_path="BAAI/bge-m3", transformers_version="4.38.1"),
        tokenizer=("xlmr_mask", BGE_TOKENIZER, True), changes=[], file="model.safetensors"),
    "BAAI/bge-reranker-base": dict(
        config=BGE | dict(max_position_embeddings=514, _name_or_path="xlm-roberta-base", transformers_version="4.30.0"),
        tokenizer=("xlmr_mask", BGE_TOKENIZER | dict(model_max_length=512), True),
        changes=[position_ids("roberta.", 514)], file="pytorch_model.bin"),
    "BAAI/bge-m3": dict(
        config=XLMR | dict(max_position_embeddings=8194, architectures=["XLMRobertaModel"], torch_dtype="float32"),
        tokenizer=("xlmr_mask", BGE_TOKENIZER, True), changes=[bare("roberta.")], file="pytorch_model.bin"),
    "FacebookAI/xlm-roberta-base": dict(
        config=XLMR | dict(max_position_embeddings=514, architectures=["XLMRobertaForMaskedLM"]),
        tokenizer=("xlmr", {"model_max_length": 512}, True), changes=[position_ids("roberta.", 514)],
        file="model.safetensors"),
    "FacebookAI/roberta-base": dict(
        config=dict(model_type="roberta", architectures=["RobertaForMaskedLM"], bos_token_id=0, eos_token_id=2,
                    pad_token_id=1, hidden_act="gelu", initializer_range=0.02, layer_norm_eps=1e-5,
                    max_position_embeddings=514, type_vocab_size=1, **DROPOUTS),
        tokenizer=("roberta", {"model_max_length": 512}, True),
        changes=[also(roberta__pooler__dense__weight=(48, 48), roberta__pooler__dense__bias=(48,)),
                 position_ids("roberta.", 514)], file="model.safetensors"),
    "google-bert/bert-base-uncased": dict(
        config=BERT | dict(architectures=["BertForMaskedLM"], transformers_version="4.6.0.dev0"),
        tokenizer=("bert_uncased", {"do_lower_case": True, "model_max_length": 512}, True),
        changes=[also(bert__pooler__dense__weight=(48, 48), bert__pooler__dense__bias=(48,),
                      cls__seq_relationship__weight=(2, 48), cls__seq_relationship__bias=(2,)), old_norms],
        file="model.safetensors"),
    "cross-encoder/ms-marco-MiniLM-L6-v2": dict(
        config=BERT | dict(architectures=["BertForSequenceClassification"], classifier_dropout=None,
                           id2label={"0": "LABEL_0"}, label2id={"LABEL_0": 0}, transformers_version="4.49.0",
                           sentence_transformers=dict(activation_fn="torch.nn.modules.linear.Identity",
                                                      version="4.1.0.dev0")),
        tokenizer=("bert_uncased", dict(tokenizer_class="BertTokenizer", model_max_length=512, do_basic_tokenize=True,
                                        do_lower_case=True, never_split=None, strip_accents=None,
                                        tokenize_chinese_chars=True), True),
        changes=[position_ids("bert.")], file="model.safetensors"),
}


def build(name, folder):
    """Writes the folder; returns the encoder's parameters by transformers' names, in fp32."""
    spec = MODELS[name]
    layout, settings, fast = spec["tokenizer"]
    folder.mkdir(parents=True)
    for file in (LAYOUTS / layout).glob("*.gz"):
        if file.name != "expected.gz":
            (folder / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    for file in ("added_tokens.json", "special_tokens_map.json"):
        if (LAYOUTS / layout / file).exists():
            shutil.copy(LAYOUTS / layout / file, folder)
    settings_file, config_file = folder / "tokenizer_config.json", folder / "config.json"
    settings_file.write_text(json.dumps(settings))
    config = spec["config"] | SIZES
    config_file.write_text(json.dumps(config))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if fast:
        tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    config["vocab_size"] = len(tokenizer) + 3  # published tables are longer than vocabularies
    config_file.write_text(json.dumps(config, indent=2))

    named = config.get("architectures", [""])[0]
    model = spec.get("model") or getattr(transformers, named)
    torch.manual_seed(1)
    whole = model(AutoConfig.from_pretrained(folder))
    scatter(whole, torch.Generator().manual_seed(len(name)))
    state = {key: tensor.clone() for key, tensor in whole.state_dict().items()
             if not key.endswith("decoder.weight") or model is DebertaV2ForMaskedLM}
    if named == "XLMRobertaModel":
        state = {f"roberta.{key}": tensor for key, tensor in state.items()}
    for change in spec["changes"]:
        state = change(state)
    if spec["file"].endswith(".bin"):
        torch.save(state, folder / spec["file"])
    else:
        save_file({key: tensor.contiguous() for key, tensor in state.items()}, folder / spec["file"], {"format": "pt"})


def entail(*arguments):
    done = subprocess.run([PROJECT / "entail", *map(str, arguments)], cwd=PROJECT, text=True, capture_output=True)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return done.stderr


def predicted(folder):
    source, target = WORK / "pairs.jsonl", WORK / "scores.jsonl"
    source.write_text("".join(json.dumps(dict(post=post, criterion=criterion)) + "\n" for post, criterion in PAIRS))
    entail("predict", "--checkpoint", folder, "--input", source, "--output", target)
    return torch.tensor([json.loads(line)["logits"] for line in target.read_text().splitlines()])


def expected(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        return torch.cat([model(**tokenizer(*pair, truncation="only_first", return_tensors="pt")).logits for pair in PAIRS])


def same_encoder(published, trained):
    """Whether the encoder that training wrote is the published one."""
    before = AutoModelForSequenceClassification.from_pretrained(published, num_labels=2, dtype=torch.float32,
                                                                ignore_mismatched_sizes=True)
    after = AutoModelForSequenceClassification.from_pretrained(trained)
    old, new = before.base_model.state_dict(), after.base_model.state_dict()
    return old.keys() == new.keys() and all(torch.equal(old[name], new[name]) for name in old if "pooler" not in name)


def check(name):
    folder = WORK / name
    build(name, folder)
    labels = len(MODELS[name]["config"].get("id2label", {}))
    said = ""
    if labels not in (1, 2):
        run = WORK / f"run-{name.replace('/', '-')}"
        told = entail("train", "--fold", 0, f"output_dir={run}", f"model.model_name={folder}", "model=deberta_nli",
                      "data.sample_size=24", "kfold.n_splits=2", "training.max_steps=1", "training.learning_rate=0",
                      "training.batch_size=4", "mlflow.enable=false")
        published, folder = folder, run / "checkpoints/fold_0/best"
        notices = [line for line in told.splitlines() if "new, from the seed" in line]
        assert len(notices) == 1, told
        said = f"; {notices[0].replace(str(WORK) + '/', '')}"
        assert same_encoder(published, folder)
    wanted = expected(folder)
    off = ((predicted(folder) - wanted).abs().max() / wanted.abs().max()).item()
    print(f"{name}: {labels or 'no'} labels, logits within {off:.1e} of the largest{said}", flush=True)
    assert off < 1e-4


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        for each in sys.argv[1:] or MODELS:
            check(each)
    finally:
        shutil.rmtree(WORK)
