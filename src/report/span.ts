/** The part of an axis that a chart shows: what a few values far from all others would flatten the rest for is left out. */

import { tickText } from "./labels.ts";

export interface Span {
  readonly low: number;
  readonly high: number;
}

/** How far beyond the quartiles a value may lie, in interquartile ranges: Tukey's "far out" (1977). */
const FAR_OUT = 3;
/** What is far out is left out only where the rest would have less than this share of the axis. */
const SMALLEST_SHARE = 0.1;

/** The span of finite values, at least one; those of `kept` lie in it, whatever the others are. */
export function spanOf(values: readonly number[], kept: readonly number[] = []): Span {
  const sorted = Float64Array.from([...values, ...kept]).sort();
  const whole = { low: sorted[0], high: sorted[sorted.length - 1] };
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))];
  const spread = at(0.75) - at(0.25) || usualDistance(sorted, at(0.5));
  if (spread === 0) return whole;
  const fences = { low: at(0.25) - FAR_OUT * spread, high: at(0.75) + FAR_OUT * spread };
  const inside = [...sorted.filter((value) => value >= fences.low && value <= fences.high), ...kept];
  const most = { low: inside.reduce((a, b) => Math.min(a, b)), high: inside.reduce((a, b) => Math.max(a, b)) };
  return most.high - most.low < SMALLEST_SHARE * (whole.high - whole.low) ? most : whole;
}

/** The median distance from the middle of the values that are not in it; 0 where all are. */
function usualDistance(values: Float64Array, middle: number): number {
  const distances = values.map((value) => Math.abs(value - middle)).filter((distance) => distance > 0).sort();
  return distances[(distances.length - 1) >> 1] ?? 0;
}

export const within = ({ low, high }: Span, value: number): number => Math.min(Math.max(value, low), high);

/** A sentence on how many values a chart shows at its edge instead of where they are; nothing where there is none. */
export function beyondText(span: Span, values: readonly number[]): string {
  const below = values.filter((value) => value < span.low).length;
  const above = values.filter((value) => value > span.high).length;
  const parts = [...below > 0 ? [`${below} below`] : [], ...above > 0 ? [`${above} above`] : []];
  if (parts.length === 0) return "";
  const [from, to] = [span.low, span.high].map((end) => tickText(Number(end.toPrecision(3))));
  return ` Values beyond ${from} to ${to} (${parts.join(", ")}) are drawn at the edge.`;
}
