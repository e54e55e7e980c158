"""The benchmark functions of the studies' tests and measurements (tests/studies/functions.ts computes the same)."""

import math

HARTMANN_A = [
    [10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14],
]
HARTMANN_P = [
    [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886], [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
    [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650], [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
]


def space_a(trial):
    lr = trial.suggest_float("learning_rate", 1e-6, 5e-5, log=True)
    bs = trial.suggest_categorical("target_effective_batch_size", [16, 32, 64, 128, 256])
    scheduler = trial.suggest_categorical("scheduler_type", ["linear", "cosine", "cosine_with_restarts"])
    wd = trial.suggest_float("weight_decay", 0.0, 0.1)
    warmup = trial.suggest_float("warmup_ratio", 0.0, 0.2)
    cd = trial.suggest_float("classifier_dropout", 0.1, 0.5)
    hd = trial.suggest_float("hidden_dropout", 0.0, 0.3)
    ad = trial.suggest_float("attention_dropout", 0.0, 0.3)
    gamma = trial.suggest_categorical("focal_gamma", [1, 2, 3])
    return dict(
        x=math.log(lr / 1e-6) / math.log(50), b=(math.log2(bs) - 4) / 4, w=wd / 0.1, u=warmup / 0.2,
        c=(cd - 0.1) / 0.4, h=hd / 0.3, t=ad / 0.3, g=(gamma - 1) / 2,
        s={"linear": 0.03, "cosine": 0.0, "cosine_with_restarts": 0.05}[scheduler],
    )


def a1(trial):
    p = space_a(trial)
    return (
        1.2 * (p["x"] - 0.72) ** 2 + 0.25 * (p["b"] - 0.25) ** 2 + p["s"] + 0.15 * (p["w"] - 0.3) ** 2
        + 0.2 * (p["u"] - 0.5) ** 2 + 0.1 * (p["c"] - 0.4) ** 2 + 0.3 * (p["h"] - 0.33) ** 2
        + 0.3 * (p["t"] - 0.25) ** 2 + 0.1 * (p["g"] - 0.5) ** 2
    )


def a2(trial):
    p = space_a(trial)
    q = (
        2 * (p["x"] - 0.45 - 0.35 * p["b"]) ** 2 + 0.8 * (p["u"] - 0.2 - 0.4 * p["x"]) ** 2
        + 0.6 * (p["h"] + p["t"] - 0.5) ** 2 + 0.3 * (p["h"] - p["t"]) ** 2 + 0.2 * (p["w"] - 0.5 * p["g"]) ** 2
        + 0.2 * (p["c"] - 0.25) ** 2 + 0.1 * (p["b"] - 0.5) ** 2 + 2 * p["s"] + 0.05 * p["g"]
    )
    return 1 - math.exp(-q)


def branin(trial):
    x = trial.suggest_float("x", -5, 10)
    y = trial.suggest_float("y", 0, 15)
    return (
        (y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6) ** 2
        + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10
    )


def hartmann6(trial):
    x = [trial.suggest_float(f"x{i}", 0, 1) for i in range(6)]
    return -sum(
        alpha * math.exp(-sum(a * (v - p) ** 2 for a, p, v in zip(HARTMANN_A[i], HARTMANN_P[i], x)))
        for i, alpha in enumerate([1.0, 1.2, 3.0, 3.2])
    )


def conditional(trial):
    lr = trial.suggest_float("lr", 1e-5, 1e-1, log=True)
    f = 0.25 * (math.log10(lr) + 3) ** 2
    if not trial.suggest_categorical("aug_enable", [True, False]):
        return f + 0.12
    p = trial.suggest_float("aug_prob", 0, 1)
    best, cost = {"synonym": (0.30, 0.05), "backtranslation": (0.65, 0.0), "mixup": (0.50, 0.08)}[
        trial.suggest_categorical("aug_method", ["synonym", "backtranslation", "mixup"])
    ]
    return f + 0.6 * (p - best) ** 2 + cost


def steps(trial):
    a = trial.suggest_float("a", 0, 1, step=0.05)
    n = trial.suggest_int("n", 1, 12)
    m = trial.suggest_int("m", 4, 512, log=True)
    k = trial.suggest_int("k", 0, 100, step=10)
    x = trial.suggest_float("x", -1, 1)
    return (a - 0.35) ** 2 + 0.01 * (n - 7) ** 2 + 0.1 * (math.log2(m) - 6) ** 2 + 0.001 * abs(k - 40) + 0.5 * (x - 0.2) ** 2


def run_space(trial):
    """The space of the committed database."""
    lr = trial.suggest_float("lr", 1e-6, 5e-5, log=True)
    layers = trial.suggest_int("layers", 1, 6)
    drop = trial.suggest_float("drop", 0, 0.3, step=0.05)
    kind = trial.suggest_categorical("kind", ["linear", None, True, 2.5])
    return (math.log10(lr) + 5) ** 2 + 0.1 * abs(layers - 3) + drop + {"linear": 0.0, None: 0.1, True: 0.2}.get(kind, 0.3)


def curve(value, number, step):
    """A learning curve towards `value` with a wobble that depends on the trial."""
    return value + 0.3 * ((number * 7919 + step * 104729) % 101) / 101 / step


FUNCTIONS = dict(a1=a1, a2=a2, branin=branin, hartmann6=hartmann6, conditional=conditional, steps=steps)
