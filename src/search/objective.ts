/** What a trial does: train with the values it proposes, report as it goes, and say how good they are. */
import type { Config } from "../config/config.ts";
import { EntailError } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { type Trial, TrialPruned } from "../studies/trial.ts";
import { Diverged, trainFold } from "../training/fold.ts";
import { busyShare } from "../training/live_status.ts";
import { meanStd } from "../evaluation/metrics.ts";
import { teacherTargets } from "../training/losses.ts";
import type { EpochEntry } from "../training/metrics_log.ts";
import type { Reporter } from "../training/reporter.ts";
import { foldSettings } from "../training/run.ts";
import { judgedF1 } from "../training/state.ts";
import { sampleConfig } from "./search_space.ts";
import { createTrialMetrics, type TrialMetrics } from "./trial_metrics.ts";
import type { Bench, Workbench } from "./workbench.ts";

/** A trial has failed in a way that says nothing about the next one; its study goes on. */
export class TrialFailed extends Error {
  constructor(cause: EntailError) {
    super(cause.message, { cause });
    this.name = "TrialFailed";
  }
}

/** Told about trials while they run. */
export interface TrialObserver {
  /** The trial's values are known; its training is about to begin. */
  started?(trial: Trial, config: Config): void;
  /** An epoch of a fold has been evaluated. */
  evaluated?(trial: Trial, fold: number, entry: EpochEntry): void;
}

export interface ObjectiveParts {
  workbench: Workbench;
  config: Config;
  reporter: Reporter;
  observer?: TrialObserver;
  signal?: AbortSignal;
}

/** User attributes of a trial. */
export const OUT_OF_MEMORY = "out_of_memory";
export const FIXED_SECONDS = "fixed_seconds";
/** Of a trial's seconds, those in which the device had work. */
export const DEVICE_SECONDS = "device_seconds";
/** Of a trial that runs, noted now and then: how busy the device was since the last note, and the memory taken of it. */
export const DEVICE_BUSY = "device_busy";
export const DEVICE_BYTES = "device_bytes";
/** The process, or rather the sitting of the study, that has run the trial. */
export const WORKER = "worker";

/**
 * The objective of a study: the best F1 of a single split, or the mean over the folds of each fold's best F1.
 *
 * Reports, for the pruner: in `single_split` the best F1 so far, every `report_interval` epochs, at the epoch as step; in
 * `kfold` after fold k the mean best F1 of the folds so far, at step k + 1. The mean is what the trial will be judged by
 * and, at each step, is over the same folds in all trials; the best of the folds would only tell which fold is easy.
 *
 * A trial that the device has no memory for ends as PRUNED with the user attribute `out_of_memory`; a loss that is no
 * longer a number or a lost device ends it as FAIL (`TrialFailed`). Any other error is not the trial's and is thrown on.
 */
export function createObjective(parts: ObjectiveParts): (trial: Trial) => Promise<number> {
  const { workbench, config, observer } = parts;
  return async (trial) => {
    const sampled = sampleConfig(trial, config);
    observer?.started?.(trial, sampled);
    const deviceSeconds = measureDevice(workbench.gpu);
    const metrics = createTrialMetrics();
    try {
      return await runTrial(parts, trial, sampled, metrics);
    } catch (error) {
      if (!(error instanceof EntailError) || error.kind === "interrupted") throw error;
      if (error instanceof Diverged) throw new TrialFailed(error);
      if (error.kind !== "memory" && error.kind !== "adapter") throw error;
      await workbench.recover(error.kind === "adapter");
      if (error.kind === "adapter") throw new TrialFailed(error);
      await trial.setUserAttr(OUT_OF_MEMORY, true);
      throw new TrialPruned(error.message);
    } finally {
      await trial.setUserAttrs({ ...metrics.attributes(), [DEVICE_SECONDS]: deviceSeconds() });
    }
  };
}

