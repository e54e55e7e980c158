import { EntailError } from "../errors.ts";
import { Mt19937 } from "../random/mt19937.ts";

export interface FoldOptions {
  nSplits: number;
  /** The `random_state`. */
  seed: number;
  shuffle: true;
}

/**
 * The test fold of every row, identical to scikit-learn 1.9's
 * `StratifiedGroupKFold(nSplits, shuffle=True, random_state=seed).split(X, labels, groups)`, to the last bit of its
 * standard deviations: where two folds are nearly equally good, the order of summation decides.
 * Usage error, naming kfold.n_splits, where there are fewer groups, or fewer members of every class, than folds.
 */
export function stratifiedGroupKFold(
  labels: readonly number[],
  groups: readonly string[],
  options: FoldOptions,
): number[] {
  const { nSplits, seed } = options;
  checkSplits(nSplits, labels);
  const classes = sortedIndex(labels, (a, b) => a - b);
  const posts = sortedIndex(groups, compareCodePoints);
  if (nSplits > posts.size) {
    throw new EntailError("usage", `kfold.n_splits: is ${nSplits}, but there are only ${posts.size} posts`);
  }
  const order = Array.from({ length: posts.size }, (_, i) => i);
  new Mt19937(seed).shuffle(order);
  // counts[r][c]: rows of class c in the group that the shuffle put at place r.
  const counts = order.map(() => new Float64Array(classes.size));
  const place = new Array<number>(posts.size);
  order.forEach((group, r) => place[group] = r);
  const totals = new Float64Array(classes.size);
  labels.forEach((label, i) => {
    const c = classes.get(label)!;
    counts[place[posts.get(groups[i])!]][c]++;
    totals[c]++;
  });
  const spread = counts.map((row) => std(row, sumPairwise));
  const visiting = order.map((_, r) => r).sort((a, b) => spread[b] - spread[a]);

  const folds = Array.from({ length: nSplits }, () => new Float64Array(classes.size));
  const foldOfPlace = new Array<number>(posts.size);
  for (const r of visiting) {
    const best = bestFold(folds, counts[r], totals);
    counts[r].forEach((count, c) => folds[best][c] += count);
    foldOfPlace[r] = best;
  }
  return groups.map((group) => foldOfPlace[place[posts.get(group)!]]);
}

/**
 * The test fold of every row, identical to scikit-learn 1.9's
 * `StratifiedKFold(nSplits, shuffle=True, random_state=seed).split(X, labels)`: pairs of one post may part.
 */
export function stratifiedKFold(labels: readonly number[], options: FoldOptions): number[] {
  const { nSplits, seed } = options;
  checkSplits(nSplits, labels);
  // Classes are numbered in the order in which they appear.
  const classes = new Map<number, number>();
  for (const label of labels) if (!classes.has(label)) classes.set(label, classes.size);
  const encoded = labels.map((label) => classes.get(label)!);
  const sorted = encoded.toSorted((a, b) => a - b);
  const random = new Mt19937(seed);
  const folds = new Array<number>(labels.length);
  for (let c = 0; c < classes.size; c++) {
    const places: number[] = [];
    for (let f = 0; f < nSplits; f++) {
      for (let i = f; i < sorted.length; i += nSplits) if (sorted[i] === c) places.push(f);
    }
    random.shuffle(places);
    let next = 0;
    encoded.forEach((own, i) => {
      if (own === c) folds[i] = places[next++];
    });
  }
  return folds;
}

/** The fold whose size comes nearest to `fraction` of the rows, the lowest of equals: validation of a single split. */
export function singleSplit(folds: readonly number[], nSplits: number, fraction = 0.2): number {
  const sizes = new Array<number>(nSplits).fill(0);
  for (const fold of folds) sizes[fold]++;
  const distance = sizes.map((size) => Math.abs(size / folds.length - fraction));
  return distance.indexOf(Math.min(...distance));
}

