/** The part of an axis that a chart shows: what a few values far from all others would flatten the rest for is left out. */

import type { ScatterSeriesOption } from "../packages/echarts.ts";
import { COLOURS } from "./colours.ts";
import { tickText } from "./labels.ts";
import type { Plot } from "./plot.ts";
import { linearTicks } from "./ticks.ts";

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

/** What a chart shows of values of which some may lie beyond its axis. */
export interface Clipping {
  /** Merged into the axis: its ends, where any value is beyond them. */
  readonly axis: { readonly min?: number; readonly max?: number };
  /** Triangles at the axis' ends, one for each value beyond them. */
  readonly marks: readonly ScatterSeriesOption[];
  readonly count: number;
  /** A sentence; nothing where no value is beyond. */
  readonly text: string;
}

/** A value by its place on the horizontal axis, and whatever else `dimensions` name of it. */
export type Row = readonly [x: number, value: number, ...more: number[]];

/** Shows the values of a span on the vertical axis and marks the others; `id` is that of the marks' series. */
export function clipping(
  id: string,
  span: Span,
  rows: readonly Row[],
  dimensions: readonly [x: string, value: string, ...more: string[]],
): Clipping {
  const beyond = rows.filter(([, value]) => value !== within(span, value));
  if (beyond.length === 0) return { axis: {}, marks: [], count: 0, text: "" };
  const ends = roundSpan(span);
  const [x, value, ...more] = dimensions;
  const marks: ScatterSeriesOption = {
    id,
    type: "scatter",
    symbol: "triangle",
    symbolSize: 9,
    itemStyle: { color: COLOURS.grey },
    // A name that begins so is not shown to a pointer.
    dimensions: [x, "_edge", value, ...more],
    data: beyond.map(([x, value, ...more]) => {
      const item = [x, value < span.low ? ends.low : ends.high, value, ...more];
      return value < span.low ? { value: item, symbolRotate: 180 } : item;
    }),
  };
  return {
    axis: { min: ends.low, max: ends.high },
    marks: [marks],
    count: beyond.length,
    text: outsideText(span, beyond.map(([, value]) => value), "are triangles at the edge"),
  };
}

/** A sentence on how many values are not where they belong; nothing where there is none. */
export function outsideText(span: Span, values: readonly number[], what = "count for the edge"): string {
  const below = values.filter((value) => value < span.low).length;
  const above = values.filter((value) => value > span.high).length;
  const parts = [...below > 0 ? [`${below} below`] : [], ...above > 0 ? [`${above} above`] : []];
  if (parts.length === 0) return "";
  const [from, to] = [span.low, span.high].map((end) => tickText(Number(end.toPrecision(3))));
  return ` Values beyond ${from} to ${to} (${parts.join(", ")}) ${what}.`;
}

/** What lets the axes of clipped charts reach all values; absent where no value is beyond. */
export function reachingAll(clippings: readonly Clipping[]): Plot["beyond"] {
  const count = clippings.reduce((sum, clipping) => sum + clipping.count, 0);
  if (count === 0) return undefined;
  // Null gives an axis its usual ends back.
  const free = { min: null, max: null } as unknown as { min?: number };
  return {
    count,
    option: {
      yAxis: clippings.map(({ count }) => count > 0 ? free : {}),
      series: clippings.flatMap(({ marks }) => marks.map(({ id }) => ({ id, type: "scatter" as const, data: [] }))),
    },
  };
}

/** The least span between round numbers that has all of this one. */
export function roundSpan({ low, high }: Span): Span {
  const [first, second] = linearTicks(low, high);
  const step = second - first;
  if (!(step > 0)) return { low, high };
  const rounded = (value: number, round: (value: number) => number) =>
    Number((round(value / step) * step).toPrecision(12));
  return { low: rounded(low, Math.floor), high: rounded(high, Math.ceil) };
}
