"""From texts to logits for every family, as their models are published: tokenizer files, config.json, pytorch_model.bin.

Versions: torch 2.13.0 (CPU), transformers 5.23.0, sentence-transformers 6.2.0.
Run from the project folder: python tests/oracles/family_texts.py

Small random models with the tokenizers of tests/fixtures/tokenizers/layouts. Writes those of two families to
tests/fixtures/<family>/text: the folder, and in expected.json pairs of texts with what AutoModelForSequenceClassification
makes of them in a padded batch. Then, for every family: `predict` on the published folder, and on what `train` makes of it
with a learning rate of 0, beside AutoModel, pipeline and CrossEncoder, as checkpoints_outside.py does. 1e-4 fails.
"""

import gzip
import json
import shutil
import sys

import torch
from checkpoints_outside import PROJECT, WORK, auto_model, compare, entail, predict, refused
from families import FAMILIES, scatter
from transformers import AutoTokenizer

LAYOUTS = PROJECT / "tests/fixtures/tokenizers/layouts"
POST = "I am so tired of everything, I cannot sleep and nothing is fun any more. "
PAIRS = [
    ("I feel sad and empty.", "Depressed mood most of the day."),
    (POST, "Insomnia or hypersomnia."),
    (POST * 9, "Markedly diminished interest or pleasure in all activities."),
    ("Naïve café — 😀!", "Fatigue?"),
    ("no", "Yes"),
]
MAX_LENGTH = 64
CASES = {
    "bert": dict(layout="bert_uncased", config=dict(max_position_embeddings=64, type_vocab_size=2, num_labels=2)),
    "roberta": dict(layout="roberta", config=dict(max_position_embeddings=66, type_vocab_size=1, pad_token_id=1)),
    "xlm_roberta": dict(layout="xlmr", config=dict(max_position_embeddings=66, type_vocab_size=1, pad_token_id=1,
                                                   num_labels=1)),
}
WRITTEN = ["bert", "roberta"]


def write_folder(family, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for file in (LAYOUTS / CASES[family]["layout"]).iterdir():
        if file.name.startswith("expected"):
            continue
        if file.suffix == ".gz":
            (folder / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
        else:
            shutil.copy(file, folder / file.name)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    config = FAMILIES[family]["config"](
        vocab_size=len(tokenizer), hidden_size=24, num_attention_heads=4, num_hidden_layers=2, intermediate_size=40,
        **CASES[family]["config"])
    model = FAMILIES[family]["whole"](config).eval()
    scatter(model, torch.Generator().manual_seed(7))
    config.architectures = [type(model).__name__]
    config.save_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    settings = folder / "tokenizer_config.json"
    known = json.loads(settings.read_text()) if settings.exists() else {}
    settings.write_text(json.dumps(known | dict(model_max_length=MAX_LENGTH)) + "\n")
    return folder


def expect(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    logits = auto_model(folder, PAIRS)
    ids = [tokenizer(*pair, truncation="only_first")["input_ids"] for pair in PAIRS]
    pairs = [dict(post=post, criterion=criterion, ids=each, logits=values)
             for (post, criterion), each, values in zip(PAIRS, ids, logits.tolist())]
    (folder / "expected.json").write_text(json.dumps(dict(maxLength=MAX_LENGTH, pairs=pairs)) + "\n")


def trained(family, folder, head):
    run = WORK / f"{family}-{head}"
    rows = [f"p{i},{json.dumps(post)},A.1,{i % 2}" for i, (post, _) in enumerate(PAIRS * 2)]
    (WORK / "groundtruth.csv").write_text("post_id,post,DSM5_symptom,groundtruth\n" + "\n".join(rows) + "\n")
    (WORK / "criteria.json").write_text(json.dumps(dict(criteria=[dict(id="A.1", text="Criterion.")])))
    labels = CASES[family]["config"].get("num_labels", 2)
    entail("train", "--fold", 0, f"output_dir={run}", "mlflow.enable=false", f"data.max_length={MAX_LENGTH}",
           f"data.groundtruth_csv={WORK / 'groundtruth.csv'}", f"data.criteria_json={WORK / 'criteria.json'}",
           f"data.annotations_csv=null", f"model.model_name={folder}", f"model.classifier_head={head}",
           f"model.num_labels={labels}", f"model.loss_type={'bce' if labels == 1 else 'ce'}",
           "kfold.n_splits=2", "training.learning_rate=0", "training.max_steps=1")
    return run / "checkpoints/fold_0/best"


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in CASES:
        published = write_folder(name, WORK / name)
        if name in WRITTEN:
            target = write_folder(name, PROJECT / "tests/fixtures" / name / "text")
            expect(target)
        difference = abs(predict(published, PAIRS) - auto_model(published, PAIRS)).max()
        print(f"{name}, as published: largest difference {difference:.1e}")
        assert difference < 1e-4
        compare(f"{name}, pooler_linear", trained(name, published, "pooler_linear"), PAIRS)
        pooled = trained(name, published, "mean_pooling")
        refused(pooled, PAIRS)
        compare(f"{name}, mean_pooling", pooled, PAIRS, trust_remote_code=True)
    sys.exit(0)
