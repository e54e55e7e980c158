/**
 * The Parzen estimator of TPE: a mixture with one component per observation and one prior component, each a product
 * over the parameters of truncated normals (numbers) and smoothed one-hot weights (categoricals).
 *
 * Bandwidths, weights and the order of random draws are those of Optuna 5's `_ParzenEstimator` with its defaults
 * (prior weight 1, magic clip on, end points off), so that equal streams give equal samples. Observations that are
 * equal keep their order when sorted; NumPy's sort leaves that order to the CPU.
 */

import { type Distribution, roundHalfEven, type SearchSpace } from "./distributions.ts";
import type { RandomStream } from "./random_stream.ts";
import { logGaussMass, truncatedNormalQuantile } from "./truncated_normal.ts";

const LOG_SQRT_2PI = 0.5 * Math.log(2 * Math.PI);

interface NumericDimension {
  readonly kind: "numeric";
  /** Component means and widths, in log space when `log`; the prior is the last component. */
  readonly mu: Float64Array;
  readonly sigma: Float64Array;
  /** The domain that the normals are truncated to, half a step wider on both sides, in log space when `log`. */
  readonly low: number;
  readonly high: number;
  readonly log: boolean;
  /** 0 for a continuous parameter. */
  readonly step: number;
  /** The bounds of the values themselves. */
  readonly lowest: number;
  readonly highest: number;
}

interface CategoricalDimension {
  readonly kind: "categorical";
  readonly choices: number;
  /** Observed choice of each component; the number of choices for the prior, the last one. */
  readonly observed: Int32Array;
}

export interface ParzenEstimator {
  readonly weights: Float64Array;
  readonly dimensions: readonly (NumericDimension | CategoricalDimension)[];
}

/** Samples by parameter (in the order of the space), `size` internal values each. */
export type SampleColumns = readonly Float64Array[];

/** TPE's weights of n observations, oldest first: 25 recent ones count fully, older ones ramp up from 1/n. */
export function recencyWeights(n: number): Float64Array {
  const weights = new Float64Array(n).fill(1);
  const ramp = n - 25;
  for (let i = 0; i < ramp; i++) {
    weights[i] = i === ramp - 1 && ramp > 1 ? 1 : 1 / n + i * ((1 - 1 / n) / Math.max(ramp - 1, 1));
  }
  return weights;
}

/** Fits the mixture to observations: one column of internal values per parameter of the space, oldest first. */
export function fitParzen(space: SearchSpace, columns: SampleColumns): ParzenEstimator {
  const n = columns[0].length;
  const weights = new Float64Array(n + 1);
  weights.set(recencyWeights(n));
  weights[n] = 1;
  const total = pairwiseSum(weights, 0, n + 1);
  for (let j = 0; j <= n; j++) weights[j] /= total;
  const dimensions = [...space.values()].map((distribution, i) => fitDimension(distribution, columns[i]));
  return { weights, dimensions };
}

function fitDimension(distribution: Distribution, values: Float64Array): NumericDimension | CategoricalDimension {
  const n = values.length;
  if (distribution.kind === "categorical") {
    const observed = new Int32Array(n + 1);
    for (let j = 0; j < n; j++) observed[j] = Math.trunc(values[j]);
    observed[n] = distribution.choices.length;
    return { kind: "categorical", choices: distribution.choices.length, observed };
  }
  const { log } = distribution;
  const step = distribution.step ?? 0;
  let low = distribution.low - step / 2;
  let high = distribution.high + step / 2;
  const mu = new Float64Array(n + 1);
  mu.set(values);
  if (log) {
    for (let j = 0; j < n; j++) mu[j] = Math.log(mu[j]);
    low = Math.log(low);
    high = Math.log(high);
  }
  const sigma = new Float64Array(n + 1);
  fillWidths(sigma, mu.subarray(0, n), low, high);
  mu[n] = 0.5 * (low + high);
  sigma[n] = high - low;
  return { kind: "numeric", mu, sigma, low, high, log, step, lowest: distribution.low, highest: distribution.high };
}

/** The width of each observation: the larger distance to its sorted neighbours, clipped. */
function fillWidths(sigma: Float64Array, mu: Float64Array, low: number, high: number): void {
  const n = mu.length;
  const order = stableOrder(mu, low, high);
  const smallest = (high - low) / Math.min(100, n + 2);
  const largest = high - low;
  for (let i = 0; i < n; i++) {
    const own = mu[order[i]];
    const left = own - (i === 0 ? low : mu[order[i - 1]]);
    const right = (i === n - 1 ? high : mu[order[i + 1]]) - own;
    let width = left > right ? left : right;
    // The ends of the domain count as neighbours of a single observation only.
    if (n >= 2 && i === 0) width = right;
    if (n >= 2 && i === n - 1) width = left;
    sigma[order[i]] = Math.min(Math.max(width, smallest), largest);
  }
}

