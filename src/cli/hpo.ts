/** `hpo`: runs a study and prints what it has found. */
import { EntailError } from "../errors.ts";
import { paramText } from "../formats/human.ts";
import { finishedTrials, observers, runStudy, type StudyObserver } from "../search/run_study.ts";
import type { Study } from "../studies/study.ts";
import { openStudyTracker, type StudyTracker } from "../tracking/study_tracker.ts";
import { openConfiguredGpu, resolveConfig } from "./context.ts";
import type { CommonOptions } from "./options.ts";
import { createStudyProgress } from "./study_progress.ts";
import { printTable } from "./terminal.ts";

export async function hpo(
  overrides: string[],
  options: CommonOptions & { nTrials?: number },
  signal: AbortSignal,
): Promise<void> {
  const config = resolveConfig(overrides, options);
  if (!config) return;
  const progress = createStudyProgress(options, options.nTrials ?? null, config.hpo.n_trials);
  // Not before the study can begin: one that cannot leaves no run behind.
  let tracker: StudyTracker | undefined;
  const tracking: StudyObserver = {
    async opened(study, finished) {
      tracker = await openStudyTracker(config, progress.reporter);
      await tracker?.observer.opened?.(study, finished);
    },
    started: (trial, sampled) => tracker?.observer.started?.(trial, sampled),
    evaluated: (trial, fold, entry) => tracker?.observer.evaluated?.(trial, fold, entry),
    ended: (study, trial) => tracker?.observer.ended?.(study, trial),
  };
  let study: Study;
  try {
    study = await runStudy(config, {
      nTrials: options.nTrials,
      async openDevice() {
        const gpu = await openConfiguredGpu(config);
        progress.reporter.info(`study ${config.hpo.study_name} on ${gpu.name}`);
        return gpu;
      },
      reporter: progress.reporter,
      observer: observers(progress.observer, tracking),
      signal,
    });
    tracker?.end("FINISHED");
  } catch (error) {
    tracker?.end(error instanceof EntailError && error.kind === "interrupted" ? "KILLED" : "FAILED");
    throw error;
  } finally {
    await tracker?.close();
    progress.close();
  }
  try {
    printBest(study);
  } finally {
    await study.close();
  }
}

/** The best value and its parameters. */
function printBest(study: Study): void {
  const finished = finishedTrials(study.trials);
  try {
    const { number, value, params } = study.bestTrial;
    console.log(`Best F1 ${value!.toFixed(4)} (trial ${number} of ${finished} in study ${study.studyName})`);
    printTable(["parameter", "value"], Object.entries(params).map(([name, param]) => [name, paramText(param)]));
  } catch (error) {
    if (!(error instanceof EntailError)) throw error;
    console.log(`study ${study.studyName}: ${finished} trials, none of them complete yet`);
  }
}
