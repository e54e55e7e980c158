"""Does the real Optuna read, and continue, a database that was made here? Not part of the test suite: needs Optuna 5.0.0.

    deno run -A tests/oracles/studies_make.ts /tmp/made.db
    python tests/oracles/studies_check.py /tmp/made.db

or with two arguments, a file for what is expected and the address of an empty PostgreSQL database (psycopg2 is needed then):

    deno run -A tests/oracles/studies_make.ts /tmp/made postgresql://user:password@host/db
    python tests/oracles/studies_check.py /tmp/made postgresql://user:password@host/db

The first program makes a study of every kind of trial; this one loads it, compares it with what the first one wrote beside it as
JSON, computes importances, and continues it for ten trials with the same sampler; `studies_make.ts --continue` then takes over again.
"""

import json
import math
import os
import subprocess
import sys
import warnings

import optuna

from studies_functions import curve, run_space

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))


def objective(trial):
    value = run_space(trial)
    for step in range(1, 10):
        trial.report(curve(value, trial.number, step), step)
        if trial.should_prune():
            raise optuna.TrialPruned()
    return value


def load(url):
    storage = optuna.storages.RDBStorage(url, heartbeat_interval=60)
    return optuna.load_study(
        study_name="made here", storage=storage, sampler=optuna.samplers.TPESampler(seed=11),
        pruner=optuna.pruners.HyperbandPruner(min_resource=1, max_resource=9, reduction_factor=3),
    )


def same(a, b):
    if isinstance(b, str) and b in ("inf", "-inf", "nan"):
        return str(a) == b
    return a == b


def main(path, url):
    with open(path + ".json") as file:
        expected = json.load(file)
    study = load(url)
    trials = study.trials
    assert len(trials) == len(expected["trials"]), (len(trials), len(expected["trials"]))
    for trial, other in zip(trials, expected["trials"]):
        assert (trial.number, trial.state.name) == (other["number"], other["state"]), (trial, other)
        assert same(trial.value, other["value"]), (trial.value, other["value"])
        assert list(trial.params.items()) == list(other["params"].items()), (trial.params, other["params"])
        assert trial.user_attrs == other["userAttrs"], (trial.user_attrs, other["userAttrs"])
        reports = {str(k): v for k, v in trial.intermediate_values.items()}
        assert reports.keys() == other["reports"].keys()
        assert all(same(reports[k], v) for k, v in other["reports"].items())
    print(f"read: {len(trials)} trials, states {''.join(t.state.name[0] for t in trials)}")
    assert study.best_trial.number == expected["best"]
    finite = study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
    importances = optuna.importance.get_param_importances(study)
    for name, value in expected["importances"].items():
        assert abs(importances[name] - value) < 1e-9, (name, importances, expected["importances"])
    print(f"best {study.best_value:.4f}, importances of {len(finite)} COMPLETE trials agree: {importances}")

    # What Optuna would do with the very same history and a fresh stream …
    memory = optuna.create_study(
        study_name="made here", sampler=optuna.samplers.TPESampler(seed=11),
        pruner=optuna.pruners.HyperbandPruner(min_resource=1, max_resource=9, reduction_factor=3),
    )
    for trial in trials:
        memory.add_trial(trial)
    memory.optimize(objective, n_trials=10)
    # … is what it does on the file.
    study.optimize(objective, n_trials=10)
    for a, b in zip(memory.trials[-9:], study.trials[-9:]):
        assert a.params == b.params and a.value == b.value, (a, b)
    numbers = [t.number for t in study.trials]
    assert numbers == list(range(len(numbers))), numbers
    print(f"continued by Optuna to {len(numbers)} trials")

    subprocess.run(["deno", "run", "-A", os.path.join(HERE, "studies_make.ts"), path, url, "--continue"], check=True)
    after = load(url).trials
    assert [t.number for t in after] == list(range(len(numbers) + 10))
    assert all(t.state.is_finished() for t in after[-10:])
    print(f"continued here to {len(after)} trials; best {min(t.value for t in after if t.state.name == 'COMPLETE'):.4f}")


main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "sqlite:///" + sys.argv[1])
