"""What optuna.visualization computes for its charts: tests/fixtures/studies/charts.json, for tests/report/study_charts_test.ts.

    python tests/oracles/study_charts.py
"""

import datetime
import json
import math
import pathlib

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial
from optuna.visualization._contour import _get_contour_info
from optuna.visualization._edf import _get_edf_info
from optuna.visualization._rank import _get_order_with_same_order_averaging
from optuna.visualization._timeline import _get_timeline_info

TARGET = pathlib.Path(__file__).parent.parent / "fixtures/studies/charts.json"
START = datetime.datetime(2026, 1, 1)
RATE = FloatDistribution(1e-5, 1e-1, log=True)
LAYERS = IntDistribution(1, 4)
KIND = CategoricalDistribution(["linear", "cosine", "constant"])


def make(direction: str) -> optuna.Study:
    """Equal values, an infinite one, constraints, trials without a parameter, failed and long dead running ones."""
    study = optuna.create_study(study_name=direction, direction=direction)
    rng = np.random.default_rng(3)
    for i in range(24):
        distributions = {"rate": RATE, "layers": LAYERS, "kind": KIND}
        params = {
            "rate": float(10 ** rng.uniform(-5, -1)) if i % 4 else 1e-3,
            "layers": int(rng.integers(1, 5)),
            "kind": ["linear", "cosine", "constant"][rng.integers(3)],
        }
        if i % 5 == 0:
            del distributions["layers"], params["layers"]
        state = [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING][
            0 if i % 8 < 5 or i == 7 else 1 if i % 8 == 5 else 2 if i != 15 else 3
        ]
        value = math.inf if i == 3 else 0.5 if i % 6 == 0 else float(rng.uniform())
        trial = create_trial(
            state=state,
            value=value if state == TrialState.COMPLETE else None,
            params=params,
            distributions=distributions,
            system_attrs={"constraints": [1.0 if i == 9 else -1.0]},
        )
        begun = START + datetime.timedelta(minutes=2 * i)
        trial.datetime_start = begun
        trial.datetime_complete = (
            None if state == TrialState.RUNNING else begun + datetime.timedelta(seconds=30 + 5 * i)
        )
        study.add_trial(trial)
    return study


def milliseconds(time: datetime.datetime) -> float:
    return time.replace(tzinfo=datetime.timezone.utc).timestamp() * 1000


def described(study: optuna.Study) -> dict:
    trials = study.get_trials()
    complete = [t for t in trials if t.state == TrialState.COMPLETE and math.isfinite(t.value)]
    edf = _get_edf_info(study)
    ranks = _get_order_with_same_order_averaging(np.array([t.value for t in complete])) / (len(complete) - 1)
    contours = []
    for x, y in [("rate", "layers"), ("kind", "rate")]:
        # Asked for in the order of their names.
        names = sorted([x, y])
        [[info]] = _get_contour_info(study, names).sub_plot_infos
        contours.append({
            "x": names[0],
            "y": names[1],
            "cells": [
                [info.xaxis.indices[i], info.yaxis.indices[j], value] for (i, j), value in info.z_values.items()
            ],
        })
    return {
        "direction": study.direction.name.lower(),
        "trials": [
            {
                "state": t.state.name,
                "value": None if t.value is None else repr(t.value),
                "params": t.params,
                "infeasible": any(c > 0 for c in t.constraints.values()),
                "start": milliseconds(t.datetime_start),
                "complete": None if t.datetime_complete is None else milliseconds(t.datetime_complete),
            }
            for t in trials
        ],
        "edf": {"x": list(edf.x_values), "y": list(edf.lines[0].y_values)},
        "ranks": {"numbers": [t.number for t in complete], "shares": list(ranks)},
        "contours": contours,
        "timeline": [
            {
                "number": bar.number,
                "start": milliseconds(bar.start),
                "end": milliseconds(bar.complete),
                "kind": "INFEASIBLE" if bar.infeasible and bar.state == TrialState.COMPLETE else bar.state.name,
            }
            for bar in _get_timeline_info(study).bars
        ],
    }


TARGET.write_text(json.dumps([described(make(direction)) for direction in ("minimize", "maximize")], indent=1) + "\n")
