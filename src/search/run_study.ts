/** A study from its configuration: opens or continues it, runs trials, and leaves what `status` and `best` need. */
import { hostname } from "node:os";
import { type Config, differences } from "../config/config.ts";
import { EntailError } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { failStaleTrials, graceSeconds } from "../studies/heartbeat.ts";
import { type FrozenTrial, isFinished } from "../studies/frozen_trial.ts";
import type { Storage } from "../studies/storage.ts";
import type { Study } from "../studies/study.ts";
import { checkAugmentation, checkAugmentationKeys } from "../training/augmentation.ts";
import { configuredGpu } from "../training/configured_gpu.ts";
import { downloadReport, type Reporter, silentReporter } from "../training/reporter.ts";
import { type AskedPrecision, describePrecision } from "../training/precision.ts";
import { settingsInVain } from "../training/run.ts";
import { leftOutParameters } from "./effects.ts";
import { createObjective, TrialFailed, type TrialObserver, WORKER } from "./objective.ts";
import {
  checkFitsTrials,
  checkSearchSpace,
  cornerConfig,
  possibleAugmentations,
  possibleTeachers,
  replacedParameters,
} from "./search_space.ts";
import { CONFIG_ATTRIBUTE, storeConfig, storedConfig } from "./stored_config.ts";
import { openConfiguredStudy, TRIALS_ATTRIBUTE } from "./study_setup.ts";
import { openWorkbench } from "./workbench.ts";

/** Of a user attribute. */
const MOST_LETTERS = 500;

/** Told of a study as it goes. */
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

/** How `runStudy` runs. */
export interface RunStudyOptions {
  /** Trials to run here; without it, until the study has `hpo.n_trials` finished ones, those of other processes included. */
  nTrials?: number;
  /** Opens the device, and opens it anew when it is lost; by default as `gpu` says. */
  openDevice?: () => Promise<Gpu>;
  /** Told of progress; by default nobody is. */
  reporter?: Reporter;
  /** Told of trials. */
  observer?: StudyObserver;
  /** Ends the study cleanly. */
  signal?: AbortSignal;
  /** Instead of the one that `hpo.storage` names; it is not closed. */
  storage?: Storage;
}

/** What may change between the sittings of a study without changing what its trials mean. */
const MAY_DIFFER =
  /^(hpo\.(?!hpo_mode)|mlflow\.|gpu\.|output_dir$|checkpoint_dir$|resume$|overwrite$|training\.(num_workers|recompute)$)/;

export const finishedTrials = (trials: readonly FrozenTrial[]): number =>
  trials.filter(({ state }) => isFinished(state)).length;

/**
 * Runs trials of the configured study, as `entail hpo` does:
 *
 *     const config = createConfig({ hpo: { studyName: "mine", hpoMode: { mode: "single_split" }, searchSpace } });
 *     const study = await runStudy(config, { nTrials: 20 });
 *
 * Throws an "interrupted" `EntailError` when the signal aborts; nothing of this
 * process is left RUNNING then. The study returned is open unless the storage was given.
 */
