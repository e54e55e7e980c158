"""Compares `predict` with transformers and sentence-transformers on folders that `train` wrote, and writes heads.json.

Versions: torch 2.13.0 (CPU), transformers 5.23.0, sentence-transformers 6.2.0.
Run from the project folder: python tests/oracles/checkpoints_outside.py

The embedded default: fold 0's checkpoint on the validation pairs of that fold, loaded with nothing else installed. Then
every head on the small model of tests/fixtures/deberta/text, whose weights a training with a learning rate of 0 leaves
as they are: some of its pairs are longer than its max_length and than its max_position_embeddings. Loading a head that
transformers does not have must fail without trust_remote_code. Prints the largest difference of any logit; 1e-4 fails.

CrossEncoder cuts the longer of two texts first and cannot be told otherwise. That is the post, as in `predict`, unless
the criterion takes more than half of the room: such pairs are counted and not compared.

tests/fixtures/deberta/text/heads.json holds, by head, the logits that AutoModelForSequenceClassification gives for the
pairs of expected.json.
"""

import csv
import json
import os
import subprocess
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
WORK = Path(tempfile.mkdtemp(prefix="entail-outside-"))
os.environ["HF_MODULES_CACHE"] = str(WORK / "modules")

import numpy as np
import torch
from sentence_transformers import CrossEncoder
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

PROJECT = Path(__file__).resolve().parents[2]
TEXT = PROJECT / "tests/fixtures/deberta/text"
HEADS = ["pooler_linear", "linear", "mean_pooling", "max_pooling", "attention_pooling", "mlp1", "mlp2"]


def entail(*arguments):
    subprocess.run([PROJECT / "entail", *map(str, arguments)], check=True, cwd=PROJECT, stdout=subprocess.DEVNULL)


def predict(checkpoint, pairs):
    source, target = WORK / "pairs.jsonl", WORK / "scores.jsonl"
    source.write_text("".join(json.dumps(dict(post=post, criterion=criterion)) + "\n" for post, criterion in pairs))
    entail("predict", "--checkpoint", checkpoint, "--input", source, "--output", target)
    return np.array([json.loads(line)["logits"] for line in target.read_text().splitlines()])


def auto_model(folder, pairs, batch=32, **options):
    tokenizer = AutoTokenizer.from_pretrained(folder, **options)
    model = AutoModelForSequenceClassification.from_pretrained(folder, **options).eval()
    logits = []
    for at in range(0, len(pairs), batch):
        posts, criteria = zip(*pairs[at:at + batch])
        inputs = tokenizer(list(posts), list(criteria), truncation="only_first", padding=True, return_tensors="pt")
        with torch.no_grad():
            logits.append(model(**inputs).logits)
    return torch.cat(logits).numpy()


def text_classification(folder, pairs, **options):
    classify = pipeline("text-classification", model=str(folder), **options)
    inputs = [dict(text=post, text_pair=criterion) for post, criterion in pairs]
    results = classify(inputs, top_k=None, function_to_apply="none", truncation="only_first")
    labels = classify.model.config.id2label
    scores = [{result["label"]: result["score"] for result in results_of_pair} for results_of_pair in results]
    return np.array([[of[labels[index]] for index in sorted(labels)] for of in scores])


def cross_encoder(folder, pairs, **options):
    model = CrossEncoder(str(folder), activation_fn=torch.nn.Identity(), **options)
    return model.predict(pairs, show_progress_bar=False).reshape(len(pairs), -1)


PROGRAMS = dict(AutoModel=auto_model, pipeline=text_classification, CrossEncoder=cross_encoder)


def cut_alike(folder, pairs):
    """Whether `longest_first` leaves the same tokens of a pair as `only_first`."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = [[tokenizer(*pair, truncation=strategy)["input_ids"] for strategy in ("longest_first", "only_first")]
           for pair in pairs]
    return np.array([longest == first for longest, first in ids])


def compare(name, folder, pairs, **options):
    ours, alike = predict(folder, pairs), cut_alike(folder, pairs)
    logits = {program: run(folder, pairs, **options) for program, run in PROGRAMS.items()}
    differences = {program: np.abs(theirs - ours).max(axis=1) for program, theirs in logits.items()}
    differences["CrossEncoder"] = differences["CrossEncoder"][alike]
    listed = ", ".join(f"{program} {each.max():.1e} ({len(each)} pairs)" for program, each in differences.items())
    print(f"{name}: logits {ours.min():.2f} to {ours.max():.2f}, largest difference: {listed}")
    assert max(each.max() for each in differences.values()) < 1e-4
    return logits["AutoModel"]


def refused(folder, pairs):
    for program, run in PROGRAMS.items():
        try:
            run(folder, pairs, trust_remote_code=False)
        except ValueError as error:
            assert "custom code" in str(error), error
            continue
        raise AssertionError(f"{program} loads {folder} without trust_remote_code")


def default_checkpoint():
    entail("train", "--fold", 0, f"output_dir={WORK / 'demo'}", "mlflow.enable=false")
    data = PROJECT / "data/demo"
    criteria = {each["id"]: each["text"] for each in json.loads((data / "criteria.json").read_text())["criteria"]}
    with open(WORK / "demo/folds.csv") as file:
        members = {(row["post_id"], row["criterion_id"]) for row in csv.DictReader(file) if row["fold"] == "0"}
    with open(data / "groundtruth.csv") as file:
        pairs = [(row["post"], criteria[row["DSM5_symptom"]]) for row in csv.DictReader(file)
                 if (row["post_id"], row["DSM5_symptom"]) in members]
    compare("embedded default", WORK / "demo/checkpoints/fold_0/best", pairs)


def every_head():
    expected = json.loads((TEXT / "expected.json").read_text())
    pairs = [(pair["post"], pair["criterion"]) for pair in expected["pairs"]]
    with open(WORK / "groundtruth.csv", "w") as file:
        rows = csv.writer(file)
        rows.writerow(["post_id", "post", "DSM5_symptom", "groundtruth"])
        rows.writerows([f"p{i}", post, f"A.{1 + i % 2}", i // 2 % 2] for i, (post, _) in enumerate(pairs[:16]))
    criteria = [dict(id=f"A.{i + 1}", text=f"Criterion {i + 1}.") for i in range(2)]
    (WORK / "criteria.json").write_text(json.dumps(dict(criteria=criteria)))
    logits = {}
    for head in HEADS:
        run = WORK / head
        entail("train", "--fold", 0, f"output_dir={run}", "mlflow.enable=false", f"data.max_length={expected['maxLength']}",
               f"data.groundtruth_csv={WORK / 'groundtruth.csv'}", f"data.criteria_json={WORK / 'criteria.json'}",
               f"model.model_name={TEXT}", f"model.classifier_head={head}", "model.classifier_dropout=null",
               "kfold.n_splits=2", "training.learning_rate=0", "training.max_steps=1")
        folder = run / "checkpoints/fold_0/best"
        if head == "pooler_linear":
            logits[head] = compare(head, folder, pairs)
        else:
            refused(folder, pairs)
            logits[head] = compare(head, folder, pairs, trust_remote_code=True)
    lines = [f"{json.dumps(head)}: {json.dumps(values.tolist())}" for head, values in logits.items()]
    (TEXT / "heads.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    every_head()
    default_checkpoint()
