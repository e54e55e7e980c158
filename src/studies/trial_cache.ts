/** Trials of one study that have been read, so that only what changed is read again. */

import { type FrozenTrial, isFinished } from "./frozen_trial.ts";

/**
 * Finished trials never change and ids only grow, so a reader needs: the trials it has not seen (larger ids), those
 * that were unfinished when it last looked, and those it has changed itself.
 */
export class TrialCache {
  #byNumber = new Map<number, FrozenTrial>();
  #unfinished = new Set<number>();
  #changed = new Set<number>();
  #largestId = -1;
  #list: readonly FrozenTrial[] | null = [];

  get largestId(): number {
    return this.#largestId;
  }

  /** Takes the ids to read again: all unfinished ones, or only those changed here when nobody else has written. */
  takeStale(changedByOthers: boolean): number[] {
    const stale = changedByOthers ? new Set([...this.#unfinished, ...this.#changed]) : this.#changed;
    this.#changed = new Set();
    return [...stale];
  }

  /** Notes that this process has written to a trial. */
  markChanged(trialIds: readonly number[]): void {
    for (const trialId of trialIds) this.#changed.add(trialId);
  }

  /** Takes in trials as read. Of two trials with the same number the later read one counts, as in Optuna. */
  put(trials: readonly FrozenTrial[]): void {
    this.#list = trials.length === 0 ? this.#list : updated(this.#list, trials);
    for (const trial of trials) {
      this.#byNumber.set(trial.number, trial);
      if (isFinished(trial.state)) this.#unfinished.delete(trial.trialId);
      else this.#unfinished.add(trial.trialId);
      if (trial.trialId > this.#largestId) this.#largestId = trial.trialId;
    }
  }

  /** All trials in order of number; a new array whenever something has changed. */
  list(): readonly FrozenTrial[] {
    return this.#list ??= [...this.#byNumber.values()].sort((a, b) => a.number - b.number);
  }
}

/** The list with trials replaced or appended; null when it has gaps, or several are new: then it is sorted anew. */
function updated(list: readonly FrozenTrial[] | null, trials: readonly FrozenTrial[]): readonly FrozenTrial[] | null {
  if (list === null || trials.length > 8) return null;
  const next = [...list];
  for (const trial of trials) {
    if (trial.number === next.length || next[trial.number]?.number === trial.number) next[trial.number] = trial;
    else return null;
  }
  return next;
}
