/** The loop that runs an objective trial after trial. */

import { EntailError } from "../errors.ts";
import { type FrozenTrial, isFinished } from "./frozen_trial.ts";
import { failStaleTrials, type HeartbeatOptions, startHeartbeat } from "./heartbeat.ts";
import type { Storage } from "./storage.ts";
import type { TellOptions } from "./tell.ts";
import { type Trial, TrialPruned } from "./trial.ts";

/** Computes the value of one trial. */
export type Objective = (trial: Trial) => number | Promise<number>;

/**
 * The parts of a study that the loop uses.
 * @internal
 */
export interface OptimizedStudy {
  readonly studyId: number;
  readonly studyName: string;
  readonly storage: Storage;
  readonly heartbeat: HeartbeatOptions | null;
  refresh(): Promise<readonly FrozenTrial[]>;
  ask(signal: AbortSignal | null): Promise<Trial>;
  askUpTo(totalTrials: number, signal: AbortSignal | null): Promise<Trial | null>;
  tell(trial: Trial, value: number | null, options: TellOptions): Promise<FrozenTrial>;
}

/** Called after each trial; may call `study.stop()`. */
export type StudyCallback<Study = OptimizedStudy> = (study: Study, trial: FrozenTrial) => void | Promise<void>;

/** How `study.optimize` runs trials. */
export interface OptimizeOptions<Study = OptimizedStudy> {
  /** Trials to run in this call; without it, until `study.stop()` or the signal. */
  nTrials?: number;
  /**
   * Ends when the study has, or will have once the trials that other processes run have ended, so many finished trials.
   * However many processes share the study, they start none too many.
   */
  totalTrials?: number;
  /** Seconds after which no further trial begins; those that run go on to their end. */
  timeout?: number;
  /** Trials that run side by side in this process (1); -1: as many as it has processors. */
  nJobs?: number;
  /** Called after each trial, in order. */
  callbacks?: readonly StudyCallback<Study>[];
  /** Aborting it ends the study cleanly, see `Study.optimize`. */
  signal?: AbortSignal;
  /** Classes of the objective's errors for which the study goes on (their trials are FAIL in any case). Default: none. */
  catch?: ErrorClass | readonly ErrorClass[];
}

/** A class of errors. */
// deno-lint-ignore no-explicit-any
export type ErrorClass = abstract new (...args: any[]) => Error;

/** What became of the objective. */
type Outcome = { value: number } | { error: unknown } | { aborted: true };

export async function optimize<Study extends OptimizedStudy>(
  study: Study,
  objective: Objective,
  options: OptimizeOptions<Study>,
  stopRequested: () => boolean,
): Promise<void> {
  const { nTrials = Infinity, totalTrials, timeout = Infinity, nJobs = 1, callbacks = [], signal = null } = options;
  if (!Number.isInteger(nJobs) || nJobs === 0 || nJobs < -1) {
    throw new EntailError("usage", `optimize: nJobs must be a whole number of at least 1, or -1, not ${nJobs}`);
  }
  const accepted = [options.catch ?? []].flat();
  const accepts = (error: unknown) => accepted.some((type) => error instanceof type);
  const aborted = signal === null ? null : abortOf(signal);
  const began = performance.now();
  let started = 0;
  let failed = false;
  const isOver = () => started >= nTrials || failed || stopRequested() || performance.now() - began >= timeout * 1000;
  const job = async () => {
    while (!isOver()) {
      started++;
      if (signal?.aborted) throw interrupted(study);
      if (study.heartbeat !== null) await failStaleTrials(study.storage, study.studyId, study.heartbeat);
      const trial = totalTrials === undefined ? await study.ask(signal) : await study.askUpTo(totalTrials, signal);
      if (trial === null) return;
      const { told, fatal } = await runTrial(study, trial, objective, aborted, accepts);
      for (const callback of callbacks) await callback(study, told);
      if (fatal !== null) throw fatal.error;
    }
  };
  const jobs = Array.from(
    { length: nJobs === -1 ? navigator.hardwareConcurrency : nJobs },
    () =>
      job().catch((error) => {
        failed = true;
        throw error;
      }),
  );
  // The others' trials are over before an error is thrown on.
  for (const result of await Promise.allSettled(jobs)) if (result.status === "rejected") throw result.reason;
}

function interrupted(study: OptimizedStudy): EntailError {
  return new EntailError("interrupted", `study ${study.studyName} was interrupted; run it again to continue`);
}

async function runTrial(
  study: OptimizedStudy,
  trial: Trial,
  objective: Objective,
  aborted: Promise<Outcome> | null,
  accepts: (error: unknown) => boolean,
): Promise<{ told: FrozenTrial; fatal: { error: unknown } | null }> {
  const { signal } = trial;
  let stopHeartbeat = () => {};
  try {
    if (study.heartbeat !== null) {
      stopHeartbeat = await startHeartbeat(study.storage, trial.trialId, study.heartbeat);
    }
    const running = run(trial, objective);
    const outcome = aborted === null ? await running : await Promise.race([running, aborted]);
    const ending = "aborted" in outcome || ("error" in outcome && signal?.aborted)
      ? { value: null, options: { state: "FAIL", failReason: "interrupted" } as TellOptions }
      : endingOf(outcome);
    // Another process may have declared this one dead, after a long standstill: its objective's errors then come from that.
    const current = (await study.refresh()).find((candidate) => candidate.trialId === trial.trialId);
    const lost = current !== undefined && isFinished(current.state);
    const told = await study.tell(trial, ending.value, { ...ending.options, skipIfFinished: true });
    await running;
    if (signal?.aborted) return { told, fatal: { error: interrupted(study) } };
    const failed = "error" in outcome && !lost && !(outcome.error instanceof TrialPruned) && !accepts(outcome.error);
    return { told, fatal: failed ? outcome : null };
  } finally {
    stopHeartbeat();
  }
}

/** The objective's outcome, never rejected. */
async function run(trial: Trial, objective: Objective): Promise<Outcome> {
  try {
    const value = await objective(trial);
    await trial.settle();
    return { value };
  } catch (error) {
    return { error };
  }
}

function abortOf(signal: AbortSignal): Promise<Outcome> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve({ aborted: true });
    signal.addEventListener("abort", () => resolve({ aborted: true }), { once: true });
  });
}

function endingOf(outcome: Outcome): { value: number | null; options: TellOptions } {
  if ("value" in outcome) {
    const { value } = outcome;
    if (typeof value === "number" && !Number.isNaN(value)) return { value, options: {} };
    return { value: null, options: { state: "FAIL", failReason: `the objective returned ${value}` } };
  }
  const error = "error" in outcome ? outcome.error : null;
  if (error instanceof TrialPruned) return { value: null, options: { state: "PRUNED" } };
  const failReason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { value: null, options: { state: "FAIL", failReason } };
}
