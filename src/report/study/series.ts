/** What the charts of a study show, as numbers. */
import { constraintViolation, type Direction, type FrozenTrial } from "../../studies/frozen_trial.ts";
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
