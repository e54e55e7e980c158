"""The fine-tuning of minilm.ts in PyTorch: reads a job as JSON from standard input, prints F1, AUC
and the processor time that it took as JSON.

Versions: torch 2.13.0 (CPU), transformers 5.23.0, scikit-learn 1.9.1. The job names the model's folder, the run whose
folds.csv says which pairs are whose, and the hyper-parameters as configs/training has them.
"""

import csv
import json
import random
import sys
import time

import torch
from sklearn.metrics import f1_score, roc_auc_score
from transformers import AutoModelForSequenceClassification, AutoTokenizer, get_scheduler

job = json.load(sys.stdin)
torch.set_num_threads(1)
torch.manual_seed(job["seed"])
random.seed(job["seed"])

criteria = {each["id"]: each["text"] for each in json.load(open(job["criteria"]))["criteria"]}
with open(job["groundtruth"], newline="") as file:
    known = {(row["post_id"], row["DSM5_symptom"]): row for row in csv.DictReader(file)}
training, validation = [], []
with open(f"{job['run']}/folds.csv", newline="") as file:
    for row in csv.DictReader(file):
        pair = known[row["post_id"], row["criterion_id"]]
        part = validation if int(row["fold"]) == job["fold"] else training
        part.append((pair["post"], criteria[row["criterion_id"]], int(pair["groundtruth"])))

tokenizer = AutoTokenizer.from_pretrained(job["model"])
model = AutoModelForSequenceClassification.from_pretrained(job["model"], num_labels=2)


def logits_of(pairs):
    posts, texts, _ = zip(*pairs)
    return model(**tokenizer(list(posts), list(texts), truncation="only_first", max_length=job["max_length"],
                             padding=True, return_tensors="pt")).logits


def has_decay(name):
    return not (name.endswith("bias") or "LayerNorm" in name)


positives = [pair for pair in training if pair[2] == 1]
negatives = [pair for pair in training if pair[2] == 0]


def pairs_of_an_epoch():
    """All positives and so many negatives of each, drawn anew, in random order."""
    drawn = random.sample(negatives, min(job["neg_per_pos"] * len(positives), len(negatives)))
    return random.sample(positives + drawn, len(positives) + len(drawn))


optimizer = torch.optim.AdamW([
    dict(params=[p for n, p in model.named_parameters() if has_decay(n)], weight_decay=job["weight_decay"]),
    dict(params=[p for n, p in model.named_parameters() if not has_decay(n)], weight_decay=0.0),
], lr=job["learning_rate"])
size = job["batch_size"]
steps = job["num_epochs"] * -(-len(pairs_of_an_epoch()) // size)
schedule = get_scheduler("linear", optimizer, int(steps * job["warmup_ratio"]), steps)
model.train()
for epoch in range(job["num_epochs"]):
    pairs = pairs_of_an_epoch()
    for at in range(0, len(pairs), size):
        batch = pairs[at:at + size]
        labels = torch.tensor([label for _, _, label in batch])
        torch.nn.functional.cross_entropy(logits_of(batch), labels).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), job["max_grad_norm"])
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)

model.eval()
with torch.no_grad():
    scores = torch.cat([logits_of(validation[at:at + 32]).softmax(-1)[:, 1] for at in range(0, len(validation), 32)])
truth = [label for _, _, label in validation]
print(json.dumps(dict(f1=f1_score(truth, scores >= 0.5), auc=roc_auc_score(truth, scores), cpu_seconds=time.process_time())))
