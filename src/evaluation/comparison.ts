/** Two models on the same pairs: how often which is right, and how far their metrics differ. */
import { EntailError } from "../errors.ts";
import { BOOTSTRAP, type BootstrapOptions, percentiles, resampledWeights } from "./intervals.ts";
import {
  type JudgedPair,
  measureRanked,
  METRIC_NAMES,
  type MetricName,
  type Metrics,
  type RankedPairs,
  rankPairs,
} from "./metrics.ts";

/** A decision about a pair of a run. */
export interface ComparablePair extends JudgedPair {
  /** Which post. */
  postId: string;
  /** Which criterion. */
  criterionId: string;
  /** The fold that it was judged in. */
  fold: number;
}

/** A metric of both, and what is known of first − second. */
export interface MetricDifference {
  /** Of the first model; null where the pairs do not have it. */
  first: number | null;
  /** Of the second. */
  second: number | null;
  /** first - second. */
  difference: number | null;
  /** Percentile bootstrap over posts, both models in each resample. */
  interval: [low: number, high: number] | null;
  /** Twice the smaller share of resamples, and of one more, in which the difference is at most, or at least, 0. */
  p_value: number | null;
}

/** Two models on the same pairs. */
export interface Comparison {
  /** Pairs that both judged. */
  pairs: number;
  /** Their posts. */
  posts: number;
  /** Pairs that both decided as they are labelled. */
  both_right: number;
  /** Pairs that only the first did. */
  only_first_right: number;
  /** Pairs that only the second did. */
  only_second_right: number;
  /** Pairs that neither did. */
  both_wrong: number;
  /**
   * Exact two-sided McNemar test over pairs. It takes them as independent, which the pairs of a post are not: the
   * bootstrap does without that.
   */
  mcnemar_p_value: number;
  /** By name. */
  metrics: Record<MetricName, MetricDifference>;
  /** Of the bootstrap. */
  resamples: number;
  /** Of its intervals. */
  level: number;
  /** Of its draws. */
  seed: number;
}

/**
 * Compares two models by their decisions about the same pairs of the same folds, in any order. Data error naming a pair
 * that only one of them has, or that has another label or fold.
 */
export function comparePredictions(
  first: readonly ComparablePair[],
  second: readonly ComparablePair[],
  options: BootstrapOptions,
): Comparison {
  const partners = partnersOf(first, second);
  const right = { both: 0, first: 0, second: 0, none: 0 };
  first.forEach(({ label, prediction }, i) => {
    const [one, other] = [prediction === label, partners[i].prediction === label];
    right[one ? (other ? "both" : "first") : (other ? "second" : "none")]++;
  });
  return {
    pairs: first.length,
    posts: new Set(first.map(({ postId }) => postId)).size,
    both_right: right.both,
    only_first_right: right.first,
    only_second_right: right.second,
    both_wrong: right.none,
    mcnemar_p_value: exactMcNemar(right.first, right.second),
    metrics: metricDifferences(first, [rankPairs(first), rankPairs(partners)], options),
    resamples: options.resamples ?? BOOTSTRAP.resamples,
    level: options.level ?? BOOTSTRAP.level,
    seed: options.seed,
  };
}

/** The pair of `second` that each of `first` is. */
function partnersOf(first: readonly ComparablePair[], second: readonly ComparablePair[]): ComparablePair[] {
  const keyOf = ({ postId, criterionId }: ComparablePair) => JSON.stringify([postId, criterionId]);
  const others = new Map(second.map((pair) => [keyOf(pair), pair]));
  const fault = ({ postId, criterionId }: ComparablePair, what: string) =>
    new EntailError(
      "data",
      `post ${postId}, criterion ${criterionId}: ${what}; compare runs of the same data and folds`,
    );
  const partners = first.map((pair) => {
    const other = others.get(keyOf(pair));
    if (other === undefined) throw fault(pair, "only the first run has it");
    others.delete(keyOf(pair));
    if (other.label !== pair.label) throw fault(pair, "its label is another one in the second run");
    if (other.fold !== pair.fold) {
      throw fault(pair, `is in fold ${pair.fold} of the first run, ${other.fold} of the second`);
    }
    return other;
  });
  for (const pair of others.values()) throw fault(pair, "only the second run has it");
  return partners;
}

/**
 * The two-sided p-value of McNemar's test (1947) by the binomial distribution: of `onlyFirst + onlySecond` pairs that one
 * of two models alone is right about, each is as likely the one's as the other's.
 */
export function exactMcNemar(onlyFirst: number, onlySecond: number): number {
  const total = onlyFirst + onlySecond;
  const fewer = Math.min(onlyFirst, onlySecond);
  // log of (total choose k) / 2^total, from k = 0 up; the tail's terms are then summed from the smallest.
  let logTerm = -total * Math.LN2;
  let tail = 0;
  for (let k = 0; k <= fewer; k++) {
    tail += Math.exp(logTerm);
    logTerm += Math.log((total - k) / (k + 1));
  }
  return Math.min(1, 2 * tail);
}

/**
 * Holm's step-down correction (1979) of p-values of tests that are made together: the smallest times their number, the next
 * times one less, and so on, each at least as large as the one before it, 1 at most. Nulls are no tests.
 */
export function holm(pValues: readonly (number | null)[]): (number | null)[] {
  const order = pValues.flatMap((p, i) => p === null ? [] : [i]).sort((a, b) => pValues[a]! - pValues[b]!);
  const corrected: (number | null)[] = pValues.map(() => null);
  let least = 0;
  order.forEach((i, rank) => {
    least = Math.max(least, Math.min(1, pValues[i]! * (order.length - rank)));
    corrected[i] = least;
  });
  return corrected;
}

function metricDifferences(
  pairs: readonly ComparablePair[],
  [first, second]: readonly [RankedPairs, RankedPairs],
  options: BootstrapOptions,
): Record<MetricName, MetricDifference> {
  const whole = [measureRanked(first), measureRanked(second)] as const;
  const samples = [
    ...resampledWeights(pairs, options)
      .map((weights) => [measureRanked(first, weights), measureRanked(second, weights)] as const),
  ];
  const differences = METRIC_NAMES.map((name) => {
    const sampled = samples.map((each) => difference(each, name)).filter((value) => value !== null);
    return [name, {
      first: whole[0][name],
      second: whole[1][name],
      difference: difference(whole, name),
      interval: percentiles(sampled, options),
      p_value: signPValue(sampled),
    }];
  });
  return Object.fromEntries(differences);
}

function difference([first, second]: readonly [Metrics, Metrics], name: MetricName): number | null {
  const [one, other] = [first[name], second[name]];
  return one === null || other === null ? null : one - other;
}

function signPValue(differences: readonly number[]): number | null {
  if (differences.length === 0) return null;
  const most = differences.filter((value) => value <= 0).length;
  const least = differences.filter((value) => value >= 0).length;
  return Math.min(1, 2 * (Math.min(most, least) + 1) / (differences.length + 1));
}
