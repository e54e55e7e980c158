/**
 * Confidence intervals by the percentile bootstrap over posts (Efron and Tibshirani, 1993, chapter 13): posts are drawn
 * with replacement, each with all its pairs, because the pairs of a post are not independent of each other.
 */
import { mixSeeds } from "../random/mix.ts";
import { Mt19937 } from "../random/mt19937.ts";
import { type JudgedPair, measureRanked, METRIC_NAMES, type MetricName, rankPairs } from "./metrics.ts";

/** How posts are drawn. */
export interface BootstrapOptions {
  /** Of the draws. */
  seed: number;
  /** How often the posts are drawn. */
  resamples?: number;
  /** The share of resamples within an interval. */
  level?: number;
}

export const BOOTSTRAP = { resamples: 1000, level: 0.95 } as const;

/** The bounds of each metric; null where no resample has it. */
export type Intervals = Record<MetricName, [low: number, high: number] | null>;

/**
 * How often each pair is drawn, resample after resample, in an array that is used again. With seed s, resample r draws n
 * post numbers, in order of appearance, by the generator of mixSeeds(s, r).
 */
export function* resampledWeights(
  pairs: readonly { postId: string }[],
  { seed, resamples = BOOTSTRAP.resamples }: BootstrapOptions,
): Generator<Uint32Array> {
  const numbers = new Map<string, number>();
  const posts = Uint32Array.from(pairs, ({ postId }) => {
    if (!numbers.has(postId)) numbers.set(postId, numbers.size);
    return numbers.get(postId)!;
  });
  const drawn = new Uint32Array(numbers.size);
  const weights = new Uint32Array(pairs.length);
  for (let resample = 0; resample < resamples; resample++) {
    const random = new Mt19937(mixSeeds(seed, resample));
    drawn.fill(0);
    for (let i = 0; i < drawn.length; i++) drawn[random.interval(drawn.length - 1)]++;
    for (let i = 0; i < weights.length; i++) weights[i] = drawn[posts[i]];
    yield weights;
  }
}

/** The intervals of all metrics of pairs whose decisions are given. */
export function bootstrapIntervals(
  pairs: readonly (JudgedPair & { postId: string })[],
  options: BootstrapOptions,
): Intervals {
  const ranked = rankPairs(pairs);
  const samples = [...resampledWeights(pairs, options).map((weights) => measureRanked(ranked, weights))];
  const intervals = METRIC_NAMES.map((name) => [name, percentiles(samples.map((each) => each[name]), options)]);
  return Object.fromEntries(intervals);
}

/** The bounds between which a share `level` of the values lies, NumPy's `percentile`; nulls and NaN are left out. */
export function percentiles(
  values: readonly (number | null)[],
  { level = BOOTSTRAP.level }: { level?: number } = {},
): [low: number, high: number] | null {
  const sorted = Float64Array.from(values.filter((value) => value !== null && !Number.isNaN(value)) as number[]).sort();
  if (sorted.length === 0) return null;
  const at = (share: number): number => {
    const place = share * (sorted.length - 1);
    const [below, above] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
    return below + (place - Math.floor(place)) * (above - below);
  };
  return [at((1 - level) / 2), at((1 + level) / 2)];
}
