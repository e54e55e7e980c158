/** Which trials TPE calls good: the split that the two Parzen estimators are fitted to. */

import { constraintViolation, type Direction, type FrozenTrial, lastStep } from "./frozen_trial.ts";

/** How many of n finished trials are good: a tenth, at most 25. */
export function goodCount(n: number): number {
  return Math.min(Math.ceil(0.1 * n), 25);
}

export interface Split {
  /** Both in order of number; running trials are bad ones. */
  readonly good: readonly FrozenTrial[];
  readonly bad: readonly FrozenTrial[];
}

/** Pruned trials that got further are better; at the same step the better value is. No report at all comes last. */
function prunedScore(trial: FrozenTrial, direction: Direction): [number, number] {
  const step = lastStep(trial);
  if (step === null) return [1, 0];
  const value = trial.intermediateValues.get(step)!;
  if (Number.isNaN(value)) return [-step, Infinity];
  return [-step, direction === "minimize" ? value : -value];
}

function compare(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The `count` items with the smallest keys; of equal keys the earlier items. */
function smallest<T>(items: readonly T[], keys: readonly number[], count: number): T[] {
  if (items.length <= count) return [...items];
  if (count === 0) return [];
  const limit = Float64Array.from(keys).sort()[count - 1];
  let ties = count - keys.filter((key) => key < limit).length;
  return items.filter((_, i) => keys[i] < limit || (keys[i] === limit && ties-- > 0));
}

/**
 * Splits COMPLETE, PRUNED and RUNNING trials (in order of number) into the `goodCount` best and the rest. COMPLETE ones come
 * first by value, then PRUNED ones, then those that violate a constraint by how much. FAIL and WAITING are ignored.
 */
export function splitTrials(trials: readonly FrozenTrial[], direction: Direction): Split {
  const complete: FrozenTrial[] = [];
  const pruned: FrozenTrial[] = [];
  const infeasible: FrozenTrial[] = [];
  let finished = 0;
  for (const trial of trials) {
    if (trial.state !== "COMPLETE" && trial.state !== "PRUNED") continue;
    finished++;
    if (constraintViolation(trial) > 0) infeasible.push(trial);
    else if (trial.state === "COMPLETE") complete.push(trial);
    else pruned.push(trial);
  }
  const count = goodCount(finished);
  const sign = direction === "minimize" ? 1 : -1;
  const good = new Set(smallest(complete, complete.map((trial) => sign * trial.value!), count));
  if (good.size < count) {
    const scores = new Map(pruned.map((trial) => [trial, prunedScore(trial, direction)]));
    pruned.sort((a, b) => {
      const [x, y] = [scores.get(a)!, scores.get(b)!];
      return compare(x[0], y[0]) || compare(x[1], y[1]);
    });
    for (const trial of pruned.slice(0, count - good.size)) good.add(trial);
  }
  if (good.size < count) {
    infeasible.sort((a, b) => compare(constraintViolation(a), constraintViolation(b)));
    for (const trial of infeasible.slice(0, count - good.size)) good.add(trial);
  }
  const isBad = (trial: FrozenTrial) => trial.state !== "FAIL" && trial.state !== "WAITING" && !good.has(trial);
  return { good: trials.filter((trial) => good.has(trial)), bad: trials.filter(isBad) };
}
