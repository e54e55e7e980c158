/** Counts of a binary classification; the positive class is 1. */
export interface Confusion {
  /** Positive, and so decided. */
  truePositives: number;
  /** Negative, but decided to be positive. */
  falsePositives: number;
  /** Negative, and so decided. */
  trueNegatives: number;
  /** Positive, but decided to be negative. */
  falseNegatives: number;
}

/** A pair, how probable it is to be positive, and what is decided about it; label and prediction are 0 or 1. */
export interface JudgedPair {
  /** 0 or 1. */
  label: number;
  /** Of being positive. */
  probability: number;
  /** What is decided: 0 or 1. */
  prediction: number;
}

/** Metrics of a set of pairs, each as scikit-learn defines it with `zero_division=0`. */
export interface Metrics extends Confusion {
  /** Pairs. */
  count: number;
  /** 2 tp / (2 tp + fp + fn). */
  f1: number;
  /** tp / (tp + fp). */
  precision: number;
  /** tp / (tp + fn). */
  recall: number;
  /** (tp + tn) / count. */
  accuracy: number;
  /** Area under the ROC curve; null where only one class is present (scikit-learn: NaN). */
  auc: number | null;
  /** Average precision, the area under the curve of precision over recall; null without a positive. */
  pr_auc: number | null;
  /**
   * Expected calibration error of the positive class's probability (Naeini et al., AAAI 2015): the mean distance of
   * the share of positives from the mean probability, over 15 bins of equal width, (0, 1/15], …; null for no pairs.
   */
  ece: number | null;
  /** The mean squared distance of probability and label; null for no pairs. */
  brier: number | null;
}

/** The metrics that tables, means and intervals are of. */
export const METRIC_NAMES = ["f1", "precision", "recall", "accuracy", "auc", "pr_auc", "ece", "brier"] as const;
/** One of `METRIC_NAMES`. */
export type MetricName = typeof METRIC_NAMES[number];

/** Bins of the expected calibration error. */
export const PROBABILITY_BINS = 15;

/** Mean and standard deviation over folds. */
export interface MeanStd {
  mean: number;
  std: number;
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

/** Pairs in descending order of probability, ready to be measured under many weights. */
export interface RankedPairs {
  /** Where each pair stood. */
  readonly order: Uint32Array;
  readonly labels: Uint8Array;
  readonly predictions: Uint8Array;
  readonly probabilities: Float64Array;
  /** 1 for the last of pairs of one probability. */
  readonly endsTie: Uint8Array;
  readonly bins: Uint8Array;
}

export function rankPairs(pairs: readonly JudgedPair[]): RankedPairs {
  const order = Uint32Array.from(pairs.keys()).sort((a, b) => pairs[b].probability - pairs[a].probability);
  const probabilities = Float64Array.from(order, (at) => pairs[at].probability);
  return {
    order,
    labels: Uint8Array.from(order, (at) => pairs[at].label),
    predictions: Uint8Array.from(order, (at) => pairs[at].prediction),
    probabilities,
    endsTie: Uint8Array.from(probabilities, (probability, i) => probability === probabilities[i + 1] ? 0 : 1),
    bins: Uint8Array.from(probabilities, (probability) => Math.max(0, Math.ceil(probability * PROBABILITY_BINS) - 1)),
  };
}

/** All metrics of pairs that count `weights[i]` times, a whole number; without weights each counts once. */
export function measureRanked(ranked: RankedPairs, weights?: ArrayLike<number>): Metrics {
  const { order, labels, predictions, probabilities, endsTie, bins } = ranked;
  // Indexed by label · 2 + prediction.
  const counts = [0, 0, 0, 0];
  // Of a bin: pairs that are positive, less their probabilities.
  const surplus = new Float64Array(PROBABILITY_BINS);
  let squares = 0;
  let averagePrecision = 0;
  let halfWins = 0;
  let [positives, negatives] = [0, 0];
  let [tiedPositives, tiedNegatives] = [0, 0];
  for (let i = 0; i < order.length; i++) {
    const weight = weights === undefined ? 1 : weights[order[i]];
    const label = labels[i];
    const distance = label - probabilities[i];
    counts[label * 2 + predictions[i]] += weight;
    surplus[bins[i]] += weight * distance;
    squares += weight * distance * distance;
    if (label === 1) tiedPositives += weight;
    else tiedNegatives += weight;
    if (endsTie[i] === 0) continue;
    // Twice the wins over negatives below, so that the sum stays an exact integer.
    halfWins += tiedNegatives * (2 * positives + tiedPositives);
    positives += tiedPositives;
    negatives += tiedNegatives;
    if (tiedPositives > 0) averagePrecision += tiedPositives * (positives / (positives + negatives));
    tiedPositives = tiedNegatives = 0;
  }
  const count = positives + negatives;
  const confusion = confusionOf(counts);
  // A score that is no number has no rank, and makes the sum of squares NaN.
  const isRanked = !Number.isNaN(squares);
  return {
    count,
    f1: f1(confusion),
    precision: precision(confusion),
    recall: recall(confusion),
    accuracy: accuracy(confusion),
    auc: isRanked && positives * negatives > 0 ? halfWins / 2 / (positives * negatives) : null,
    pr_auc: isRanked && positives > 0 ? averagePrecision / positives : null,
    ece: count > 0 ? surplus.reduce((sum, each) => sum + Math.abs(each), 0) / count : null,
    brier: count > 0 ? squares / count : null,
    ...confusion,
  };
}

const confusionOf = (
  [trueNegatives, falsePositives, falseNegatives, truePositives]: readonly number[],
): Confusion => ({ truePositives, falsePositives, trueNegatives, falseNegatives });

/** All metrics of pairs. */
export const measure = (pairs: readonly JudgedPair[]): Metrics => measureRanked(rankPairs(pairs));

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

/** Means over the criteria, each counting once (scikit-learn: `macro`): F1, and PR-AUC of those that have a positive. */
export function macroMeans(
  pairs: readonly (JudgedPair & { criterionId: string })[],
): { macro_f1: number; macro_pr_auc: number | null } {
  const criteria = [...Map.groupBy(pairs, ({ criterionId }) => criterionId).values()].map(measure);
  const { mean } = meanStd(criteria.map(({ pr_auc }) => pr_auc));
  return { macro_f1: meanStd(criteria.map(({ f1 }) => f1)).mean, macro_pr_auc: Number.isNaN(mean) ? null : mean };
}

function ratio(numerator: number, denominator: number): number {
  return denominator === 0 ? 0 : numerator / denominator;
}
