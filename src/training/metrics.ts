/** Counts of a binary classification; the positive class is 1. */
export interface Confusion {
  truePositives: number;
  falsePositives: number;
  trueNegatives: number;
  falseNegatives: number;
}

/** Metrics of a set of pairs, each as scikit-learn defines it with `zero_division=0`. */
export interface Metrics extends Confusion {
  count: number;
  f1: number;
  precision: number;
  recall: number;
  accuracy: number;
  /** Area under the ROC curve; null where only one class is present (scikit-learn: NaN). */
  auc: number | null;
}

/** Mean and standard deviation over folds. */
export interface MeanStd {
  mean: number;
  std: number;
}

/** 1 where the probability reaches the threshold, else 0. */
export function predictions(probabilities: ArrayLike<number>, threshold: number): Uint8Array {
  return Uint8Array.from(probabilities, (probability) => probability >= threshold ? 1 : 0);
}

/** Counts labels against predictions, both 0 or 1 and of one length. */
export function confusion(labels: ArrayLike<number>, predicted: ArrayLike<number>): Confusion {
  if (labels.length !== predicted.length) {
    throw new RangeError(`confusion: ${labels.length} labels, ${predicted.length} predictions`);
  }
  // Indexed by label · 2 + prediction.
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < labels.length; i++) counts[labels[i] * 2 + predicted[i]]++;
  const [trueNegatives, falsePositives, falseNegatives, truePositives] = counts;
  return { truePositives, falsePositives, trueNegatives, falseNegatives };
}

/** tp / (tp + fp); 0 without a predicted positive. */
export function precision({ truePositives, falsePositives }: Confusion): number {
  return ratio(truePositives, truePositives + falsePositives);
}

/** tp / (tp + fn); 0 without a positive. */
export function recall({ truePositives, falseNegatives }: Confusion): number {
  return ratio(truePositives, truePositives + falseNegatives);
}

/** 2 tp / (2 tp + fp + fn); 0 where that is 0/0. */
export function f1({ truePositives, falsePositives, falseNegatives }: Confusion): number {
  return ratio(2 * truePositives, 2 * truePositives + falsePositives + falseNegatives);
}

/** The share of right answers; 0 for no pairs. */
export function accuracy({ truePositives, falsePositives, trueNegatives, falseNegatives }: Confusion): number {
  const right = truePositives + trueNegatives;
  return ratio(right, right + falsePositives + falseNegatives);
}

/**
 * Area under the ROC curve: the share of (positive, negative) pairs in the right order, ties counted half.
 * Null if there is only one class, or a score is NaN.
 */
export function rocAuc(labels: ArrayLike<number>, scores: ArrayLike<number>): number | null {
  const order = Array.from({ length: labels.length }, (_, i) => i).sort((a, b) => scores[a] - scores[b]);
  let positives = 0;
  let halfWins = 0;
  let negativesBelow = 0;
  for (let start = 0; start < order.length;) {
    let end = start;
    let tiedPositives = 0;
    for (; end < order.length && scores[order[end]] === scores[order[start]]; end++) {
      tiedPositives += labels[order[end]];
    }
    if (end === start) return null;
    const tiedNegatives = end - start - tiedPositives;
    // Twice the wins, so that the sum stays an exact integer.
    halfWins += tiedPositives * (2 * negativesBelow + tiedNegatives);
    positives += tiedPositives;
    negativesBelow += tiedNegatives;
    start = end;
  }
  const pairs = positives * negativesBelow;
  return pairs === 0 ? null : halfWins / 2 / pairs;
}

/** All metrics of probabilities against labels (0 or 1); a pair is positive where probability ≥ `threshold`. */
export function evaluateBinary(
  labels: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  threshold: number,
): Metrics {
  const counts = confusion(labels, predictions(probabilities, threshold));
  return {
    count: labels.length,
    f1: f1(counts),
    precision: precision(counts),
    recall: recall(counts),
    accuracy: accuracy(counts),
    auc: rocAuc(labels, probabilities),
    ...counts,
  };
}

/** The metrics of each criterion, by criterion id in the order of first appearance. */
export function perCriterion(
  criterionIds: readonly string[],
  labels: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  threshold: number,
): Map<string, Metrics> {
  const members = new Map<string, number[]>();
  criterionIds.forEach((id, i) => {
    const list = members.get(id);
    if (list) list.push(i);
    else members.set(id, [i]);
  });
  const select = (values: ArrayLike<number>, indices: number[]): number[] => indices.map((i) => values[i]);
  return new Map(
    [...members].map((
      [id, indices],
    ) => [id, evaluateBinary(select(labels, indices), select(probabilities, indices), threshold)]),
  );
}

/**
 * Mean and population standard deviation (divisor n, as `numpy.std`) of the values that are numbers; null and NaN,
 * an AUC without two classes, are left out. NaN for both where nothing is left.
 */
export function meanStd(values: readonly (number | null)[]): MeanStd {
  const numbers = values.filter((value): value is number => value !== null && !Number.isNaN(value));
  if (numbers.length === 0) return { mean: NaN, std: NaN };
  const mean = numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
  const variance = numbers.reduce((sum, value) => sum + (value - mean) ** 2, 0) / numbers.length;
  return { mean, std: Math.sqrt(variance) };
}

function ratio(numerator: number, denominator: number): number {
  return denominator === 0 ? 0 : numerator / denominator;
}
