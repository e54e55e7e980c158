"""PyTorch as a contestant: answers JSON lines as serve.ts does (see job.ts), on CUDA where it has it, else on the CPU."""

import json
import os
import sys
import time
import warnings
from pathlib import Path

import numpy
import torch

answers = sys.stdout
sys.stdout = sys.stderr  # libraries greet; the output is for answers
warnings.filterwarnings("ignore")

CUDA = torch.cuda.is_available()
DEVICE = torch.device("cuda" if CUDA else "cpu")
MULTIPLIERS = {"a": 2654435761, "b": 2246822519}
if not CUDA:
    torch.set_num_threads(len(os.sched_getaffinity(0)))


def hashed(count, multiplier):
    return numpy.arange(count, dtype=numpy.uint64) * numpy.uint64(multiplier) & numpy.uint64(0xFFFFFFFF)


def product(job):
    rows, out, into = job["rows"], job["outFeatures"], job["inFeatures"]
    shapes, compute = {
        "y = x·Wᵀ": (((rows, into), (out, into)), lambda a, b: a @ b.T),
        "dX = dY·W": (((rows, out), (out, into)), lambda a, b: a @ b),
        "dW = dYᵀ·X": (((rows, out), (rows, into)), lambda a, b: a.T @ b),
    }[job["operation"]]
    operands = []
    for name, shape in zip("ab", shapes):
        values = hashed(shape[0] * shape[1], MULTIPLIERS[name]) / 2**32 - 0.5
        operands.append(torch.from_numpy(values.astype(numpy.float32)).reshape(shape).to(DEVICE))
    return lambda: compute(*operands), lambda: compute(*operands)


def model_of(job, dropout):
    """A model with random weights."""
    from transformers import AutoConfig, AutoModelForSequenceClassification

    kept = {key: value for key, value in job["architecture"].items() if key not in ("architectures", "dtype")}
    kind = kept.pop("model_type", "deberta-v2")
    rates = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    head = "cls_dropout" if kind == "deberta-v2" else "classifier_dropout"
    configuration = AutoConfig.for_model(kind, **{**kept, "num_labels": 2, **rates, head: dropout})
    torch.manual_seed(1)
    return AutoModelForSequenceClassification.from_config(configuration)


def token_ids(job):
    shape = (job["batchSize"], job["maxLength"])
    ids = hashed(shape[0] * shape[1], MULTIPLIERS["a"]) % numpy.uint64(job["architecture"]["vocab_size"])
    return torch.from_numpy(ids.astype(numpy.int64)).reshape(shape).to(DEVICE)


def forward(job):
    model = model_of(job, 0.0).eval()
    inputs = (token_ids(job).cpu(), torch.ones(job["batchSize"], job["maxLength"], dtype=torch.long))
    save(model, inputs, job["folder"])
    model, (ids, mask) = model.to(DEVICE), [tensor.to(DEVICE) for tensor in inputs]

    def compute():
        with torch.no_grad():
            return model(input_ids=ids, attention_mask=mask).logits

    return lambda: compute().cpu(), compute


def save(model, inputs, folder):
    """For the others: a Hugging Face folder, and an ONNX file where the package onnx is there."""
    model.save_pretrained(folder)

    class Logits(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask):
            return self.model(input_ids=input_ids, attention_mask=attention_mask).logits

    try:
        names = {"input_names": ["input_ids", "attention_mask"], "output_names": ["logits"]}
        torch.onnx.export(Logits().eval(), inputs, str(Path(folder) / "model.onnx"), dynamo=False, **names)
    except Exception as error:  # the others can do without
        print(f"no ONNX file: {error}", file=sys.stderr)


def step(job):
    precision = job["precision"]
    half = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(precision)
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    model = model_of(job, 0.1).to(DEVICE).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, weight_decay=0.01, fused=True)
    scaler = torch.amp.GradScaler(DEVICE.type, enabled=precision == "fp16")
    ids = token_ids(job)
    lengths = torch.tensor(job.get("lengths") or [job["maxLength"]] * job["batchSize"], device=DEVICE)
    mask = (torch.arange(job["maxLength"], device=DEVICE) < lengths[:, None]).long()
    labels = torch.arange(job["batchSize"], device=DEVICE) % 2
    run = torch.compile(model) if job.get("compiled") else model

    def compute():
        with torch.autocast(DEVICE.type, half or torch.bfloat16, enabled=half is not None):
            logits = run(input_ids=ids, attention_mask=mask).logits.float()
        loss = torch.nn.functional.cross_entropy(logits, labels)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad(set_to_none=True)

    return compute, None


def wait():
    if CUDA:
        torch.cuda.synchronize()


task = None


def answer(request):
    global task
    if "prepare" in request:
        task = None
        if CUDA:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        job = request["prepare"]
        task = {"product": product, "forward": forward, "step": step}[job["kind"]](job)
        return {"device": torch.cuda.get_device_name() if CUDA else f"CPU, {torch.get_num_threads()} threads"}
    compute, result = task
    if "sample" in request:
        return result().flatten()[request["sample"]].tolist()
    wait()
    begin = time.perf_counter()
    for _ in range(request["time"]):
        compute()
    wait()
    timing = {"ms": (time.perf_counter() - begin) * 1e3 / request["time"]}
    return {**timing, "peak_bytes": torch.cuda.max_memory_allocated()} if CUDA else timing


def say(compute):
    try:
        line = {"ok": compute()}
    except Exception as error:
        line = {"error": str(error).splitlines()[0] if str(error) else type(error).__name__}
    print(json.dumps(line), file=answers, flush=True)


say(lambda: {"name": f"PyTorch {torch.__version__}"})
for line in sys.stdin:
    say(lambda: answer(json.loads(line)))
