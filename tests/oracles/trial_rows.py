"""Writes tests/fixtures/studies/trial_rows.json: tables of trials, and which queued trials are there already, by Optuna 5.0.0.

    python tests/oracles/trial_rows.py
"""

import json
import math
import os
import shutil
import tempfile
import warnings

import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore")
HERE = os.path.join(os.path.dirname(__file__), "..", "fixtures", "studies")

# Parameters of a study's trials, and of one to be queued.
REPEATS = [
    ([{"x": 1.5}], {"x": 1.5}),
    ([{"x": 1.5}], {"x": 1.5 * (1 + 9e-6)}),
    ([{"x": 1.5}], {"x": 1.5 * (1 + 2e-5)}),
    ([{"x": 0.0}], {"x": 1e-12}),
    ([{"x": 1.5, "y": "a"}], {"x": 1.5}),
    ([{"x": 1.5}], {"x": 1.5, "y": "a"}),
    ([{"x": 2.5}, {"y": "a", "x": 1.5}], {"x": 1.5, "y": "a"}),
    ([{"x": "a"}], {"x": "b"}),
    ([{"x": None}], {"x": None}),
    ([{"x": None}], {"x": 5}),
    ([{"x": 1}], {"x": True}),
    ([{"x": True}], {"x": 1}),
    ([{"x": "1"}], {"x": 1}),
    ([], {"x": 1}),
]


def cell(value):
    if hasattr(value, "total_seconds"):
        value = value.total_seconds()
    elif hasattr(value, "isoformat"):
        value = value.isoformat(timespec="milliseconds") + "Z"
    return None if value is None or value != value else value if not isinstance(value, float) or math.isfinite(value) else str(value)


def rows(study):
    table = study.trials_dataframe().astype(object)
    return [{column: cell(row[column]) for column in table.columns} for _, row in table.iterrows()]


def queued(before, params):
    study = optuna.create_study()
    for each in before:
        study.enqueue_trial(each)
    study.enqueue_trial(params, skip_if_exists=True)
    return len(study.trials) == len(before)


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = shutil.copy(os.path.join(HERE, "optuna.db"), folder)
        study = optuna.load_study(study_name=None, storage="sqlite:///" + path)
        plain = rows(study)
        study.set_metric_names(["F1"])
        named = list(study.trials_dataframe().columns)
    repeats = [{"before": before, "params": params, "skipped": queued(before, params)} for before, params in REPEATS]
    with open(os.path.join(HERE, "trial_rows.json"), "w") as file:
        json.dump({"rows": plain[:12] + plain[-2:], "columns": list(plain[0]), "named": named, "repeats": repeats}, file)
        file.write("\n")


main()
