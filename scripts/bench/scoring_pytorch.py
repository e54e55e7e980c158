"""Scores pairs as scoring.ts does, with transformers: reads a job as JSON from standard input, prints its result as JSON.

A job is {"model": FOLDER, "input": FILE, "batch_size", "max_length"}. Pairs are taken in the order of their lengths, so that
little of a batch is padding; in half precision where there is CUDA. Time is from texts to logits, the model being there.
"""

import json
import os
import sys
import time

import torch
import transformers
from transformers import AutoModelForSequenceClassification, AutoTokenizer, logging

logging.set_verbosity_error()
logging.disable_progress_bar()
job = json.load(sys.stdin)
cuda = torch.cuda.is_available()
device = "cuda" if cuda else "cpu"
if not cuda:
    torch.set_num_threads(len(os.sched_getaffinity(0)))
tokenizer = AutoTokenizer.from_pretrained(job["model"])
model = AutoModelForSequenceClassification.from_pretrained(job["model"], dtype=torch.float16 if cuda else torch.float32)
model.to(device).eval()
with open(job["input"]) as file:
    pairs = [json.loads(line) for line in file]


def score(pairs):
    options = dict(truncation="only_first", max_length=job["max_length"])
    ids = tokenizer([pair["post"] for pair in pairs], [pair["criterion"] for pair in pairs], **options)["input_ids"]
    order = sorted(range(len(pairs)), key=lambda at: -len(ids[at]))
    logits = [None] * len(pairs)
    scored = []
    with torch.inference_mode():
        for begin in range(0, len(order), job["batch_size"]):
            members = order[begin : begin + job["batch_size"]]
            inputs = tokenizer.pad({"input_ids": [ids[at] for at in members]}, return_tensors="pt").to(device)
            scored.append((members, model(**inputs).logits.float()))
        for members, rows in scored:
            for at, row in zip(members, rows.tolist()):
                logits[at] = row
    return logits


score(pairs[: job["batch_size"]])
begin, used = time.perf_counter(), time.process_time()
logits = score(pairs)
print(json.dumps({
    "name": f"transformers {transformers.__version__}, {'fp16, CUDA' if cuda else 'fp32, CPU'}",
    "seconds": time.perf_counter() - begin,
    "cpu_seconds": time.process_time() - used,
    "logits": logits,
}))