/** The indices that sort the values, equal ones in order of appearance: buckets first, then insertion. */
function stableOrder(values: Float64Array, low: number, high: number): Uint32Array {
  const n = values.length;
  const buckets = 4 * n + 1;
  const scale = (buckets - 1) / (high - low);
  const starts = new Uint32Array(buckets + 1);
  const bucketOf = new Uint32Array(n);
  let crowd = 0;
  for (let j = 0; j < n; j++) {
    const bucket = Math.min(Math.max(Math.floor((values[j] - low) * scale), 0), buckets - 1);
    bucketOf[j] = bucket;
    const count = ++starts[bucket + 1];
    if (count > crowd) crowd = count;
  }
  if (crowd > 100) return Uint32Array.from(values, (_, j) => j).sort((a, b) => values[a] - values[b]);
  for (let k = 0; k < buckets; k++) starts[k + 1] += starts[k];
  const order = new Uint32Array(n);
  for (let j = 0; j < n; j++) order[starts[bucketOf[j]]++] = j;
  for (let i = 1; i < n; i++) {
    const index = order[i];
    const value = values[index];
    let k = i - 1;
    for (; k >= 0 && values[order[k]] > value; k--) order[k + 1] = order[k];
    order[k + 1] = index;
  }
  return order;
}

/** Draws `size` samples. Order of draws: components, then each categorical, then all numeric parameters row by row. */
export function sampleParzen(estimator: ParzenEstimator, random: RandomStream, size: number): Float64Array[] {
  const active = drawComponents(estimator.weights, random, size);
  const columns: Float64Array[] = [];
  estimator.dimensions.forEach((dimension, d) => {
    if (dimension.kind === "categorical") columns[d] = drawChoices(dimension, active, random);
  });
  estimator.dimensions.forEach((dimension, d) => {
    if (dimension.kind === "numeric") columns[d] = drawNumbers(dimension, active, random);
  });
  return columns;
}

function drawComponents(weights: Float64Array, random: RandomStream, size: number): Uint32Array {
  const cumulative = new Float64Array(weights.length);
  let sum = 0;
  for (let j = 0; j < weights.length; j++) cumulative[j] = sum += weights[j];
  for (let j = 0; j < weights.length; j++) cumulative[j] /= sum;
  const active = new Uint32Array(size);
  for (let i = 0; i < size; i++) {
    const u = random.next();
    let j = 0;
    while (!(cumulative[j] > u)) j++;
    active[i] = j;
  }
  return active;
}

/** The weights of all choices in a component that observed choice c (row c) and in the prior (the last row). */
function choiceWeights({ choices, observed }: CategoricalDimension): Float64Array[] {
  const prior = 1 / observed.length;
  return Array.from({ length: choices + 1 }, (_, seen) => {
    const row = Float64Array.from({ length: choices }, (_, c) => c === seen ? prior + 1 : prior);
    const total = pairwiseSum(row, 0, choices);
    return row.map((weight) => weight / total);
  });
}

function drawChoices(dimension: CategoricalDimension, active: Uint32Array, random: RandomStream): Float64Array {
  const weights = choiceWeights(dimension);
  const { choices, observed } = dimension;
  return Float64Array.from(active, (component) => {
    const row = weights[observed[component]];
    const u = random.next();
    let sum = 0;
    let choice = 0;
    for (let c = 0; c < choices - 1; c++) {
      sum += row[c];
      if (sum < u) choice++;
    }
    return choice;
  });
}

function drawNumbers(dimension: NumericDimension, active: Uint32Array, random: RandomStream): Float64Array {
  const { mu, sigma, low, high, log, step, lowest, highest } = dimension;
  return Float64Array.from(active, (component) => {
    const m = mu[component];
    const s = sigma[component];
    let x = truncatedNormalQuantile(random.next(), (low - m) / s, (high - m) / s) * s + m;
    if (log) x = Math.exp(x);
    if (step === 0) return x;
    return Math.min(Math.max(lowest + roundHalfEven((x - lowest) / step) * step, lowest), highest);
  });
}

/**
 * The sum in NumPy's order of additions. Choices that are equally good have scores that differ in the last bit only, by
 * the order of summation, and that bit decides between them.
 */
function pairwiseSum(values: Float64Array, from: number, count: number): number {
  if (count < 8) {
    let sum = 0;
    for (let i = from; i < from + count; i++) sum += values[i];
    return sum;
  }
  if (count > 128) {
    const half = (count >> 1) - (count >> 1) % 8;
    return pairwiseSum(values, from, half) + pairwiseSum(values, from + half, count - half);
  }
  let [a, b, c, d] = [values[from], values[from + 1], values[from + 2], values[from + 3]];
  let [e, f, g, h] = [values[from + 4], values[from + 5], values[from + 6], values[from + 7]];
  const end = from + count;
  let i = from + 8;
  for (; i + 8 <= end; i += 8) {
    a += values[i];
    b += values[i + 1];
    c += values[i + 2];
    d += values[i + 3];
    e += values[i + 4];
    f += values[i + 5];
    g += values[i + 6];
    h += values[i + 7];
  }
  let sum = ((a + b) + (c + d)) + ((e + f) + (g + h));
  for (; i < end; i++) sum += values[i];
  return sum;
}

/** Adds one parameter's log densities of sample i, component by component. */
type AddRow = (row: Float64Array, i: number) => void;

