"""The fine-tuning of minilm.ts in PyTorch: reads a job as JSON from standard input, prints its result as JSON.

Versions: torch 2.13.0 (CPU), transformers 5.23.0, scikit-learn 1.9.1. A job is {"start": FOLDER, "model": FOLDER, "seed"},
which writes the model with a new head for both programs to begin with, or names that folder as "model", the "run" whose
folds.csv says which pairs are whose, and hyper-parameters as configs/training has them. With "max_steps" the batches are
those of training.shuffle=false and there is no dropout, so that losses can be compared step by step.
"""

import csv
import json
import random
import sys
import time

import torch
from sklearn.metrics import f1_score, roc_auc_score
from transformers import AutoModelForSequenceClassification, AutoTokenizer, get_scheduler, logging

logging.set_verbosity_error()
logging.disable_progress_bar()
job = json.load(sys.stdin)
torch.set_num_threads(1)
torch.manual_seed(job["seed"])
random.seed(job["seed"])
steps_alone = job.get("max_steps")
no_dropout = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0) if steps_alone else {}
tokenizer = AutoTokenizer.from_pretrained(job["model"])
model = AutoModelForSequenceClassification.from_pretrained(job["model"], num_labels=2, **no_dropout)
if "start" in job:
    model.save_pretrained(job["start"])
    tokenizer.save_pretrained(job["start"])
    print(json.dumps({}))
    sys.exit()

criteria = {each["id"]: each["text"] for each in json.load(open(job["criteria"]))["criteria"]}
with open(job["groundtruth"], newline="") as file:
    known = {(row["post_id"], row["DSM5_symptom"]): row for row in csv.DictReader(file)}
training, validation = [], []
with open(f"{job['run']}/folds.csv", newline="") as file:
    for row in csv.DictReader(file):
        pair = known[row["post_id"], row["criterion_id"]]
        part = validation if int(row["fold"]) == job["fold"] else training
        part.append((pair["post"], criteria[row["criterion_id"]], int(pair["groundtruth"])))
positives = [pair for pair in training if pair[2] == 1]
negatives = [pair for pair in training if pair[2] == 0]


def pairs_of_an_epoch():
    """All positives and so many negatives of each, drawn anew, in random order; or all pairs in the order of the file."""
    if steps_alone:
        return training
    drawn = random.sample(negatives, min(job["neg_per_pos"] * len(positives), len(negatives)))
    return random.sample(positives + drawn, len(positives) + len(drawn))


def logits_of(pairs):
    posts, texts, _ = zip(*pairs)
    return model(**tokenizer(list(posts), list(texts), truncation="only_first", max_length=job["max_length"],
                             padding=True, return_tensors="pt")).logits


def has_decay(name):
    return not (name.endswith("bias") or "LayerNorm" in name)


optimizer = torch.optim.AdamW([
    dict(params=[p for n, p in model.named_parameters() if has_decay(n)], weight_decay=job["weight_decay"]),
    dict(params=[p for n, p in model.named_parameters() if not has_decay(n)], weight_decay=0.0),
], lr=job["learning_rate"])
size = job["batch_size"]
steps = steps_alone or job["num_epochs"] * -(-len(pairs_of_an_epoch()) // size)
schedule = get_scheduler("linear", optimizer, int(steps * job["warmup_ratio"]), steps)
losses = []
model.train()
while len(losses) < steps:
    pairs = pairs_of_an_epoch()
    for at in range(0, len(pairs), size):
        if len(losses) == steps:
            break
        batch = pairs[at:at + size]
        loss = torch.nn.functional.cross_entropy(logits_of(batch), torch.tensor([label for _, _, label in batch]))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), job["max_grad_norm"])
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())

model.eval()
with torch.no_grad():
    scores = torch.cat([logits_of(validation[at:at + 32]).softmax(-1)[:, 1] for at in range(0, len(validation), 32)])
truth = [label for _, _, label in validation]
print(json.dumps(dict(losses=losses, f1=f1_score(truth, scores >= 0.5), auc=roc_auc_score(truth, scores),
                      probabilities=scores.tolist(), cpu_seconds=time.process_time())))
