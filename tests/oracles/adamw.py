"""Clipped AdamW steps in float64: writes tests/fixtures/nn/adamw.json. PyTorch 2.13."""

import json
import pathlib

import torch

STEPS = 5
LEARNING_RATES = [0.0, 1e-3, 2e-3, 1.5e-3, 5e-4]
MAX_NORM = 1.0
WEIGHT_DECAY = 0.05
SCALES = [1.0, 0.1, 3.0, 0.01, 1.0]


def main():
    torch.manual_seed(1)
    decayed = torch.nn.Parameter(torch.randn(10).float().double())
    plain = torch.nn.Parameter(torch.randn(9).float().double())
    start = torch.cat([decayed, plain]).tolist()
    optimizer = torch.optim.AdamW(
        [{"params": [decayed], "weight_decay": WEIGHT_DECAY}, {"params": [plain], "weight_decay": 0.0}],
        lr=1e-3, betas=(0.9, 0.999), eps=1e-8, foreach=False,
    )
    steps = []
    for rate, scale in zip(LEARNING_RATES, SCALES):
        for group in optimizer.param_groups:
            group["lr"] = rate
        decayed.grad = (torch.randn(10) * scale).double()
        plain.grad = (torch.randn(9) * scale).double()
        gradients = torch.cat([decayed.grad, plain.grad]).tolist()
        norm = torch.nn.utils.clip_grad_norm_([decayed, plain], MAX_NORM).item()
        optimizer.step()
        steps.append({
            "learningRate": rate, "gradients": gradients, "norm": norm,
            "values": torch.cat([decayed, plain]).tolist(),
            "firstMoment": torch.cat([optimizer.state[p]["exp_avg"] for p in (decayed, plain)]).tolist(),
            "secondMoment": torch.cat([optimizer.state[p]["exp_avg_sq"] for p in (decayed, plain)]).tolist(),
        })
    fixture = {
        "maxNorm": MAX_NORM, "weightDecay": WEIGHT_DECAY, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8,
        "decayedElements": 10, "values": start, "steps": steps,
    }
    path = pathlib.Path(__file__).parent.parent / "fixtures/nn/adamw.json"
    path.write_text(json.dumps(fixture) + "\n")


main()
