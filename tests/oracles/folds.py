"""Writes tests/fixtures/dataset/folds.json: test folds of scikit-learn's splitters. Made with scikit-learn 1.9.1, NumPy 2.4.6.

Labels and folds are strings of digits (base 36), group names are "g<number>" with numbers in base 36, comma separated.
"""

import json
import warnings
from pathlib import Path

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

warnings.simplefilter("ignore")
target = Path(__file__).parent.parent / "fixtures" / "dataset" / "folds.json"
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def folds_of(splitter, labels, groups):
    folds = np.full(len(labels), -1)
    for k, (_, test) in enumerate(splitter.split(np.zeros(len(labels)), labels, groups)):
        folds[test] = k
    assert (folds >= 0).all()
    return "".join(DIGITS[f] for f in folds)


def group_case(labels, groups, n_splits, seed):
    names = [f"g{g}" for g in groups]
    splitter = StratifiedGroupKFold(n_splits, shuffle=True, random_state=seed)
    return {
        "labels": "".join(DIGITS[c] for c in labels),
        "groups": ",".join(names),
        "nSplits": n_splits,
        "seed": seed,
        "folds": folds_of(splitter, np.array(labels), np.array(names)),
    }


grouped = [group_case([0, 0, 1, 1, 0, 1, 2, 2, 0, 1, 0, 2, 1, 0, 2, 0], list("aabbccddeeffgghh"), 5, 42)]
rng = np.random.RandomState(7)
while len(grouped) < 100:
    classes = int(rng.choice([1, 2, 2, 2, 3, 5, 7, 8, 9, 12, 17, 20]))
    n_groups = int(rng.randint(5, 60))
    n_splits = int(rng.choice([2, 3, 5, 5, 8, 10]))
    rows = int(rng.randint(n_groups, n_groups * 5))
    if n_splits > n_groups:
        continue
    groups = np.concatenate([np.arange(n_groups), rng.randint(0, n_groups, rows - n_groups)])
    rng.shuffle(groups)
    weights = rng.dirichlet(np.full(classes, 1.0))
    labels = rng.choice(classes, size=rows, p=weights)
    labels = np.unique(labels, return_inverse=True)[1]
    try:
        grouped.append(group_case(labels.tolist(), groups.tolist(), n_splits, int(rng.choice([0, 1, 42, 12345]))))
    except ValueError:
        continue
# What the program itself splits: posts by nine criteria, few positives.
for n_posts, seed in ((60, 42), (100, 1)):
    labels = (rng.random_sample(n_posts * 9) < 0.12).astype(int)
    grouped.append(group_case(labels.tolist(), np.repeat(rng.permutation(n_posts), 9).tolist(), 5, seed))

plain = []
for _ in range(24):
    classes = int(rng.choice([2, 2, 3, 6]))
    labels = np.unique(rng.choice(classes, size=int(rng.randint(30, 150))), return_inverse=True)[1]
    n_splits, seed = int(rng.choice([2, 3, 5, 7])), int(rng.choice([0, 1, 42]))
    splitter = StratifiedKFold(n_splits, shuffle=True, random_state=seed)
    plain.append({
        "labels": "".join(DIGITS[c] for c in labels),
        "nSplits": n_splits,
        "seed": seed,
        "folds": folds_of(splitter, labels, None),
    })
target.parent.mkdir(parents=True, exist_ok=True)
target.write_text(json.dumps({"grouped": grouped, "plain": plain}, indent=0) + "\n")
