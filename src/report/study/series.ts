/** What the charts of a study show, as numbers. */
import { constraintViolation, type Direction, type FrozenTrial } from "../../studies/frozen_trial.ts";
import { SCALE } from "../colours.ts";
import { type Span, spanOf } from "../span.ts";

export type Point = readonly [x: number, y: number];

/** COMPLETE trials with a finite value: those that can be drawn, and that importances are computed from. */
export function drawable(trials: readonly FrozenTrial[]): FrozenTrial[] {
  return trials.filter(({ state, value }) => state === "COMPLETE" && Number.isFinite(value));
}

/** The best value up to each trial that can be drawn, in order of number; those that violate a constraint do not count. */
export function runningBest(trials: readonly FrozenTrial[], direction: Direction): Point[] {
  const points: Point[] = [];
  let best: number | null = null;
  for (const trial of drawable(trials)) {
    if (constraintViolation(trial) === 0) {
      const value = trial.value!;
      if (best === null || (direction === "maximize" ? value > best : value < best)) best = value;
    }
    if (best !== null) points.push([trial.number, best]);
  }
  return points;
}

/** The span of the values of trials that can be drawn, at least one; the best is in it, however far it is from the others. */
export function valueSpan(trials: readonly FrozenTrial[], direction: Direction): Span {
  const values = trials.map(({ value }) => value!);
  return spanOf(values, [values.reduce((a, b) => direction === "maximize" ? Math.max(a, b) : Math.min(a, b))]);
}

/** A trial's reported values by step, cut where one is not finite. */
export function curves(trial: FrozenTrial): Point[][] {
  const pieces: Point[][] = [[]];
  for (const point of [...trial.intermediateValues].sort((a, b) => a[0] - b[0])) {
    if (Number.isFinite(point[1])) pieces.at(-1)!.push(point);
    else pieces.push([]);
  }
  return pieces.filter((piece) => piece.length > 0);
}

/** Where each value ranks, from 0 for the worst to 1 for the best; equal ones share the mean of their places. */
export function rankShares(values: readonly number[], direction: Direction): number[] {
  const last = values.length - 1;
  if (last === 0) return [0.5];
  const sorted = Float64Array.from(values).sort();
  const firstAt = (value: number): number => {
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle] < value) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const places = new Map<number, number>();
  for (const value of new Set(values)) {
    const first = firstAt(value);
    let end = first;
    while (sorted[end] === value) end++;
    places.set(value, (first + end - 1) / 2 / last);
  }
  return values.map((value) => direction === "maximize" ? places.get(value)! : 1 - places.get(value)!);
}

/** The colour of a rank share: a part of `SCALE`. */
export const scaleStep = (share: number): number => Math.min(Math.floor(share * SCALE.length), SCALE.length - 1);
