"""The Optuna column of scripts/bench/sampler.ts: sampler_optuna.py URL SAMPLER prints the timings as JSON."""

import json
import os
import random
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "tests", "oracles"))

import optuna
from studies_functions import space_a

optuna.logging.set_verbosity(optuna.logging.ERROR)
url, name = sys.argv[1:3]
samplers = {
    "TPE": lambda: optuna.samplers.TPESampler(seed=0),
    "TPE multivariate=false": lambda: optuna.samplers.TPESampler(seed=0, multivariate=False),
    "random": lambda: optuna.samplers.RandomSampler(seed=0),
}
start = time.perf_counter()
study = optuna.load_study(study_name="bench", storage=url, sampler=samplers[name]())
study.get_trials(deepcopy=False)
opened = time.perf_counter() - start
ask, tell = [], []
for i in range(50):
    if i == 25:
        cpu = time.process_time()
    start = time.perf_counter()
    trial = study.ask()
    space_a(trial)
    asked = time.perf_counter()
    study.tell(trial, random.random())
    if i >= 25:
        ask.append(asked - start)
        tell.append(time.perf_counter() - asked)
cpu = (time.process_time() - cpu) / 25
print(json.dumps({
    "openMs": opened * 1000, "askMs": statistics.median(ask) * 1000, "tellMs": statistics.median(tell) * 1000,
    "cpuMs": cpu * 1000,
}))
