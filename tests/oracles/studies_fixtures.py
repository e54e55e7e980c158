"""Writes tests/fixtures/studies/*: what Optuna 5.0.0 (Python 3.11, NumPy 2.4, SciPy 1.17) proposes, decides and stores.

    python tests/oracles/studies_fixtures.py

Observations that are equal (integers, steps) are ordered by NumPy's unstable sort in an order that depends on the CPU;
for the fixtures the Parzen estimator gets a stable sort.
"""

import copy
import json
import math
import os
import shutil
import sqlite3
import warnings

import mpmath
import numpy as np
import optuna
from optuna.samplers._tpe import parzen_estimator

from studies_functions import FUNCTIONS, curve, run_space

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore")
OUT = os.path.join(os.path.dirname(__file__), "..", "fixtures", "studies")


class StableNumpy:
    """NumPy with a stable argsort, for the module that computes the bandwidths."""

    def __getattr__(self, name):
        return getattr(np, name)

    @staticmethod
    def argsort(a):
        return np.argsort(a, kind="stable")


parzen_estimator.np = StableNumpy()


def write(name, data):
    with open(os.path.join(OUT, name), "w") as file:
        json.dump(data, file, indent=None, separators=(",", ":"))
        file.write("\n")


def summary(study):
    """Values and states of all trials; the parameters of a few."""
    trials = study.trials
    picked = sorted({0, 10, len(trials) - 1})
    return {
        "values": [t.value if t.value is None or math.isfinite(t.value) else str(t.value) for t in trials],
        "states": "".join(t.state.name[0] for t in trials),
        "params": {str(i): trials[i].params for i in picked},
        "rungs": {
            str(t.number): {k: v for k, v in t.system_attrs.items() if k.startswith("completed_rung")}
            for t in trials
            if any(k.startswith("completed_rung") for k in t.system_attrs)
        },
    }


def make_study(sampler, direction="minimize", pruner=None, name="study"):
    return optuna.create_study(sampler=sampler, direction=direction, pruner=pruner, study_name=name)


def plain(name, seed, n, **options):
    study = make_study(optuna.samplers.TPESampler(seed=seed, **options))
    study.optimize(FUNCTIONS[name], n_trials=n)
    return study


def with_pruner(name, seed, n, pruner, direction):
    """Reports the curve of the function's value over nine steps, as long as the pruner lets it."""
    study = make_study(optuna.samplers.TPESampler(seed=seed), direction, pruner)

    def objective(trial):
        value = FUNCTIONS[name](trial)
        if direction == "maximize":
            value = -value
        for step in range(1, 10):
            trial.report(curve(value, trial.number, step), step)
            if trial.should_prune():
                raise optuna.TrialPruned()
        return value

    study.optimize(objective, n_trials=n)
    return study


def infeasible(seed, n):
    study = make_study(optuna.samplers.TPESampler(seed=seed))

    def objective(trial):
        value = FUNCTIONS["branin"](trial)
        trial.set_constraint("sum", trial.params["x"] + trial.params["y"] - 6)
        trial.set_constraint("y", 1 - trial.params["y"])
        return value

    study.optimize(objective, n_trials=n)
    return study


def running(name, seed, n):
    """Four trials are always running: the oldest is told when a new one has been asked for."""
    study = make_study(optuna.samplers.TPESampler(seed=seed))
    queue = []
    for i in range(n):
        trial = study.ask()
        queue.append((trial, FUNCTIONS[name](trial)))
        if len(queue) == 4:
            oldest, value = queue.pop(0)
            if oldest.number % 7 == 5:
                study.tell(oldest, state=optuna.trial.TrialState.FAIL)
            else:
                study.tell(oldest, value)
    return study


