/** Exact decimal arithmetic on printed numbers, as far as a search space's step needs it (Python's `decimal`). */

import { pythonFloat } from "./python_text.ts";

interface Decimal {
  /** The number is digits · 10^-scale. */
  readonly digits: bigint;
  readonly scale: number;
}

function parseDecimal(value: number): Decimal {
  const [, sign, whole, fraction = "", exponent = "0"] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(
    pythonFloat(value),
  )!;
  const scale = fraction.length - Number(exponent);
  const digits = BigInt(`${sign}${whole}${fraction}`);
  return scale >= 0 ? { digits, scale } : { digits: digits * 10n ** BigInt(-scale), scale: 0 };
}

function atScale(value: Decimal, scale: number): bigint {
  return value.digits * 10n ** BigInt(scale - value.scale);
}

function toNumber(digits: bigint, scale: number): number {
  return Number(`${digits}e-${scale}`);
}

/** The largest low + k·step that is at most high, computed on the decimal digits that the three numbers print. */
export function lastReachableStep(low: number, high: number, step: number): number {
  const [l, h, s] = [low, high, step].map(parseDecimal);
  const scale = Math.max(l.scale, h.scale, s.scale);
  const range = atScale(h, scale) - atScale(l, scale);
  const unit = atScale(s, scale);
  if (range % unit === 0n) return high;
  return toNumber((range / unit) * unit + atScale(l, scale), scale);
}

/** Whether high − low < step, on the decimal digits that the three numbers print. */
export function rangeBelowStep(low: number, high: number, step: number): boolean {
  const [l, h, s] = [low, high, step].map(parseDecimal);
  const scale = Math.max(l.scale, h.scale, s.scale);
  return atScale(h, scale) - atScale(l, scale) < atScale(s, scale);
}