export async function runStudy(config: Config, options: RunStudyOptions = {}): Promise<Study> {
  const { nTrials, observer, reporter = silentReporter, signal } = options;
  const { openDevice = () => configuredGpu(config, reporter.warn) } = options;
  checkAugmentationKeys(config);
  checkSearchSpace(config);
  const notices = [...settingsInVain(config), ...leftOutParameters(config).values(), ...replacedParameters(config)];
  for (const notice of notices) reporter.info(notice);
  for (const augmented of possibleAugmentations(config)) {
    await checkAugmentation(augmented, { ...downloadReport(reporter), signal });
  }
  const study = await openConfiguredStudy(config, options.storage ?? config.hpo.storage);
  try {
    checkDirection(study, config);
    await failStaleTrials(study.storage, study.studyId, study.heartbeat!);
    const finished = finishedTrials(await study.refresh());
    checkFitsTrials(config, study.trials);
    const begin = async () => {
      const version = await noteConfiguration(study, config, reporter);
      await observer?.opened?.(study, finished);
      return version;
    };
    const totalTrials = nTrials === undefined ? config.hpo.n_trials : undefined;
    if (totalTrials !== undefined && finished >= totalTrials) {
      await begin();
      return study;
    }
    const workbench = await openWorkbench(openDevice, reporter, signal);
    try {
      const precision = precisionOfTrials(config);
      if (precision !== null) reporter.info(describePrecision(workbench.gpu, precision));
      // What is wrong with the data is no trial's fault.
      await workbench.load(cornerConfig(config), possibleTeachers(config));
      const version = await begin();
      const worker = crypto.randomUUID().slice(0, 8);
      const objective = createObjective({ workbench, config, reporter, observer, signal });
      await study.optimize(async (trial) => {
        const where = { [WORKER]: worker, host: hostname(), adapter: workbench.gpu.name.slice(0, MOST_LETTERS) };
        await trial.setUserAttrs({ [CONFIG_ATTRIBUTE]: version, ...where });
        return await objective(trial);
      }, {
        nTrials,
        totalTrials,
        signal,
        catch: TrialFailed,
        callbacks: [async (_, trial) => await observer?.ended?.(study, trial)],
      });
    } finally {
      workbench.close();
    }
    if (totalTrials !== undefined) await waitForOthers(study, totalTrials, reporter, signal);
    return study;
  } catch (error) {
    if (options.storage === undefined) await study.close();
    throw error;
  }
}

/** What all trials compute in; null where that is searched. */
function precisionOfTrials(config: Config): AskedPrecision | null {
  const key = "training.optimization.precision";
  const isSearched = Object.values(config.hpo.search_space).some((parameter) =>
    parameter.key === key && parameter.choices!.length > 1
  );
  return isSearched ? null : cornerConfig(config).training.optimization.precision;
}

/**
 * The last trials may run in other processes. Waits for them as long as nobody can tell whether one of these has died: a
 * dead one's trial then becomes FAIL, instead of staying RUNNING in a study that nobody takes up again.
 */
async function waitForOthers(study: Study, totalTrials: number, reporter: Reporter, signal?: AbortSignal) {
  const deadline = Date.now() + (graceSeconds(study.heartbeat!) + 5) * 1000;
  const missing = () => totalTrials - finishedTrials(study.trials);
  const running = () => study.trials.filter(({ state }) => state === "RUNNING").length;
  if (missing() > 0 && running() > 0) reporter.info(`study ${study.studyName}: waiting for trials of other processes`);
  while (missing() > 0 && missing() <= running() && Date.now() < deadline) {
    if (signal?.aborted) {
      throw new EntailError("interrupted", `study ${study.studyName}: others still run its last trials`);
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
    await failStaleTrials(study.storage, study.studyId, study.heartbeat!);
    await study.refresh();
  }
}

function checkDirection({ direction, studyName }: Study, { hpo }: Config): void {
  if (direction === hpo.direction) return;
  throw new EntailError(
    "usage",
    `hpo.direction: study ${studyName} is there to ${direction}; use another hpo.study_name`,
  );
}

/**
 * Stores the configuration with the study and returns its version; says what is different where the study was begun with
 * another one.
 */
async function noteConfiguration(study: Study, config: Config, reporter: Reporter): Promise<string> {
  const before = storedConfig(await study.record());
  const changed = before === null ? [] : differences(before, config).filter((key) => !MAY_DIFFER.test(key));
  if (changed.length > 0) {
    reporter.info(`study ${study.studyName} was begun with other values of ${changed.join(", ")}`);
  }
  await study.setUserAttr(TRIALS_ATTRIBUTE, config.hpo.n_trials);
  return await storeConfig(study, config);
}
