/** Temperature scaling (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017) for a binary score. */

/** A pair's score, the log-odds that the model gives it, and its label, 0 or 1. */
export interface ScoredLabel {
  /** Log-odds of the positive class. */
  score: number;
  /** 0 or 1. */
  label: number;
}

/** Probability of the positive class: the sigmoid of score / temperature. */
export function probabilityOf(score: number, temperature = 1): number {
  const z = score / temperature;
  return z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z));
}

/**
 * The score whose sigmoid a probability is. One that has been rounded to 0 or 1 comes back as the score at which that
 * begins, about ±36.7.
 */
export function scoreOf(probability: number): number {
  const p = Math.min(Math.max(probability, Number.EPSILON / 2), 1 - Number.EPSILON / 2);
  return Math.log(p) - Math.log1p(-p);
}

/** Temperatures between which a minimum is looked for. */
const TEMPERATURES = { lowest: 0.01, highest: 100 };

/**
 * The temperature at which the negative log-likelihood of the labels is lowest, to the last bits of a double. The
 * likelihood is convex in 1 / temperature, so the sign of its slope halves the interval. 1, which changes nothing, where
 * there is no minimum from 0.01 to 100: no score on the wrong side of 0, or scores that are wrong more than right.
 */
export function fitTemperature(pairs: readonly ScoredLabel[]): number {
  const slope = (inverse: number): number =>
    pairs.reduce((sum, { score, label }) => sum + score * (probabilityOf(score * inverse) - label), 0);
  let low = 1 / TEMPERATURES.highest;
  let high = 1 / TEMPERATURES.lowest;
  if (!(slope(low) < 0 && slope(high) > 0)) return 1;
  while (true) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) return 1 / middle;
    if (slope(middle) < 0) low = middle;
    else high = middle;
  }
}
