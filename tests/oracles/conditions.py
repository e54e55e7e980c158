"""Writes tests/fixtures/studies/conditions.json: trials of a space with conditions, written in Optuna 5.0.0's own way.

    python tests/oracles/conditions.py

The space is that of tests/search/sampling_test.ts, where `when` takes the place of the ifs. Importances are PED-ANOVA's.
"""

import json
import os
import warnings

import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore")
OUT = os.path.join(os.path.dirname(__file__), "..", "fixtures", "studies", "conditions.json")


def objective(trial):
    loss = trial.suggest_categorical("loss", ["ce", "focal", "cb_focal"])
    value = {"ce": 0.3, "focal": 0.1, "cb_focal": 0.0}[loss]
    if loss in ("focal", "cb_focal"):
        value += 0.2 * (trial.suggest_float("gamma", 1, 3) - 1.7) ** 2
    agg = trial.suggest_categorical("agg", ["LSE", "top-m", "max"])
    value += {"LSE": 0.05, "top-m": 0.0, "max": 0.2}[agg]
    if agg in ("LSE", "top-m") and loss != "focal":
        value += 0.03 * abs(trial.suggest_int("top", 1, 8) - 5)
    return value + 0.1 * (trial.suggest_float("rate", 0, 1) - 0.4) ** 2


cases = []
for group in (False, True):
    for seed in (0, 1):
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True, group=group, constant_liar=True))
        study.optimize(objective, n_trials=40)
        importances = optuna.importance.get_param_importances(study, evaluator=optuna.importance.PedAnovaImportanceEvaluator())
        cases.append({"seed": seed, "group": group, "params": [trial.params for trial in study.trials],
                      "values": [trial.value for trial in study.trials], "importances": importances})
with open(OUT, "w") as file:
    json.dump(cases, file, separators=(",", ":"))
    file.write("\n")