/** Data error if a fold has no positive pair to validate on, or leaves none of a class to train on. */
export function checkFolds(folds: readonly number[], labels: readonly number[], nSplits: number): void {
  const counts = Array.from({ length: nSplits }, () => [0, 0]);
  labels.forEach((label, i) => counts[folds[i]][label]++);
  const totals = [0, 1].map((label) => counts.reduce((sum, count) => sum + count[label], 0));
  const fail = (message: string): never => {
    throw new EntailError("data", message);
  };
  if (totals[0] === 0) fail(`all ${totals[1]} pairs are positive: there is nothing to tell apart, add negative pairs`);
  counts.forEach(([negatives, positives], fold) => {
    if (positives === 0) {
      fail(`fold ${fold} of ${nSplits} has no positive pair (${totals[1]} in all), lower kfold.n_splits or add data`);
    }
    if (positives === totals[1]) {
      fail(`fold ${fold} of ${nSplits} has all ${positives} positive pairs, none is left to train on`);
    }
    if (negatives === totals[0]) {
      fail(`fold ${fold} of ${nSplits} has all ${negatives} negative pairs, none is left to train on`);
    }
  });
}

function checkSplits(nSplits: number, labels: readonly number[]): void {
  if (!Number.isInteger(nSplits) || nSplits < 2) {
    throw new EntailError("usage", `kfold.n_splits: must be an integer of at least 2, not ${nSplits}`);
  }
  if (labels.length === 0) throw new EntailError("data", "there are no pairs to split into folds");
  const counts = new Map<number, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  const largest = Math.max(...counts.values());
  if (nSplits > largest) {
    throw new EntailError("usage", `kfold.n_splits: is ${nSplits}, but no label has more than ${largest} pairs`);
  }
}

/** The fold that a group evens out most: the lowest mean over classes of the deviation of the folds' shares. */
function bestFold(folds: Float64Array[], group: Float64Array, totals: Float64Array): number {
  let best = -1;
  let bestScore = Infinity;
  let bestSize = Infinity;
  const shares = new Float64Array(folds.length);
  const deviations = new Float64Array(totals.length);
  // NumPy sums down the columns of a matrix in order, but a single column lies contiguous.
  const sumFolds = totals.length === 1 ? sumPairwise : sumInOrder;
  for (let f = 0; f < folds.length; f++) {
    for (let c = 0; c < totals.length; c++) {
      folds.forEach((fold, k) => shares[k] = (k === f ? fold[c] + group[c] : fold[c]) / totals[c]);
      deviations[c] = std(shares, sumFolds);
    }
    const score = sumPairwise(deviations) / totals.length;
    const size = sumInOrder(folds[f]);
    // `numpy.isclose`; false against infinity.
    const close = Math.abs(score - bestScore) <= 1e-8 + 1e-5 * Math.abs(bestScore) && bestScore !== Infinity;
    if (score < bestScore || (close && size < bestSize)) {
      best = f;
      bestScore = score;
      bestSize = size;
    }
  }
  return best;
}

function std(values: Float64Array, sum: (values: Float64Array) => number): number {
  const mean = sum(values) / values.length;
  return Math.sqrt(sum(values.map((value) => (value - mean) * (value - mean))) / values.length);
}

function sumInOrder(values: Float64Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** NumPy's sum along a contiguous axis: eight running sums from 8 values on, halves from 129 on. */
function sumPairwise(values: Float64Array): number {
  const n = values.length;
  if (n < 8) return sumInOrder(values);
  if (n > 128) {
    const half = Math.floor(n / 2) - Math.floor(n / 2) % 8;
    return sumPairwise(values.subarray(0, half)) + sumPairwise(values.subarray(half));
  }
  const r = values.slice(0, 8);
  let i = 8;
  for (; i < n - n % 8; i++) r[i % 8] += values[i];
  let total = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
  for (; i < n; i++) total += values[i];
  return total;
}

/** The distinct values in sorted order, each with its rank. */
function sortedIndex<T>(values: readonly T[], compare: (a: T, b: T) => number): Map<T, number> {
  return new Map([...new Set(values)].sort(compare).map((value, rank) => [value, rank]));
}

/** Python's order of strings; JavaScript's differs beyond the Basic Multilingual Plane. */
function compareCodePoints(a: string, b: string): number {
  let i = 0;
  while (i < a.length && i < b.length && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  // Inside a surrogate pair the whole characters are compared.
  if (i > 0 && isLowSurrogate(a, i) && isLowSurrogate(b, i)) i--;
  return (a.codePointAt(i) ?? -1) - (b.codePointAt(i) ?? -1);
}

function isLowSurrogate(text: string, i: number): boolean {
  const unit = text.charCodeAt(i);
  return unit >= 0xdc00 && unit <= 0xdfff;
}
