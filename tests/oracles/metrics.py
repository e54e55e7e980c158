"""Writes tests/fixtures/evaluation/metrics.json: binary metrics. Made with scikit-learn 1.9.1, NumPy 2.4.6."""

import json
import warnings
from pathlib import Path

import numpy as np
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    accuracy_score, average_precision_score, brier_score_loss, confusion_matrix, f1_score, precision_score,
    recall_score, roc_auc_score,
)

warnings.simplefilter("ignore")
target = Path(__file__).parent.parent / "fixtures" / "evaluation" / "metrics.json"
rng = np.random.RandomState(3)


def calibration_error(labels, scores, bins=15):
    """Over scikit-learn's reliability curve, whose bins are (0, 1/15], …"""
    share, mean = calibration_curve(labels, scores, n_bins=bins)
    inside = np.bincount(np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], scores), minlength=bins)
    return float(np.sum(inside[inside > 0] / len(labels) * np.abs(share - mean)))


def case(labels, scores, threshold):
    labels, scores = np.array(labels), np.array(scores)
    predicted = (scores >= threshold).astype(int)
    tn, fp, fn, tp = confusion_matrix(labels, predicted, labels=[0, 1]).ravel().tolist()
    both = len(set(labels.tolist())) == 2
    return {
        "labels": labels.tolist(),
        "scores": scores.tolist(),
        "threshold": threshold,
        "expected": {
            "count": len(labels),
            "f1": f1_score(labels, predicted, zero_division=0),
            "precision": precision_score(labels, predicted, zero_division=0),
            "recall": recall_score(labels, predicted, zero_division=0),
            "accuracy": accuracy_score(labels, predicted),
            "auc": float(roc_auc_score(labels, scores)) if both else None,
            "pr_auc": float(average_precision_score(labels, scores)) if labels.any() else None,
            "ece": calibration_error(labels, scores),
            "brier": float(brier_score_loss(labels, scores, labels=[0, 1])),
            "truePositives": tp, "falsePositives": fp, "trueNegatives": tn, "falseNegatives": fn,
        },
    }


cases = [
    case([0, 0, 0], [0.1, 0.2, 0.3], 0.5),
    case([1, 1, 1], [0.1, 0.9, 0.6], 0.5),
    case([0, 1], [0.5, 0.5], 0.5),
    case([1, 0, 1, 0], [0.9, 0.8, 0.1, 0.2], 0.95),
]
for n in (5, 17, 60, 200):
    for decimals in (1, 2, 9):
        labels = (rng.random_sample(n) < 0.3).astype(int)
        scores = np.clip(rng.random_sample(n) * 0.7 + labels * 0.2, 0, 1).round(decimals)
        cases.append(case(labels.tolist(), scores.tolist(), float(rng.choice([0.3, 0.5, 0.7]))))
values = rng.random_sample(5).tolist()
target.parent.mkdir(parents=True, exist_ok=True)
spread = {"values": values, "mean": float(np.mean(values)), "std": float(np.std(values))}
target.write_text(json.dumps({"cases": cases, "spread": spread}) + "\n")
