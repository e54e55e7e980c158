/** What the figures of `measure` are the areas and sums of: curves over all thresholds, and bins of probabilities. */
import { type JudgedPair, PROBABILITY_BINS, rankPairs } from "./metrics.ts";

export type CurvePoint = readonly [x: number, y: number];

/**
 * Points of the ROC curve, false positive rate and true positive rate, from the highest threshold down; pairs of one
 * probability are one point. The area below its straight lines is `measure`'s AUC. Empty without both classes.
 */
export function rocCurve(pairs: readonly JudgedPair[]): CurvePoint[] {
  const { counts, positives, negatives } = countsDown(pairs);
  if (positives * negatives === 0) return [];
  return [[0, 0], ...counts.map(([right, wrong]): CurvePoint => [wrong / negatives, right / positives])];
}

/**
 * Points of the precision–recall curve, recall and precision, from the highest threshold down. Average precision is the
 * area below its steps, each as high as its right end. Empty without a positive.
 */
export function precisionRecallCurve(pairs: readonly JudgedPair[]): CurvePoint[] {
  const { counts, positives } = countsDown(pairs);
  if (positives === 0) return [];
  return counts.map(([right, wrong]): CurvePoint => [right / positives, right / (right + wrong)]);
}

/** How many positives and negatives are at or above each probability that there is, from the highest down. */
function countsDown(pairs: readonly JudgedPair[]) {
  const { labels, endsTie } = rankPairs(pairs);
  const counts: [right: number, wrong: number][] = [];
  let [positives, negatives] = [0, 0];
  labels.forEach((label, i) => {
    if (label === 1) positives++;
    else negatives++;
    if (endsTie[i] === 1) counts.push([positives, negatives]);
  });
  return { counts, positives, negatives };
}

/** The pairs whose probability is in one of the bins of the calibration error. */
export interface ReliabilityBin {
  count: number;
  /** Their mean probability, and the share that is positive. */
  probability: number;
  share: number;
}

/** The bins that have a pair, by rising probability. */
export function reliability(pairs: readonly JudgedPair[]): ReliabilityBin[] {
  const { labels, probabilities, bins } = rankPairs(pairs);
  const sums = Array.from({ length: PROBABILITY_BINS }, () => ({ count: 0, probability: 0, positives: 0 }));
  labels.forEach((label, i) => {
    const bin = sums[bins[i]];
    bin.count++;
    bin.probability += probabilities[i];
    bin.positives += label;
  });
  return sums.filter(({ count }) => count > 0).map(({ count, probability, positives }) => ({
    count,
    probability: probability / count,
    share: positives / count,
  }));
}