/** Log density of the mixture at each sample (for stepped parameters the log mass of the step). */
export function logDensity(estimator: ParzenEstimator, samples: SampleColumns): Float64Array {
  const constant = estimator.weights.map(Math.log);
  const adders = estimator.dimensions.map((dimension, d): AddRow => {
    if (dimension.kind === "categorical") return choiceRows(dimension, samples[d]);
    return dimension.step === 0 ? normalRows(constant, dimension, samples[d]) : stepRows(dimension, samples[d]);
  });
  const row = new Float64Array(estimator.weights.length);
  const result = new Float64Array(samples[0].length);
  for (let i = 0; i < result.length; i++) {
    row.fill(0);
    for (const add of adders) add(row, i);
    result[i] = logSumExp(row, constant);
  }
  return result;
}

/** Below this, a term is lost in the rounding of a sum that has a term 1: its exponential is not computed. */
const NEGLIGIBLE = -60;

/** log Σ exp(row + constant); overwrites the row. */
function logSumExp(row: Float64Array, constant: Float64Array): number {
  let largest = -Infinity;
  for (let j = 0; j < row.length; j++) {
    const value = row[j] + constant[j];
    row[j] = value;
    if (value > largest) largest = value;
  }
  if (largest === -Infinity) return -Infinity;
  for (let j = 0; j < row.length; j++) {
    const below = row[j] - largest;
    row[j] = below < NEGLIGIBLE ? 0 : Math.exp(below);
  }
  return Math.log(pairwiseSum(row, 0, row.length)) + largest;
}

// The rows are filled by functions of their own: V8 optimizes these small loops, ten times faster than nested ones.

/** row −= ((x − mu) · inverse)² / 2 */
function addNormal(row: Float64Array, mu: Float64Array, inverse: Float64Array, x: number): void {
  for (let j = 0; j < row.length; j++) {
    const z = (x - mu[j]) * inverse[j];
    row[j] -= 0.5 * z * z;
  }
}

/** row[j] += table[slot[j]] */
function addFromTable(row: Float64Array, slot: Int32Array, table: Float64Array): void {
  for (let j = 0; j < row.length; j++) row[j] += table[slot[j]];
}

function choiceRows(dimension: CategoricalDimension, samples: Float64Array): AddRow {
  const rows = choiceWeights(dimension).map((row) => row.map(Math.log));
  const byChoice = Array.from(rows[0], (_, choice) => Float64Array.from(rows, (row) => row[choice]));
  return (row, i) => addFromTable(row, dimension.observed, byChoice[samples[i]]);
}

/** Adds to `constant` what does not depend on the sample. */
function normalRows(constant: Float64Array, dimension: NumericDimension, samples: Float64Array): AddRow {
  const { mu, sigma, low, high, log } = dimension;
  const inverse = sigma.map((width) => 1 / width);
  for (let j = 0; j < mu.length; j++) {
    const a = (low - mu[j]) / sigma[j];
    const b = (high - mu[j]) / sigma[j];
    // Nine widths inside the domain the missing mass is below 1e-18, nothing to a logarithm of a density.
    const mass = a < -9 && b > 9 ? 0 : logGaussMass(a, b);
    constant[j] -= mass + Math.log(sigma[j]) + LOG_SQRT_2PI;
  }
  const values = log ? samples.map(Math.log) : samples;
  return (row, i) => addNormal(row, mu, inverse, values[i]);
}

function stepRows(dimension: NumericDimension, samples: Float64Array): AddRow {
  const { mu, sigma, low, high, log, step } = dimension;
  // Stepped parameters repeat: each distinct component is computed once per distinct value.
  const { slot, first } = distinctPairs(mu, sigma);
  const domain = first.map((j) => logGaussMass((low - mu[j]) / sigma[j], (high - mu[j]) / sigma[j]));
  const tables = new Map<number, Float64Array>();
  for (const value of samples) {
    if (tables.has(value)) continue;
    const left = log ? Math.log(value - step / 2) : value - step / 2;
    const right = log ? Math.log(value + step / 2) : value + step / 2;
    const table = Float64Array.from(first, (j, k) => {
      return logGaussMass((left - mu[j]) / sigma[j], (right - mu[j]) / sigma[j]) - domain[k];
    });
    tables.set(value, table);
  }
  return (row, i) => addFromTable(row, slot, tables.get(samples[i])!);
}

/** Numbers the distinct (mu, sigma) pairs: the slot of each component, and one component of each slot. */
function distinctPairs(mu: Float64Array, sigma: Float64Array): { slot: Int32Array; first: number[] } {
  const slot = new Int32Array(mu.length);
  const first: number[] = [];
  const byMean = new Map<number, number[]>();
  for (let j = 0; j < mu.length; j++) {
    let same = byMean.get(mu[j]);
    if (same === undefined) byMean.set(mu[j], same = []);
    let k = same.find((k) => sigma[first[k]] === sigma[j]);
    if (k === undefined) {
      k = first.length;
      first.push(j);
      same.push(k);
    }
    slot[j] = k;
  }
  return { slot, first };
}
