/** The benchmark functions of tests/oracles/studies_functions.py. */

import type { Trial } from "../../src/studies/trial.ts";

export type BenchmarkFunction = (trial: Trial) => number;

const HARTMANN_A = [
  [10, 3, 17, 3.5, 1.7, 8],
  [0.05, 10, 17, 0.1, 8, 14],
  [3, 3.5, 1.7, 10, 17, 8],
  [17, 8, 0.05, 10, 0.1, 14],
];
const HARTMANN_P = [
  [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
  [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
  [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
  [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
];

/** The nine parameters of space A, scaled to about [0, 1]. */
export function spaceA(trial: Trial) {
  const lr = trial.suggestFloat("learning_rate", 1e-6, 5e-5, { log: true });
  const bs = trial.suggestCategorical("target_effective_batch_size", [16, 32, 64, 128, 256]);
  const scheduler = trial.suggestCategorical("scheduler_type", ["linear", "cosine", "cosine_with_restarts"]);
  const wd = trial.suggestFloat("weight_decay", 0.0, 0.1);
  const warmup = trial.suggestFloat("warmup_ratio", 0.0, 0.2);
  const cd = trial.suggestFloat("classifier_dropout", 0.1, 0.5);
  const hd = trial.suggestFloat("hidden_dropout", 0.0, 0.3);
  const ad = trial.suggestFloat("attention_dropout", 0.0, 0.3);
  const gamma = trial.suggestCategorical("focal_gamma", [1, 2, 3]);
  return {
    x: Math.log(lr / 1e-6) / Math.log(50),
    b: (Math.log2(bs) - 4) / 4,
    w: wd / 0.1,
    u: warmup / 0.2,
    c: (cd - 0.1) / 0.4,
    h: hd / 0.3,
    t: ad / 0.3,
    g: (gamma - 1) / 2,
    s: { linear: 0.03, cosine: 0, cosine_with_restarts: 0.05 }[scheduler]!,
  };
}

function a1(trial: Trial): number {
  const { x, b, w, u, c, h, t, g, s } = spaceA(trial);
  return 1.2 * (x - 0.72) ** 2 + 0.25 * (b - 0.25) ** 2 + s + 0.15 * (w - 0.3) ** 2 + 0.2 * (u - 0.5) ** 2 +
    0.1 * (c - 0.4) ** 2 + 0.3 * (h - 0.33) ** 2 + 0.3 * (t - 0.25) ** 2 + 0.1 * (g - 0.5) ** 2;
}

function a2(trial: Trial): number {
  const { x, b, w, u, c, h, t, g, s } = spaceA(trial);
  const q = 2 * (x - 0.45 - 0.35 * b) ** 2 + 0.8 * (u - 0.2 - 0.4 * x) ** 2 + 0.6 * (h + t - 0.5) ** 2 +
    0.3 * (h - t) ** 2 + 0.2 * (w - 0.5 * g) ** 2 + 0.2 * (c - 0.25) ** 2 + 0.1 * (b - 0.5) ** 2 + 2 * s + 0.05 * g;
  return 1 - Math.exp(-q);
}

function branin(trial: Trial): number {
  const x = trial.suggestFloat("x", -5, 10);
  const y = trial.suggestFloat("y", 0, 15);
  return (y - 5.1 / (4 * Math.PI ** 2) * x ** 2 + 5 / Math.PI * x - 6) ** 2 +
    10 * (1 - 1 / (8 * Math.PI)) * Math.cos(x) + 10;
}

function hartmann6(trial: Trial): number {
  const x = HARTMANN_A[0].map((_, i) => trial.suggestFloat(`x${i}`, 0, 1));
  let sum = 0;
  [1.0, 1.2, 3.0, 3.2].forEach((alpha, i) => {
    const distance = x.reduce((total, v, j) => total + HARTMANN_A[i][j] * (v - HARTMANN_P[i][j]) ** 2, 0);
    sum += alpha * Math.exp(-distance);
  });
  return -sum;
}

function conditional(trial: Trial): number {
  const lr = trial.suggestFloat("lr", 1e-5, 1e-1, { log: true });
  const f = 0.25 * (Math.log10(lr) + 3) ** 2;
  if (!trial.suggestCategorical("aug_enable", [true, false])) return f + 0.12;
  const p = trial.suggestFloat("aug_prob", 0, 1);
  const method = trial.suggestCategorical("aug_method", ["synonym", "backtranslation", "mixup"]);
  const [best, cost] = { synonym: [0.30, 0.05], backtranslation: [0.65, 0], mixup: [0.50, 0.08] }[method]!;
  return f + 0.6 * (p - best) ** 2 + cost;
}

function steps(trial: Trial): number {
  const a = trial.suggestFloat("a", 0, 1, { step: 0.05 });
  const n = trial.suggestInt("n", 1, 12);
  const m = trial.suggestInt("m", 4, 512, { log: true });
  const k = trial.suggestInt("k", 0, 100, { step: 10 });
  const x = trial.suggestFloat("x", -1, 1);
  return (a - 0.35) ** 2 + 0.01 * (n - 7) ** 2 + 0.1 * (Math.log2(m) - 6) ** 2 + 0.001 * Math.abs(k - 40) +
    0.5 * (x - 0.2) ** 2;
}

/** The space of the committed database. */
export function runSpace(trial: Trial): number {
  const lr = trial.suggestFloat("lr", 1e-6, 5e-5, { log: true });
  const layers = trial.suggestInt("layers", 1, 6);
  const drop = trial.suggestFloat("drop", 0, 0.3, { step: 0.05 });
  const kind = trial.suggestCategorical("kind", ["linear", null, true, 2.5]);
  const cost = kind === "linear" ? 0 : kind === null ? 0.1 : kind === true ? 0.2 : 0.3;
  return (Math.log10(lr) + 5) ** 2 + 0.1 * Math.abs(layers - 3) + drop + cost;
}

/** A learning curve towards `value` with a wobble that depends on the trial. */
export function curve(value: number, number: number, step: number): number {
  return value + 0.3 * ((number * 7919 + step * 104729) % 101) / 101 / step;
}

export const FUNCTIONS: Record<string, BenchmarkFunction> = { a1, a2, branin, hartmann6, conditional, steps };