/** From now on: the seconds in which the device had work, as far as the host can tell. */
function measureDevice({ activity }: Gpu): () => number {
  const began = performance.now();
  const idle = activity.idleMilliseconds();
  return () => (performance.now() - began - (activity.idleMilliseconds() - idle)) / 1000;
}

/** Milliseconds between two notes on the device. */
const NOTE_MS = 5000;

/** Notes with the trial how busy the device is, but not too often. */
function deviceNotes(trial: Trial, { activity }: Gpu): (bytes: number) => Promise<void> {
  const busy = busyShare(activity);
  let noted = performance.now();
  return async (bytes) => {
    if (performance.now() - noted < NOTE_MS) return;
    noted = performance.now();
    await trial.setUserAttrs({ [DEVICE_BUSY]: busy(), [DEVICE_BYTES]: bytes });
  };
}

async function runTrial(
  parts: ObjectiveParts,
  trial: Trial,
  sampled: Config,
  metrics: TrialMetrics,
): Promise<number> {
  const started = performance.now();
  const bench = await parts.workbench.prepare(sampled);
  let fixed = performance.now() - started;
  const { mode } = sampled.hpo.hpo_mode;
  const noteDevice = deviceNotes(trial, parts.workbench.gpu);
  const scores: number[] = [];
  for (const fold of bench.folds) {
    const f1 = await trainTrialFold(parts, bench, trial, fold, {
      initialised: (milliseconds) => fixed += milliseconds,
      evaluated: (entry) => metrics.evaluated(fold, entry),
      noteDevice,
    });
    scores.push(f1);
    if (mode === "kfold") await report(trial, meanStd(scores).mean, scores.length);
  }
  await trial.setUserAttr(FIXED_SECONDS, fixed / 1000);
  return meanStd(scores).mean;
}

async function trainTrialFold(
  { reporter, observer, signal }: ObjectiveParts,
  { session, tokenBudget, config, model, data, teacher, rewriteOf, initialise }: Bench,
  trial: Trial,
  fold: number,
  told: {
    initialised(milliseconds: number): void;
    evaluated(entry: EpochEntry): void;
    noteDevice(bytes: number): Promise<void>;
  },
): Promise<number> {
  const { pairs, tokens, folds } = data;
  const indices = pairs.map((_, index) => index);
  const train = indices.filter((index) => folds[index] !== fold);
  const { mode } = config.hpo.hpo_mode;
  const interval = config.hpo.pruner.report_interval;
  let reported = 0;
  const { best } = await trainFold({
    session,
    settings: foldSettings(config, model.config, train.map((index) => pairs[index].label), tokenBudget),
    fold,
    pairs,
    tokens,
    train,
    validation: indices.filter((index) => folds[index] === fold),
    rewrite: rewriteOf(train),
    teacher: teacher && teacherTargets(config.model, teacher),
    async initialise() {
      const started = performance.now();
      await initialise();
      told.initialised(performance.now() - started);
    },
    tokenizerFolder: model.tokenizerFolder,
    outputFolder: null,
    checkpointFolder: null,
    reporter,
    recorder: {
      foldStarted() {},
      // Optimizer steps are left out: over all trials of a study they are too many to keep.
      logged(fold, entries) {
        for (const entry of entries) {
          if ("step" in entry) continue;
          told.evaluated(entry);
          observer?.evaluated?.(trial, fold, entry);
        }
      },
    },
    signal,
    async onEvaluation(epoch, best) {
      await told.noteDevice(session.bytes);
      // A last epoch that `training.max_steps` cut short counts as one.
      const step = Math.ceil(epoch);
      if (mode !== "single_split" || step < reported + interval) return;
      reported = step;
      await report(trial, judgedF1(best), step);
    },
  });
  return judgedF1(best!);
}

/** Tells the pruner how far the trial is, and ends it if that is not good enough. */
async function report(trial: Trial, value: number, step: number): Promise<void> {
  await trial.report(value, step);
  if (await trial.shouldPrune()) throw new TrialPruned(`pruned at step ${step}`);
}
