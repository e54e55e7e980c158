/**
 * The truncated standard normal on [a, b], in log space so that it stays exact far in the tails.
 *
 * Same formulas as Optuna 5's `_truncnorm.py`, which derives from SciPy (BSD licence): log Φ by `erfc` down to −20
 * and its asymptotic series below, the inverse by Newton's method on log Φ.
 */

import { erf, erfc } from "./erf.ts";

const LOG_SQRT_2PI = 0.5 * Math.log(2 * Math.PI);
const LOGISTIC_SCALE = Math.sqrt(3) / Math.PI;

/** Φ(x), the normal distribution function. */
export function ndtr(x: number): number {
  const t = x / Math.SQRT2;
  if (t < -Math.SQRT1_2) return 0.5 * erfc(-t);
  if (t < Math.SQRT1_2) return 0.5 + 0.5 * erf(t);
  return 1 - 0.5 * erfc(t);
}

/** log Φ(x); relative error below 1e-14 over the whole line. */
export function logNdtr(x: number): number {
  if (x > 0) return Math.log1p(-ndtr(-x));
  if (x > -20) return Math.log(ndtr(x));
  if (x === -Infinity) return -Infinity;
  // Φ(x) = φ(x)/|x| · (1 − 1/x² + 3/x⁴ − 15/x⁶ + …)
  const inverseSquare = 1 / (x * x);
  let sum = 1;
  let term = 1;
  for (let i = 1; i < 60; i++) {
    term *= -(2 * i - 1) * inverseSquare;
    const next = sum + term;
    if (Math.abs(next - sum) <= Number.EPSILON) {
      sum = next;
      break;
    }
    sum = next;
  }
  return -0.5 * x * x - Math.log(-x) - LOG_SQRT_2PI + Math.log(sum);
}

function logDifference(logP: number, logQ: number): number {
  return logP + Math.log1p(-Math.exp(logQ - logP));
}

function logSum(logP: number, logQ: number): number {
  const larger = Math.max(logP, logQ);
  if (larger === -Infinity) return -Infinity;
  return larger + Math.log1p(Math.exp(Math.min(logP, logQ) - larger));
}

/** log(Φ(b) − Φ(a)) for a ≤ b. */
export function logGaussMass(a: number, b: number): number {
  if (b <= 0) return logDifference(logNdtr(b), logNdtr(a));
  if (a > 0) return logDifference(logNdtr(-a), logNdtr(-b));
  return Math.log1p(-ndtr(a) - ndtr(-b));
}

/** The x with log Φ(x) = y, for y < 0. */
export function ndtriExp(y: number): number {
  const flipped = y > -1e-2;
  const z = flipped ? Math.log(-Math.expm1(y)) : y;
  let x = z < -5 ? -Math.sqrt(-2 * (z + LOG_SQRT_2PI)) : -LOGISTIC_SCALE * Math.log(Math.expm1(-z));
  for (let i = 0; i < 100; i++) {
    const logCdf = logNdtr(x);
    const dx = (logCdf - z) * Math.exp(logCdf + 0.5 * x * x + LOG_SQRT_2PI);
    x -= dx;
    if (Math.abs(dx) < 1e-8 * Math.abs(x)) break;
  }
  return flipped ? -x : x;
}

/** The q-quantile (0 ≤ q ≤ 1) of the standard normal truncated to [a, b]; NaN when a = b. */
export function truncatedNormalQuantile(q: number, a: number, b: number): number {
  if (a === b) return NaN;
  if (q === 0) return a;
  if (q === 1) return b;
  const logMass = logGaussMass(a, b);
  // The left tail of log Φ is the accurate one, so a right-hand interval is mirrored.
  if (a < 0) return ndtriExp(logSum(logNdtr(a), Math.log(q) + logMass));
  return -ndtriExp(logSum(logNdtr(-b), Math.log1p(-q) + logMass));
}
