"""Losses and their gradients by autograd in float64: writes tests/fixtures/nn/loss.json. PyTorch 2.13.

As PyTorch users write them: `cross_entropy` and `binary_cross_entropy_with_logits` with their own label smoothing and
pos_weight, the focal loss of torchvision, `margin_ranking_loss` over the pairs of a post; distillation with soft targets at
a temperature, `mse_loss` of scores and of margins, as sentence-transformers' MSELoss and MarginMSELoss.
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F

LABELS = [1, 0, 1, 1, 0, 0, 1, 0, 0, 1]
POSTS = [7, 7, 3, 7, 3, 9, 3, 7, 7, 5]
TEACHER = [2.5, -1.5, -0.25, 4.0, 0.5, -6.0, 0.75, 1.25, -3.0, 8.0]
ALPHA = (0.8, 0.2)
POSITIVE_WEIGHT = 3.5
NO_PAIRS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]


def rise(logits):
    return logits[:, 0] if logits.shape[1] == 1 else logits[:, 1] - logits[:, 0]


def cross_entropy(logits, labels, smoothing=0.0):
    if logits.shape[1] == 2:
        return F.cross_entropy(logits, labels, label_smoothing=smoothing)
    return bce(logits, labels, smoothing)


def bce(logits, labels, smoothing=0.0, positive_weight=1.0):
    targets = labels.double() * (1 - smoothing) + smoothing / 2
    return F.binary_cross_entropy_with_logits(rise(logits), targets, pos_weight=torch.tensor(positive_weight))


def focal(logits, labels, gamma, alpha):
    targets = labels.double()
    nll = F.binary_cross_entropy_with_logits(rise(logits), targets, reduction="none")
    p = torch.sigmoid(rise(logits))
    p_y = p * targets + (1 - p) * (1 - targets)
    return (torch.where(labels == 1, *torch.tensor(alpha, dtype=torch.float64)) * (1 - p_y) ** gamma * nll).mean()


def pairs_of(labels, groups):
    return [(i, j) for i in range(len(labels)) for j in range(len(labels))
            if labels[i] == 1 and labels[j] == 0 and groups[i] == groups[j]]


def distillation(logits, labels, teacher, alpha, temperature):
    if logits.shape[1] == 2:
        targets = torch.softmax(torch.stack([torch.zeros_like(teacher), teacher], 1) / temperature, 1)
        soft = F.cross_entropy(logits / temperature, targets)
    else:
        soft = F.binary_cross_entropy_with_logits(rise(logits) / temperature, torch.sigmoid(teacher / temperature))
    return (1 - alpha) * cross_entropy(logits, labels) + alpha * temperature ** 2 * soft


def margin_mse(logits, labels, groups, teacher):
    pairs = pairs_of(labels, groups)
    if not pairs:
        return 0 * logits.sum()
    positives, negatives = (list(side) for side in zip(*pairs))
    scores = rise(logits)
    return F.mse_loss(scores[positives] - scores[negatives], teacher[positives] - teacher[negatives])


def ranking(logits, labels, posts, smoothing, positive_weight, rank_weight, margin):
    scores = rise(logits)
    pairs = pairs_of(labels, posts)
    loss = bce(logits, labels, smoothing, positive_weight)
    if pairs:
        positives, negatives = (scores[list(side)] for side in zip(*pairs))
        loss = loss + rank_weight * F.margin_ranking_loss(positives, negatives, torch.ones(len(pairs)), margin=margin)
    return loss, len(pairs)


def main():
    torch.manual_seed(0)
    labels = torch.tensor(LABELS)
    cases = []
    for num_labels in (1, 2):
        base = (torch.randn(len(LABELS), num_labels) * 2).double()

        def add(name, kind, weights, loss_of, groups=POSTS, told=()):
            logits = base.clone().requires_grad_()
            loss = loss_of(logits)
            loss.backward()
            assert math.isfinite(loss.item())
            cases.append(dict(name=name, kind=kind, numLabels=num_labels, groups=groups, teacher=list(told), weights=weights,
                              logits=base.flatten().tolist(), loss=loss.item(), dLogits=logits.grad.flatten().tolist()))

        add("ce", "cross_entropy", {}, lambda z: cross_entropy(z, labels))
        add("ce smoothed", "cross_entropy", dict(smoothing=0.1), lambda z: cross_entropy(z, labels, 0.1))
        add("weighted bce", "cross_entropy", dict(positiveWeight=POSITIVE_WEIGHT),
            lambda z: bce(z, labels, 0.0, POSITIVE_WEIGHT))
        add("weighted bce smoothed", "cross_entropy", dict(positiveWeight=POSITIVE_WEIGHT, smoothing=0.2),
            lambda z: bce(z, labels, 0.2, POSITIVE_WEIGHT))
        for gamma in (0, 0.5, 1, 2):
            add(f"focal {gamma}", "focal", dict(gamma=gamma, positiveWeight=ALPHA[0], negativeWeight=ALPHA[1]),
                lambda z: focal(z, labels, gamma, ALPHA))
        for margin, posts in ((0.3, POSTS), (2.5, POSTS), (2.5, NO_PAIRS)):
            weights = dict(positiveWeight=POSITIVE_WEIGHT, smoothing=0.06, pairWeight=0.7, rankMargin=margin)
            add(f"ranking {margin}, {'no ' if posts is NO_PAIRS else ''}pairs", "ranking", weights,
                lambda z: ranking(z, labels, posts, 0.06, POSITIVE_WEIGHT, 0.7, margin)[0], posts)
        teacher = torch.tensor(TEACHER, dtype=torch.float64)
        for alpha, temperature in ((1.0, 1.0), (0.5, 1.0), (0.7, 3.0)):
            add(f"distillation {alpha}, {temperature}", "distillation",
                dict(softWeight=alpha, temperature=temperature),
                lambda z: distillation(z, labels, teacher, alpha, temperature),
                told=torch.sigmoid(teacher / temperature).tolist())
        add("mse", "mse", {}, lambda z: F.mse_loss(rise(z), teacher), told=TEACHER)
        for groups in (POSTS, NO_PAIRS):
            add(f"margin_mse, {'no ' if groups is NO_PAIRS else ''}pairs", "margin_mse", dict(pairWeight=1.0),
                lambda z: margin_mse(z, labels, groups, teacher), groups, TEACHER)
    path = pathlib.Path(__file__).parent.parent / "fixtures/nn/loss.json"
    path.write_text(json.dumps(dict(labels=LABELS, cases=cases)) + "\n")


main()
