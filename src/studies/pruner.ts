/** What a pruner is. */

import type { Direction, FrozenTrial } from "./frozen_trial.ts";
import type { JsonValue } from "./python_text.ts";

/** Everything that a decision depends on. */
export interface PruningContext {
  /** The study. */
  readonly studyName: string;
  /** Of its value. */
  readonly direction: Direction;
  /** All trials of the study in order of number, the current one included. */
  readonly trials: readonly FrozenTrial[];
  /** The trial to decide about, with all its reports. */
  readonly trial: FrozenTrial;
}

/** What a pruner says. */
export interface PruningDecision {
  /** Whether the trial is to end. */
  readonly prune: boolean;
  /** System attributes to store with the trial. */
  readonly systemAttrs: Readonly<Record<string, JsonValue>>;
}

/** Decides, after a report, whether a trial should stop early. */
export interface Pruner {
  /** Asked after a report, of the trial that has reported. */
  decide(context: PruningContext): PruningDecision;
}

export const KEEP: PruningDecision = { prune: false, systemAttrs: {} };
export const PRUNE: PruningDecision = { prune: true, systemAttrs: {} };
