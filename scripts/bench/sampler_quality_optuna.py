"""The Optuna side of scripts/bench/sampler_quality.ts: sampler_quality_optuna.py SEEDS TRIALS FUNCTION… prints JSON."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "tests", "oracles"))

import optuna
from studies_functions import FUNCTIONS

optuna.logging.set_verbosity(optuna.logging.ERROR)
seeds, trials = int(sys.argv[1]), int(sys.argv[2])
best = {}
for name in sys.argv[3:]:
    best[name] = []
    for seed in range(seeds):
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
        study.optimize(FUNCTIONS[name], n_trials=trials)
        best[name].append(study.best_value)
print(json.dumps(best))
