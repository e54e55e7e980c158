/**
 * How much each parameter matters for reaching good values: PED-ANOVA (Watanabe et al. 2023, arXiv:2304.10255; with
 * conditional parameters 2026, arXiv:2601.20800), Optuna 5's default evaluator with its settings. It compares the
 * density of a parameter among the best tenth of the COMPLETE trials with its density among all of them.
 */

import { type Distribution, isSingle, type NumericDistribution, sameDistribution } from "./distributions.ts";
import type { Direction, FrozenTrial } from "./frozen_trial.ts";
import { logDensity, type ParzenEstimator } from "./parzen.ts";

/** The share of trials that counts as good. */
const TARGET_QUANTILE = 0.1;
/** Numbers are put on a grid of at most this many points. */
const GRID_POINTS = 50;
const SMALLEST_REGIME = 2;
const EPSILON = 1e-12;

/** Trials in which a parameter has one and the same domain. */
interface Regime {
  readonly distribution: Distribution | null;
  readonly trials: FrozenTrial[];
}

/**
 * Importance of every parameter, the largest first, summing to 1; equal shares when there are too few trials to tell.
 * `trials` may be in any state: only COMPLETE ones with a finite value count.
 */
export function paramImportances(trials: readonly FrozenTrial[], direction: Direction): Record<string, number> {
  const complete = trials.filter((trial) => trial.state === "COMPLETE");
  const names = [...new Set(complete.flatMap((trial) => Object.keys(trial.params)))];
  const region = complete.filter((trial) => Number.isFinite(trial.value));
  const raw = new Map(names.map((name) => [name, 0]));
  if (region.length > 1) {
    const target = bestTenth(region, direction);
    for (const name of names) raw.set(name, importance(name, region, target));
  }
  const total = [...raw.values()].reduce((sum, value) => sum + value, 0);
  const shares = [...raw].map(([name, value]): [string, number] => {
    return [name, total === 0 ? 1 / names.length : value / total];
  });
  return Object.fromEntries(shares.sort((a, b) => b[1] - a[1]));
}

/** The best tenth, and whatever ties with its worst. */
function bestTenth(trials: readonly FrozenTrial[], direction: Direction): Set<FrozenTrial> {
  const loss = (trial: FrozenTrial) => direction === "minimize" ? trial.value! : -trial.value!;
  const sorted = trials.map(loss).sort((a, b) => a - b);
  const cutoff = sorted[Math.ceil(TARGET_QUANTILE * sorted.length) - 1];
  return new Set(trials.filter((trial) => loss(trial) <= cutoff));
}

/** The divergence summed over the domains that the parameter had, weighted by how the trials fall on them. */
function importance(name: string, region: readonly FrozenTrial[], target: ReadonlySet<FrozenTrial>): number {
  let sum = 0;
  for (const { distribution, trials } of regimes(name, region)) {
    const good = trials.filter((trial) => target.has(trial));
    if (distribution === null || isSingle(distribution) || good.length === 0) continue;
    const targetShare = good.length / target.size;
    const regionShare = trials.length / region.length;
    sum += targetShare ** 2 / regionShare * pearsonDivergence(name, distribution, good, trials);
  }
  return sum * (target.size / region.length) ** 2;
}

function regimes(name: string, trials: readonly FrozenTrial[]): Regime[] {
  const found: Regime[] = [];
  for (const trial of trials) {
    const distribution = trial.distributions[name] ?? null;
    const regime = found.find((candidate) => {
      if (candidate.distribution === null || distribution === null) return candidate.distribution === distribution;
      return sameDistribution(candidate.distribution, distribution);
    });
    if (regime === undefined) found.push({ distribution, trials: [trial] });
    else regime.trials.push(trial);
  }
  return found.filter((regime) => regime.trials.length >= SMALLEST_REGIME);
}