def enqueued(seed, n):
    study = make_study(optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial({"x": 1.5, "y": 2.0})
    study.enqueue_trial({"x": -2.0})
    study.optimize(FUNCTIONS["branin"], n_trials=n // 2)
    study.enqueue_trial({"y": 3.25})
    study.optimize(FUNCTIONS["branin"], n_trials=n - n // 2)
    return study


def suggestions():
    cases = []

    def add(study, **case):
        cases.append({**case, **summary(study)})

    for name in ["a1", "a2", "branin", "hartmann6", "conditional"]:
        for seed in [0, 1, 2]:
            add(plain(name, seed, 60), kind="plain", function=name, seed=seed)
    for seed in [0, 1]:
        add(plain("steps", seed, 60), kind="plain", function="steps", seed=seed)
        add(
            plain("conditional", seed, 60, multivariate=True, group=True),
            kind="plain", function="conditional", seed=seed, options={"group": True},
        )
        for name in ["hartmann6", "conditional"]:
            add(
                plain(name, seed, 60, multivariate=False),
                kind="plain", function=name, seed=seed, options={"multivariate": False},
            )
        for direction in ["minimize", "maximize"]:
            pruner = optuna.pruners.HyperbandPruner(min_resource=1, max_resource=9, reduction_factor=3)
            add(
                with_pruner("a1", seed, 60, pruner, direction),
                kind="hyperband", function="a1", seed=seed, direction=direction,
            )
        add(infeasible(seed, 60), kind="infeasible", function="branin", seed=seed)
        add(running("branin", seed, 60), kind="running", function="branin", seed=seed)
        add(running("conditional", seed, 60), kind="running", function="conditional", seed=seed)
        add(enqueued(seed, 40), kind="enqueued", function="branin", seed=seed)
        study = make_study(optuna.samplers.RandomSampler(seed=seed))
        study.optimize(FUNCTIONS["steps"], n_trials=20)
        add(study, kind="random", function="steps", seed=seed)
    write("suggestions.json", cases)


def pruners():
    P = optuna.pruners
    settings = [
        ("hyperband", {}, P.HyperbandPruner()),
        ("hyperband", {"maxResource": 9, "reductionFactor": 2}, P.HyperbandPruner(1, 9, 2)),
        ("hyperband", {"maxResource": 9, "reductionFactor": 3, "bootstrapCount": 3}, P.HyperbandPruner(1, 9, 3, 3)),
        ("halving", {}, P.SuccessiveHalvingPruner()),
        ("halving", {"minResource": 2, "reductionFactor": 2, "minEarlyStoppingRate": 1, "bootstrapCount": 2},
         P.SuccessiveHalvingPruner(2, 2, 1, 2)),
        ("halving", {"minResource": "auto", "reductionFactor": 2}, P.SuccessiveHalvingPruner("auto", 2)),
        ("median", {}, P.MedianPruner()),
        ("median", {"nStartupTrials": 2, "nWarmupSteps": 3, "intervalSteps": 2, "nMinTrials": 3},
         P.MedianPruner(2, 3, 2, n_min_trials=3)),
    ]
    cases = []
    for kind, options, pruner in settings:
        for direction in ["minimize", "maximize"]:
            study = make_study(optuna.samplers.RandomSampler(seed=5), direction, copy.deepcopy(pruner), "pruned study")

            def objective(trial):
                x = trial.suggest_float("x", 0, 1)
                for step in range(1, 10):
                    nan = trial.number % 11 == 7 and step % 3 == 0
                    trial.report(math.nan if nan else curve(x, trial.number, step), step)
                    if trial.should_prune():
                        raise optuna.TrialPruned()
                return x

            study.optimize(objective, n_trials=50)
            cases.append({
                "kind": kind, "options": options, "direction": direction,
                "lastSteps": [t.last_step for t in study.trials],
                **{k: v for k, v in summary(study).items() if k in ("states", "rungs")},
            })
    brackets = []
    for minimum, maximum, eta in [(1, 9, 3), (1, 27, 3), (1, 81, 3), (1, 243, 3), (1, 64, 2), (1, 1000, 10), (1, 40, 4)]:
        pruner = optuna.pruners.HyperbandPruner(minimum, maximum, eta)
        study = make_study(None, name="study")
        pruner._try_initialization(study)
        trials = [optuna.create_trial(value=0.0) for _ in range(30)]
        ids = []
        for number, trial in enumerate(trials):
            trial.number = number
            ids.append(pruner._get_bracket_id(study, trial))
        brackets.append({"resources": [minimum, maximum, eta], "budgets": pruner._trial_allocation_budgets, "ids": ids})
    write("pruners.json", {"runs": cases, "brackets": brackets})


def numerics():
    mpmath.mp.dps = 50

    def ndtr(x):
        return mpmath.erfc(-mpmath.mpf(x) / mpmath.sqrt(2)) / 2

    points = [-1e5, -3e3, -300, -60, -37.7, -20.5, -20, -19.5, -12, -8, -5.5, -3, -1.5, -0.7, -1e-3, 0, 1e-9, 0.4, 1, 2.5,
              5, 6.5, 8]
    masses = [(-1e4, -9e3), (-60, -59.5), (-40, 3), (-8.5, -8.4), (-3, -1), (-1, 1), (-1e-3, 2e-3), (0.5, 0.6), (3, 9),
              (20, 21), (100, 101), (-300, 300), (-0.001, 45)]
    quantiles = []
    for a, b in masses:
        for q in [1e-12, 0.01, 0.37, 0.5, 0.93, 1 - 1e-9]:
            # Solved in the tail where the numbers are small.
            flip = a > 0 or (b > 0 and q > 0.5)
            lo, hi, p = (-b, -a, mpmath.mpf(1) - mpmath.mpf(q)) if flip else (a, b, mpmath.mpf(q))
            target = ndtr(lo) + p * (ndtr(hi) - ndtr(lo))
            left, right = mpmath.mpf(lo), mpmath.mpf(hi)
            for _ in range(200):
                middle = (left + right) / 2
                if ndtr(middle) < target:
                    left = middle
                else:
                    right = middle
            quantiles.append([q, a, b, float(-left if flip else left)])
    write("numerics.json", {
        "erf": [[x, float(mpmath.erf(x)), float(mpmath.erfc(x))]
                for x in [-7, -3, -1.3, -0.9, -0.3, 0, 1e-20, 1e-5, 0.2, 0.5, 0.85, 1.1, 1.3, 2, 2.9, 5, 9, 20, 26]],
        "logNdtr": [[x, float(mpmath.log(ndtr(x)))] for x in points],
        "logMass": [[a, b, float(mpmath.log(ndtr(-a) - ndtr(-b) if a > 0 else ndtr(b) - ndtr(a)))] for a, b in masses],
        "quantile": quantiles,
    })


def distributions():
    D = optuna.distributions
    made = [
        D.FloatDistribution(1e-6, 5e-5, log=True), D.FloatDistribution(0, 0.3, step=0.05),
        D.FloatDistribution(0, 1, step=0.3), D.FloatDistribution(-0.1, 0.75, step=0.1),
        D.FloatDistribution(1e-3, 1e16), D.FloatDistribution(0.1, 0.1), D.FloatDistribution(1e-5, 123456.75),
        D.FloatDistribution(0, 1, step=1e-7), D.FloatDistribution(0.1, 0.7, step=0.2),
        D.IntDistribution(1, 12), D.IntDistribution(1, 10, step=4), D.IntDistribution(2, 256, log=True),
        D.CategoricalDistribution(["a", None, True, 1.5]), D.CategoricalDistribution(["é", "\U0001f600", '"\\\n']),
    ]
    write("distributions.json", [
        {"json": D.distribution_to_json(d), "single": d.single(),
         "high": getattr(d, "high", None), "contains": [bool(d._contains(v)) for v in (0, 0.1, 0.3, 1, 5, 0.30000000000000004)]}
        for d in made
    ])


def database():
    """A study by Optuna with one trial of every kind, and what Optuna itself does when it continues it."""
    path = os.path.join(OUT, "optuna.db")
    for old in [path, path + "-wal", path + "-shm"]:
        if os.path.exists(old):
            os.remove(old)
    study = optuna.create_study(
        study_name="by optuna", storage="sqlite:///" + path, direction="minimize",
        sampler=optuna.samplers.TPESampler(seed=3),
        pruner=optuna.pruners.HyperbandPruner(min_resource=1, max_resource=9, reduction_factor=3),
    )
    study.set_user_attr("note", {"text": "é", "nan": math.nan, "list": [1, 2.5, None]})

    def objective(trial):
        value = run_space(trial)
        trial.set_user_attr("number squared", trial.number**2)
        if trial.number == 4:
            return math.nan
        for step in range(1, 4):
            trial.report(math.inf if trial.number == 6 else curve(value, trial.number, step), step)
            if trial.should_prune():
                raise optuna.TrialPruned()
        return -math.inf if trial.number == 8 else value

    study.optimize(objective, n_trials=14)
    left = study.ask()
    run_space(left)
    study.enqueue_trial({"lr": 3e-5, "layers": 3})
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA page_size = 512")
    connection.execute("VACUUM")
    connection.close()

    target = "/tmp/entail-optuna-copy.db"
    shutil.copy(path, target)
    resumed = optuna.load_study(
        study_name="by optuna", storage="sqlite:///" + target, sampler=optuna.samplers.TPESampler(seed=7),
        pruner=optuna.pruners.NopPruner(),
    )
    resumed.optimize(run_space, n_trials=6)
    write("optuna_db.json", {
        "trials": [
            {
                "number": t.number, "state": t.state.name, "value": str(t.value), "params": t.params,
                "reports": {str(k): str(v) for k, v in t.intermediate_values.items()}, "userAttrs": t.user_attrs,
                "start": t.datetime_start and t.datetime_start.isoformat(timespec="milliseconds"),
            }
            for t in study.trials
        ],
        "best": study.best_trial.number,
        "continued": [{"params": t.params, "value": t.value} for t in resumed.trials[15:]],
    })


def importances():
    cases = []
    for name, seed, options in [("a1", 0, {}), ("branin", 1, {}), ("conditional", 2, {}), ("steps", 0, {})]:
        study = plain(name, seed, 60, **options)
        cases.append({"function": name, "seed": seed, "importances": optuna.importance.get_param_importances(study)})
    write("importances.json", cases)


def parzen():
    """Log densities of mixtures over every kind of domain, at points drawn uniformly."""
    D = optuna.distributions
    space = {
        "float": D.FloatDistribution(-1, 2), "log": D.FloatDistribution(1e-6, 1e-2, log=True),
        "step": D.FloatDistribution(0, 1, step=0.25), "int": D.IntDistribution(1, 12),
        "intlog": D.IntDistribution(2, 200, log=True), "kind": D.CategoricalDistribution(["a", "b", "c"]),
    }
    rng = np.random.RandomState(0)

    def draw(distribution, n):
        if isinstance(distribution, D.CategoricalDistribution):
            return rng.randint(0, 3, n).astype(float)
        if distribution.log:
            values = np.exp(rng.uniform(np.log(distribution.low), np.log(distribution.high), n))
            return np.round(values) if isinstance(distribution, D.IntDistribution) else values
        if distribution.step is not None:
            steps = int((distribution.high - distribution.low) / distribution.step)
            return distribution.low + float(distribution.step) * rng.randint(0, steps + 1, n)
        return rng.uniform(distribution.low, distribution.high, n)

    parameters = parzen_estimator._ParzenEstimatorParameters(
        1.0, True, False, optuna.samplers._tpe.sampler.default_weights, True
    )
    cases = []
    for names in [list(space)] + [[name] for name in space]:
        for n in [0, 1, 2, 5, 40]:
            chosen = {name: space[name] for name in names}
            observed = {name: draw(d, n) for name, d in chosen.items()}
            points = {name: draw(d, 4) for name, d in chosen.items()}
            estimator = parzen_estimator._ParzenEstimator(observed, chosen, parameters)
            cases.append({
                "distributions": {name: D.distribution_to_json(d) for name, d in chosen.items()},
                "observed": [list(observed[name]) for name in names],
                "points": [list(points[name]) for name in names],
                "logDensity": list(estimator.log_pdf(points)),
            })
    write("parzen.json", cases)


if __name__ == "__main__":
    os.makedirs(OUT, exist_ok=True)
    suggestions()
    pruners()
    numerics()
    distributions()
    database()
    importances()
    parzen()
