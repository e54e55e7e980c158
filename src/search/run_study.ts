/** A study from its configuration: opens or continues it, runs trials, and leaves what `status` and `best` need. */
import { type Config, differences, printConfig } from "../config/config.ts";
import { EntailError } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { failStaleTrials } from "../studies/heartbeat.ts";
import { type FrozenTrial, isFinished } from "../studies/frozen_trial.ts";
import type { Storage } from "../studies/storage.ts";
import type { Study } from "../studies/study.ts";
import { checkAugmentation } from "../training/augmentation.ts";
import type { Reporter } from "../training/reporter.ts";
import { checkAvailable } from "../training/run.ts";
import { createObjective, TrialFailed, type TrialObserver } from "./objective.ts";
import { checkSearchSpace, possibleAugmentations } from "./search_space.ts";
import { storedConfig } from "./stored_config.ts";
import { CONFIG_ATTRIBUTE, openConfiguredStudy, TRIALS_ATTRIBUTE } from "./study_setup.ts";
import { openWorkbench } from "./workbench.ts";

export interface StudyObserver extends TrialObserver {
  /** The study is open; `finished` of its trials are over already. */
  opened?(study: Study, finished: number): void | Promise<void>;
  /** A trial is over and stored. */
  ended?(study: Study, trial: FrozenTrial): void | Promise<void>;
}

/** Tells each of them, in order. */
export function observers(...all: (StudyObserver | undefined)[]): StudyObserver {
  const each = all.filter((observer) => observer !== undefined);
  return {
    async opened(study, finished) {
      for (const observer of each) await observer.opened?.(study, finished);
    },
    started: (trial, config) => each.forEach((observer) => observer.started?.(trial, config)),
    evaluated: (trial, fold, entry) => each.forEach((observer) => observer.evaluated?.(trial, fold, entry)),
    async ended(study, trial) {
      for (const observer of each) await observer.ended?.(study, trial);
    },
  };
}

export interface RunStudyOptions {
  /** Trials to run here; without it, until the study has `hpo.n_trials` finished ones. */
  nTrials?: number;
  /** Opens the device, and opens it anew when it is lost. */
  openDevice: () => Promise<Gpu>;
  reporter: Reporter;
  observer?: StudyObserver;
  signal?: AbortSignal;
  /** Instead of the one that `hpo.storage` names; it is not closed. */
  storage?: Storage;
}

/** What may change between the sittings of a study without changing what its trials mean. */
const MAY_DIFFER = /^(hpo\.(?!hpo_mode)|mlflow\.|gpu\.|output_dir$|checkpoint_dir$|resume$|training\.num_workers$)/;

export const finishedTrials = (trials: readonly FrozenTrial[]): number =>
  trials.filter(({ state }) => isFinished(state)).length;

/**
 * Runs trials of the configured study. Throws an "interrupted" `EntailError` when the signal aborts; nothing of this
 * process is left RUNNING then. The study returned is open unless the storage was given.
 */
export async function runStudy(config: Config, options: RunStudyOptions): Promise<Study> {
  const { nTrials, observer, reporter, signal } = options;
  checkAvailable(config);
  checkSearchSpace(config);
  for (const augmented of possibleAugmentations(config)) await checkAugmentation(augmented);
  const study = await openConfiguredStudy(config, options.storage ?? config.hpo.storage);
  try {
    await noteConfiguration(study, config, reporter);
    await failStaleTrials(study.storage, study.studyId, study.heartbeat!);
    await observer?.opened?.(study, finishedTrials(await study.refresh()));
    const done = () => nTrials === undefined && finishedTrials(study.trials) >= config.hpo.n_trials;
    if (done()) return study;
    const workbench = await openWorkbench(options.openDevice, reporter);
    try {
      await study.optimize(createObjective({ workbench, config, reporter, observer, signal }), {
        nTrials,
        signal,
        catch: (error) => error instanceof TrialFailed,
        callbacks: [async (_, trial) => {
          await observer?.ended?.(study, trial);
          if (done()) study.stop();
        }],
      });
    } finally {
      workbench.close();
    }
    return study;
  } catch (error) {
    if (options.storage === undefined) await study.close();
    throw error;
  }
}

/** Stores the configuration with the study; says what is different where it was begun with another one. */
async function noteConfiguration(study: Study, config: Config, reporter: Reporter): Promise<void> {
  if (study.direction !== config.hpo.direction) {
    throw new EntailError(
      "usage",
      `hpo.direction: study ${study.studyName} is there to ${study.direction}; use another hpo.study_name`,
    );
  }
  const before = storedConfig(await study.userAttrs());
  const changed = before === null ? [] : differences(before, config).filter((key) => !MAY_DIFFER.test(key));
  if (changed.length > 0) {
    reporter.info(`study ${study.studyName} was begun with other values of ${changed.join(", ")}`);
  }
  await study.setUserAttr(CONFIG_ATTRIBUTE, printConfig(config));
  await study.setUserAttr(TRIALS_ATTRIBUTE, config.hpo.n_trials);
}
