"""Writes tests/fixtures/evaluation/decisions.json: temperatures, thresholds, the bootstrap and McNemar's test.
Made with scikit-learn 1.9.1, SciPy 1.17.1, statsmodels 0.15.0, NumPy 2.4.6."""

import json
import warnings
from pathlib import Path

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit
from sklearn.metrics import (
    average_precision_score, brier_score_loss, f1_score, precision_recall_curve, roc_auc_score,
)
from statsmodels.stats.contingency_tables import mcnemar

warnings.simplefilter("ignore")
target = Path(__file__).parent.parent / "fixtures" / "evaluation" / "decisions.json"
rng = np.random.RandomState(11)


def scored(n, spread):
    labels = (rng.random_sample(n) < 0.3).astype(int)
    scores = (rng.standard_normal(n) + labels * 1.5 - 0.5) * spread
    return labels, scores.round(6)


def temperature_case(n, spread):
    labels, scores = scored(n, spread)
    loss = lambda log_t: np.mean(np.logaddexp(0, np.where(labels == 1, -scores, scores) / np.exp(log_t)))
    found = minimize_scalar(loss, bounds=(-4, 4), method="bounded", options={"xatol": 1e-10})
    return {"labels": labels.tolist(), "scores": scores.tolist(), "temperature": float(np.exp(found.x)),
            "loss": float(found.fun)}


def threshold_case(n, decimals):
    labels, scores = scored(n, 1.0)
    probabilities = expit(scores).round(decimals)
    precision, recall, _ = precision_recall_curve(labels, probabilities)
    best = max(2 * p * r / (p + r) if p + r > 0 else 0 for p, r in zip(precision, recall))
    return {"labels": labels.tolist(), "probabilities": probabilities.tolist(), "f1": float(best)}


def mix_seeds(seed, index):
    """src/random/mix.ts."""
    mask = 0xffffffff
    h = ((seed * 0x9e3779b1) ^ ((index + 1) * 0x85ebca77)) & mask
    h = ((h ^ (h >> 16)) * 0x85ebca6b) & mask
    h = ((h ^ (h >> 13)) * 0xc2b2ae35) & mask
    return h ^ (h >> 16)


def bootstrap_case(posts, criteria, seed, resamples):
    post = np.repeat(np.arange(posts), criteria)
    labels, scores = scored(len(post), 1.0)
    probabilities = expit(scores).round(2)
    predictions = (probabilities >= 0.5).astype(int)
    others = expit(scores + 0.4 * rng.standard_normal(len(post)).round(3)).round(2)
    metrics = {
        "f1": lambda rows, p: f1_score(labels[rows], p[rows] >= 0.5, zero_division=0),
        "auc": lambda rows, p: roc_auc_score(labels[rows], p[rows]),
        "pr_auc": lambda rows, p: average_precision_score(labels[rows], p[rows]),
        "brier": lambda rows, p: brier_score_loss(labels[rows], p[rows]),
    }
    values = {name: [] for name in metrics}
    differences = {name: [] for name in metrics}
    for resample in range(resamples):
        drawn = np.random.RandomState(mix_seeds(seed, resample)).randint(0, posts, size=posts)
        rows = np.concatenate([np.flatnonzero(post == number) for number in drawn])
        for name, metric in metrics.items():
            one, other = metric(rows, probabilities), metric(rows, others)
            values[name].append(one)
            differences[name].append(one - other)
    bounds = lambda sample: np.percentile(sample, [2.5, 97.5]).tolist()
    return {
        "posts": post.tolist(), "labels": labels.tolist(), "probabilities": probabilities.tolist(),
        "predictions": predictions.tolist(), "others": others.tolist(), "seed": seed, "resamples": resamples,
        "intervals": {name: bounds(sample) for name, sample in values.items()},
        "differences": {name: bounds(sample) for name, sample in differences.items()},
    }


def mcnemar_case(b, c):
    return {"onlyFirst": b, "onlySecond": c, "p": float(mcnemar([[10, b], [c, 10]], exact=True).pvalue)}


target.write_text(json.dumps({
    "temperatures": [temperature_case(n, spread) for n, spread in [(30, 1.0), (80, 4.0), (80, 0.3)]],
    "thresholds": [threshold_case(n, decimals) for n, decimals in [(12, 1), (40, 2), (90, 6)]],
    "bootstrap": bootstrap_case(20, 4, 42, 200),
    "mcnemar": [mcnemar_case(b, c) for b, c in [(0, 0), (1, 0), (3, 9), (5, 5), (12, 30), (700, 810), (0, 40)]],
}) + "\n")