/** Σ p(x)·(q(x)/p(x) − 1)² over the grid, q the density of the good trials and p that of all. */
function pearsonDivergence(
  name: string,
  distribution: Distribution,
  good: readonly FrozenTrial[],
  all: readonly FrozenTrial[],
): number {
  const top = gridDensity(name, distribution, good);
  const local = gridDensity(name, distribution, all);
  return top.reduce((sum, density, i) => sum + local[i] * (density / local[i] - 1) ** 2, 0);
}

function gridDensity(name: string, distribution: Distribution, trials: readonly FrozenTrial[]): Float64Array {
  const values = trials.map((trial) => trial.internalParams[name]);
  const counts = distribution.kind === "categorical"
    ? countChoices(values, distribution.choices.length)
    : countOnGrid(values, distribution);
  const grid = Float64Array.from(counts, (_, i) => i);
  const estimator = distribution.kind === "categorical" ? fitChoices(counts) : fitScott(counts);
  return logDensity(estimator, [grid]).map((log) => Math.exp(log) + EPSILON);
}

function countChoices(values: readonly number[], choices: number): number[] {
  const counts = Array<number>(choices).fill(0);
  for (const value of values) counts[Math.trunc(value)]++;
  return counts;
}

function countOnGrid(values: readonly number[], { kind, low, high, log, step }: NumericDistribution): number[] {
  let points = GRID_POINTS;
  if (kind === "int" && log) points = Math.min(Math.ceil(Math.log(high - low + 1) / Math.log(2)) + 1, points);
  else if (step !== null) points = Math.min(Math.round((high - low) / step) + 1, points);
  const scale = (value: number) => log ? Math.log(value) : value;
  const width = (scale(high) - scale(low)) / (points - 1);
  const counts = Array<number>(points).fill(0);
  for (const value of values) {
    // A value half-way between two points belongs to the lower one.
    const index = Math.ceil((scale(value) - scale(low)) / width - 0.5);
    counts[Math.min(Math.max(index, 0), points - 1)]++;
  }
  return counts;
}

/** The points that were observed, and the mixture's weights: one per such point by its count, and 1 for the prior. */
function weigh(counts: readonly number[]): { observed: number[]; weights: Float64Array } {
  const observed = counts.map((count, i) => count > 0 ? i : -1).filter((i) => i >= 0);
  const weights = Float64Array.from([...observed.map((i) => counts[i]), 1]);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return { observed, weights: weights.map((weight) => weight / total) };
}

function fitChoices(counts: readonly number[]): ParzenEstimator {
  const { observed, weights } = weigh(counts);
  const seen = Int32Array.from([...observed, counts.length]);
  return { weights, dimensions: [{ kind: "categorical", choices: counts.length, observed: seen }] };
}

/** Normals of one common width by Scott's rule, on the grid 0, 1, 2, …; at least 90 % of each falls on its own cell. */
function fitScott(counts: readonly number[]): ParzenEstimator {
  const { observed, weights } = weigh(counts);
  const total = counts.reduce((sum, count) => sum + count, 0);
  const mean = observed.reduce((sum, i) => sum + i * counts[i], 0) / total;
  const squares = observed.reduce((sum, i) => sum + (i - mean) ** 2 * counts[i], 0);
  const deviation = Math.sqrt(squares / Math.max(1, total - 1));

  let sum = 0;
  const cumulative = observed.map((i) => sum += counts[i]);
  const firstQuartile = cumulative.findIndex((c) => c >= Math.floor(total / 4));
  const afterThird = cumulative.findIndex((c) => c > Math.floor(total * 3 / 4));
  const thirdQuartile = afterThird < 0 ? observed.length - 1 : afterThird;
  const spread = observed[thirdQuartile] - observed[firstQuartile];
  const scott = 1.059 * Math.min(spread / 1.34, deviation) * total ** -0.2;

  const high = counts.length - 1;
  const mu = Float64Array.from([...observed, high / 2]);
  const sigma = new Float64Array(mu.length).fill(Math.max(scott, 0.5 / 1.64));
  sigma[observed.length] = counts.length;
  return {
    weights,
    dimensions: [
      { kind: "numeric", mu, sigma, low: -0.5, high: high + 0.5, log: false, step: 1, lowest: 0, highest: high },
    ],
  };
}
