/** A trial as it is stored: what samplers, pruners and readers of a study see. */

import type { Distribution, ParamValue } from "./distributions.ts";
import type { JsonValue } from "./python_text.ts";

/** Whether the lowest or the highest value is the best. */
export type Direction = "minimize" | "maximize";
/** Optuna's states; WAITING: queued. */
export type TrialState = "RUNNING" | "COMPLETE" | "PRUNED" | "FAIL" | "WAITING";

/** A snapshot of one trial. Never changed in place once handed out; a finished trial never changes at all. */
export interface FrozenTrial {
  /** The storage's own identifier, unique over all studies. */
  readonly trialId: number;
  /** Consecutive within the study, from 0. */
  readonly number: number;
  /** How far it is. */
  readonly state: TrialState;
  /** The objective's value; null when there is none. For PRUNED the value at the largest step. */
  readonly value: number | null;
  /** All objective values (one, unless the study was made elsewhere with several objectives), or null. */
  readonly values: readonly number[] | null;
  /** The parameters by name. */
  readonly params: Readonly<Record<string, ParamValue>>;
  /** Where each comes from. */
  readonly distributions: Readonly<Record<string, Distribution>>;
  /** The parameters as numbers: a categorical as the index of its choice. */
  readonly internalParams: Readonly<Record<string, number>>;
  /** Reported values by step, in the order of reporting. */
  readonly intermediateValues: ReadonlyMap<number, number>;
  /** What the user has stored with it. */
  readonly userAttrs: Readonly<Record<string, JsonValue>>;
  /** What samplers and pruners have. */
  readonly systemAttrs: Readonly<Record<string, JsonValue>>;
  /** null: it has not begun. */
  readonly datetimeStart: Date | null;
  /** null: it has not ended. */
  readonly datetimeComplete: Date | null;
}

export function isFinished(state: TrialState): boolean {
  return state === "COMPLETE" || state === "PRUNED" || state === "FAIL";
}

/** The largest step with a reported value, or null. */
export function lastStep(trial: FrozenTrial): number | null {
  let last: number | null = null;
  for (const step of trial.intermediateValues.keys()) {
    if (last === null || step > last) last = step;
  }
  return last;
}

/** Constraint values by name (a positive one is violated), from both forms that Optuna stores. */
export function constraintsOf(trial: FrozenTrial): Map<string, number> {
  const constraints = new Map<string, number>();
  const list = trial.systemAttrs.constraints;
  if (Array.isArray(list)) list.forEach((value, i) => constraints.set(String(i), Number(value)));
  for (const key in trial.systemAttrs) {
    if (key.startsWith("constraints:")) constraints.set(key.slice(12), Number(trial.systemAttrs[key]));
  }
  return constraints;
}

/** The sum of the violated constraints' values: 0 for a feasible trial. */
export function constraintViolation(trial: FrozenTrial): number {
  let sum = 0;
  for (const key in trial.systemAttrs) {
    if (!key.startsWith("constraints")) continue;
    // Rare: most studies have no constraints, and this is asked for every trial of a history.
    for (const value of constraintsOf(trial).values()) if (value > 0) sum += value;
    break;
  }
  return sum;
}

/** The feasible COMPLETE trials, the best first value first, of equals the earlier. */
export function rankTrials(trials: readonly FrozenTrial[], direction: Direction): FrozenTrial[] {
  const sign = direction === "maximize" ? -1 : 1;
  return trials
    .filter((trial) => trial.state === "COMPLETE" && trial.value !== null && constraintViolation(trial) === 0)
    // Compared, not subtracted: two infinities have no difference.
    .sort((a, b) => a.value === b.value ? a.number - b.number : a.value! < b.value! ? -sign : sign);
}

/** The feasible COMPLETE trial with the best first value, the earliest of equals, or null. */
export function bestOf(trials: readonly FrozenTrial[], direction: Direction): FrozenTrial | null {
  let best: FrozenTrial | null = null;
  for (const trial of trials) {
    if (trial.state !== "COMPLETE" || trial.value === null || constraintViolation(trial) > 0) continue;
    if (
      best === null || (direction === "minimize" ? trial.value < best.value! : trial.value > best.value!)
    ) best = trial;
  }
  return best;
}
