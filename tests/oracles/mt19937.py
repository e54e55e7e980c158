"""Writes tests/fixtures/random/mt19937.json: draws of NumPy's legacy RandomState. Made with NumPy 2.4.6."""

import json
from pathlib import Path

import numpy as np

target = Path(__file__).parent.parent / "fixtures" / "random" / "mt19937.json"
cases = []
for seed in (0, 1, 42, 123456789, 2**32 - 1):
    bits = np.random.RandomState(seed)
    case = {"seed": seed, "uint32": [int(x) for x in bits.randint(0, 2**32, size=6, dtype=np.uint32)]}
    doubles = np.random.RandomState(seed)
    case["random"] = [float(x) for x in doubles.random_sample(400)][-5:]  # across the first refill at 624 words
    shuffles = np.random.RandomState(seed)
    case["shuffles"] = []
    for n in (1, 2, 5, 33, 64):
        array = np.arange(n)
        shuffles.shuffle(array)
        case["shuffles"].append(array.tolist())
    # legacy choice without replacement = the head of a permutation; what pandas' DataFrame.sample draws
    case["choice"] = np.random.RandomState(seed).choice(50, size=7, replace=False).tolist()
    long = np.arange(1000)
    np.random.RandomState(seed).shuffle(long)
    case["shuffle1000"] = {"head": long[:8].tolist(), "weighted": int((long * np.arange(1000)).sum())}
    cases.append(case)
target.parent.mkdir(parents=True, exist_ok=True)
target.write_text(json.dumps(cases) + "\n")
