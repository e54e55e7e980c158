/** MLflow runs of a study: one for the whole, one nested in it for each trial. */
import { createHash } from "node:crypto";
import { type Config, printConfig } from "../config/config.ts";
import { bestName, trialConfig } from "../search/best_trials.ts";
import { OUT_OF_MEMORY } from "../search/objective.ts";
import { finishedTrials, type StudyObserver } from "../search/run_study.ts";
import { bestOf, type FrozenTrial } from "../studies/frozen_trial.ts";
import { STALE_REASON } from "../studies/heartbeat.ts";
import type { Study } from "../studies/study.ts";
import { type Reporter, silentReporter } from "../training/reporter.ts";
import { flattenParams } from "./limits.ts";
import { newRunId, openTracker, type TrackedRun } from "./tracker.ts";
import { trainingParams } from "./training_tracker.ts";

/** How study attributes begin that name the MLflow run of this study; the value is the place where it is. */
const RUN_ATTRIBUTE = "entail:mlflow_run:";
/** Longer places are too long for tables of attributes: their digests stand for them. */
const MOST_LETTERS = 400;

/** Records a study for MLflow. */
export interface StudyTracker {
  /** For `runStudy`. */
  observer: StudyObserver;
  /** What the study's run ends with when this is closed, unless another process is still at it. */
  end(status: "FINISHED" | "FAILED" | "KILLED"): void;
  /** Ends this process's runs and sends what is left. Never throws. */
  close(): Promise<void>;
}

interface Whole {
  study: Study;
  run: TrackedRun;
}

/** Records a study as `mlflow.*` says; undefined where it is switched off. */
export async function openStudyTracker(
  config: Config,
  reporter: Reporter = silentReporter,
): Promise<StudyTracker | undefined> {
  const { enable, tracking_uri, experiment_name } = config.mlflow;
  if (!enable) return undefined;
  const tracker = await openTracker(tracking_uri, {
    experimentName: experiment_name,
    source: "entail hpo",
    spoolFolder: config.output_dir,
    onNotice: reporter.info,
    onLack: reporter.warn,
  });
  const { study_name: studyName, hpo_mode } = config.hpo;
  const running = new Map<number, TrackedRun>();
  let whole: Whole | undefined;
  let status: "FINISHED" | "FAILED" | "KILLED" = "FAILED";

  const mine = new Set<number>();
  const swept = new Set<number>();

  const noteBest = ({ run }: Whole, best: FrozenTrial) => {
    run.setTags({ best_trial: `${best.number}` }, { best_trial_run: trialRunId(run.id, best.number) });
    run.logText(printConfig(trialConfig(config, best, bestName(studyName, 1))), "best/config.yaml");
  };

  /** Ends the runs of trials whose processes have died. */
  const sweep = ({ run }: Whole, trials: readonly FrozenTrial[]) => {
    for (const { number, state, userAttrs: { fail_reason: reason = STALE_REASON } } of trials) {
      const isStale = state === "FAIL" && typeof reason === "string" && reason.startsWith(STALE_REASON);
      if (!isStale || mine.has(number) || swept.has(number)) continue;
      swept.add(number);
      tracker.endLeftRun(trialRunId(run.id, number), "KILLED", { state, fail_reason: reason });
    }
  };

  const observer: StudyObserver = {
    async opened(study) {
      reporter.info(tracker.description);
      const run = tracker.startRun({
        name: studyName,
        id: await runIdOf(study, tracker.location),
        shared: true,
        params: flattenParams({ hpo: config.hpo }),
      });
      run.logText(printConfig(config), "config.yaml");
      whole = { study, run };
      sweep(whole, study.trials);
    },
    started(trial, sampled) {
      const run = tracker.startRun({
        name: `${studyName} trial ${trial.number}`,
        parent: whole?.run,
        id: whole && trialRunId(whole.run.id, trial.number),
        tags: { study: studyName, number: `${trial.number}` },
        params: trainingParams(sampled),
      });
      running.set(trial.number, run);
      mine.add(trial.number);
    },
    evaluated({ number }, fold, { epoch, ...metrics }) {
      const prefix = hpo_mode.mode === "kfold" ? `fold_${fold}/` : "";
      const named = Object.entries(metrics).map(([name, value]) => [prefix + name, value]);
      running.get(number)?.logMetrics(Math.ceil(epoch), Object.fromEntries(named));
    },
    ended(study, trial) {
      const run = running.get(trial.number);
      running.delete(trial.number);
      if (run) endTrial(run, trial);
      if (!whole || bestOf(study.trials, study.direction)?.number !== trial.number) return;
      // Not the trial's number: trials of several processes do not end in the order of their numbers.
      whole.run.logMetrics(finishedTrials(study.trials), { best_f1: trial.value });
      noteBest(whole, trial);
    },
  };
  return {
    observer,
    end: (as) => status = as,
    async close() {
      for (const run of running.values()) run.end(status);
      if (whole) {
        const trials = await latestTrials(whole.study);
        sweep(whole, trials);
        // Another process may have named a worse one since; that of another process is for that process to name.
        const best = bestOf(trials, whole.study.direction);
        if (best && mine.has(best.number)) noteBest(whole, best);
        const isShared = trials.some(({ state, number }) => state === "RUNNING" && !running.has(number));
        if (!isShared) whole.run.end(status);
      }
      await tracker.close();
    },
  };
}

/** The trials as stored now, or as last read where the study is closed already. */
async function latestTrials(study: Study): Promise<readonly FrozenTrial[]> {
  try {
    return await study.refresh();
  } catch {
    return study.trials;
  }
}

/**
 * The run that the study has at this place, so that a continued study goes on with it; a new one otherwise. Of
 * processes that name one in the same moment, the first that is stored wins.
 */
async function runIdOf(study: Study, location: string): Promise<string> {
  const place = location.length <= MOST_LETTERS ? location : createHash("sha256").update(location).digest("hex");
  const stored = async () => {
    const named = Object.entries(await study.userAttrs()).find(([key, value]) => {
      return key.startsWith(RUN_ATTRIBUTE) && value === place;
    });
    return named?.[0].slice(RUN_ATTRIBUTE.length);
  };
  const found = await stored();
  if (found) return found;
  const runId = newRunId();
  await study.setUserAttr(RUN_ATTRIBUTE + runId, place);
  return await stored() ?? runId;
}

/** The same in every process. */
const trialRunId = (studyRun: string, number: number): string =>
  createHash("sha256").update(`${studyRun}/trial_${number}`).digest("hex").slice(0, 32);

/** MLflow has no word for a pruned trial: it is FINISHED there, and the tag `state` says the rest. */
function endTrial(run: TrackedRun, { state, value, userAttrs, intermediateValues }: FrozenTrial): void {
  for (const [step, reported] of intermediateValues) run.logMetrics(step, { reported_f1: reported });
  if (state === "COMPLETE") run.logMetrics(0, { value });
  const reason = userAttrs.fail_reason;
  run.setTags({
    state,
    ...(userAttrs[OUT_OF_MEMORY] === true && { out_of_memory: "true" }),
    ...(typeof reason === "string" && { fail_reason: reason }),
  });
  run.end(state !== "FAIL" ? "FINISHED" : reason === "interrupted" ? "KILLED" : "FAILED");
}
