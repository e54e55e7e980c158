/** What a trial is told at its end, and what of it is stored. */

import { EntailError } from "../errors.ts";
import { withoutPasswords } from "../formats/secrets.ts";
import { type FrozenTrial, lastStep } from "./frozen_trial.ts";

/** How `study.tell` ends a trial. */
export interface TellOptions {
  /** Default: COMPLETE for a value, FAIL for none or NaN. */
  state?: "COMPLETE" | "PRUNED" | "FAIL";
  /** Leave a trial alone that has ended already (another process may have declared it dead) instead of throwing. */
  skipIfFinished?: boolean;
  /** Stored as the user attribute `fail_reason` when the trial ends as FAIL. */
  failReason?: string;
}

/** The state and values to store: Optuna's rules for what an objective returns. */
export function outcomeOf(
  trial: FrozenTrial,
  value: number | null,
  state: TellOptions["state"],
): { state: "COMPLETE" | "PRUNED" | "FAIL"; values: number[] | null } {
  const usable = typeof value === "number" && !Number.isNaN(value);
  if (state === undefined) return usable ? { state: "COMPLETE", values: [value] } : { state: "FAIL", values: null };
  if (state === "COMPLETE") {
    if (!usable) throw new EntailError("usage", `trial ${trial.number}: COMPLETE needs a value that is a number`);
    return { state, values: [value] };
  }
  if (value !== null) throw new EntailError("usage", `trial ${trial.number}: ${state} takes no value`);
  if (state === "FAIL") return { state, values: null };
  const step = lastStep(trial);
  const last = step === null ? NaN : trial.intermediateValues.get(step)!;
  return { state, values: Number.isNaN(last) ? null : [last] };
}

/** Attributes are shown in tables: longer reasons are cut. */
const MOST_LETTERS = 400;

/** A reason as it is stored. */
export function reasonText(reason: string): string {
  const text = withoutPasswords(reason);
  return text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS - 1)}…` : text;
}
