"""Losses and their gradients by autograd in float64: writes tests/fixtures/nn/loss.json. PyTorch 2.13."""

import json
import math
import pathlib

import torch
import torch.nn.functional as F

LABELS = [1, 0, 1, 1, 0, 0, 1, 0]
ALPHA = (0.8, 0.2)
POSITIVE_WEIGHT = 3.5


def focal(nll, labels, gamma, alpha):
    p = torch.exp(-nll)
    weight = torch.where(labels == 1, alpha[0], alpha[1])
    return weight * (1 - p) ** gamma * nll


def main():
    torch.manual_seed(0)
    labels = torch.tensor(LABELS)
    cases = []
    for num_labels in (1, 2):
        base = (torch.randn(len(LABELS), num_labels) * 2).double()
        for kind, gamma in (("ce", 0), ("bce", 0), ("weighted_bce", 0), ("focal", 0), ("focal", 0.5), ("focal", 1), ("focal", 2)):
            logits = base.clone().requires_grad_()
            rise = logits[:, 0] if num_labels == 1 else logits[:, 1] - logits[:, 0]
            target = labels.double()
            if kind == "ce" and num_labels == 2:
                loss = F.cross_entropy(logits, labels)
            elif kind in ("ce", "bce"):
                loss = F.binary_cross_entropy_with_logits(rise, target)
            elif kind == "weighted_bce":
                loss = F.binary_cross_entropy_with_logits(rise, target, pos_weight=torch.tensor(POSITIVE_WEIGHT))
            else:
                if num_labels == 2:
                    nll = F.cross_entropy(logits, labels, reduction="none")
                else:
                    nll = F.binary_cross_entropy_with_logits(rise, target, reduction="none")
                loss = focal(nll, labels, gamma, ALPHA).mean()
            loss.backward()
            assert math.isfinite(loss.item())
            cases.append({
                "kind": kind, "gamma": gamma, "numLabels": num_labels, "logits": base.flatten().tolist(),
                "loss": loss.item(), "dLogits": logits.grad.flatten().tolist(),
            })
    fixture = {"labels": LABELS, "alphaPositive": ALPHA[0], "alphaNegative": ALPHA[1], "positiveWeight": POSITIVE_WEIGHT, "cases": cases}
    path = pathlib.Path(__file__).parent.parent / "fixtures/nn/loss.json"
    path.write_text(json.dumps(fixture) + "\n")


main()
