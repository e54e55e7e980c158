"""Losses and their gradients by autograd in float64: writes tests/fixtures/nn/loss.json. PyTorch 2.13.

As PyTorch users write them: `cross_entropy` and `binary_cross_entropy_with_logits` with their own label smoothing and
pos_weight, the focal loss of torchvision, `margin_ranking_loss` over the pairs of a post.
"""

import json
import math
import pathlib

import torch
import torch.nn.functional as F

LABELS = [1, 0, 1, 1, 0, 0, 1, 0, 0, 1]
POSTS = [7, 7, 3, 7, 3, 9, 3, 7, 7, 5]
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


def ranking(logits, labels, posts, smoothing, positive_weight, rank_weight, margin):
    scores = rise(logits)
    pairs = [(i, j) for i in range(len(labels)) for j in range(len(labels))
             if labels[i] == 1 and labels[j] == 0 and posts[i] == posts[j]]
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

        def add(name, kind, weights, loss_of, posts=POSTS):
            logits = base.clone().requires_grad_()
            loss = loss_of(logits)
            loss.backward()
            assert math.isfinite(loss.item())
            cases.append(dict(name=name, kind=kind, numLabels=num_labels, posts=posts, weights=weights,
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
            weights = dict(positiveWeight=POSITIVE_WEIGHT, smoothing=0.06, rankWeight=0.7, rankMargin=margin)
            add(f"ranking {margin}, {'no ' if posts is NO_PAIRS else ''}pairs", "ranking", weights,
                lambda z: ranking(z, labels, posts, 0.06, POSITIVE_WEIGHT, 0.7, margin)[0], posts)
    path = pathlib.Path(__file__).parent.parent / "fixtures/nn/loss.json"
    path.write_text(json.dumps(dict(labels=LABELS, cases=cases)) + "\n")


main()
