/** MLflow runs of a study: one for the whole, one nested in it for each trial. */
import type { Config } from "../config/config.ts";
import { OUT_OF_MEMORY } from "../search/objective.ts";
import type { StudyObserver } from "../search/run_study.ts";
import { bestOf, type FrozenTrial } from "../studies/frozen_trial.ts";
import type { Study } from "../studies/study.ts";
import { flattenParams } from "../tracking/limits.ts";
import { newRunId, openTracker, type TrackedRun } from "../tracking/tracker.ts";
import type { Reporter } from "../training/reporter.ts";
import { trainingParams } from "./track.ts";

/** Study attribute: the MLflow run of this study, by the place where it is. */
const RUN_ATTRIBUTE = "entail:mlflow_run";

export interface StudyTracker {
  observer: StudyObserver;
  /** The study's run ends, at least until somebody continues it. */
  end(status: "FINISHED" | "FAILED" | "KILLED"): void;
  /** Sends what is left. Never throws. */
  close(): Promise<void>;
}

/** Records a study as `mlflow.*` says; undefined where it is switched off. */
export async function openStudyTracker(config: Config, reporter: Reporter): Promise<StudyTracker | undefined> {
  const { enable, tracking_uri, experiment_name } = config.mlflow;
  if (!enable) return undefined;
  const tracker = await openTracker(tracking_uri, {
    experimentName: experiment_name,
    source: "entail hpo",
    spoolFolder: config.output_dir,
    onNotice: reporter.info,
  });
  const { study_name: studyName, hpo_mode } = config.hpo;
  const trials = new Map<number, TrackedRun>();
  let parent: TrackedRun | undefined;

  const observer: StudyObserver = {
    async opened(study) {
      reporter.info(tracker.description);
      parent = tracker.startRun({
        name: studyName,
        id: await runIdOf(study, tracker.location),
        params: flattenParams({ hpo: config.hpo }),
      });
    },
    started(trial, sampled) {
      const run = tracker.startRun({
        name: `${studyName} trial ${trial.number}`,
        parent,
        tags: { study: studyName, number: `${trial.number}` },
        params: trainingParams(sampled),
      });
      trials.set(trial.number, run);
    },
    evaluated({ number }, fold, { epoch, ...metrics }) {
      const prefix = hpo_mode.mode === "kfold" ? `fold_${fold}/` : "";
      const named = Object.entries(metrics).map(([name, value]) => [prefix + name, value]);
      trials.get(number)?.logMetrics(Math.ceil(epoch), Object.fromEntries(named));
    },
    ended(study, trial) {
      const run = trials.get(trial.number);
      trials.delete(trial.number);
      if (run) endTrial(run, trial);
      const best = bestOf(study.trials, study.direction);
      if (best?.number !== trial.number) return;
      parent?.logMetrics(trial.number, { best_f1: trial.value });
      parent?.setTags({ best_trial: `${trial.number}`, ...(run && { best_trial_run: run.id }) });
    },
  };
  return {
    observer,
    end: (status) => parent?.end(status),
    close: () => tracker.close(),
  };
}

/** The run that the study has at this place, so that a continued study goes on with it; a new one otherwise. */
async function runIdOf(study: Study, location: string): Promise<string> {
  const stored = (await study.userAttrs())[RUN_ATTRIBUTE] as { location?: string; run_id?: string } | undefined;
  if (stored?.location === location && /^[0-9a-f]{32}$/.test(stored.run_id ?? "")) return stored.run_id!;
  const runId = newRunId();
  await study.setUserAttr(RUN_ATTRIBUTE, { location, run_id: runId });
  return runId;
}

/** MLflow has no word for a pruned trial: it is FINISHED there, and the tag `state` says the rest. */
function endTrial(run: TrackedRun, { state, value, userAttrs, intermediateValues }: FrozenTrial): void {
  for (const [step, reported] of intermediateValues) run.logMetrics(step, { reported_f1: reported });
  if (state === "COMPLETE") run.logMetrics(0, { value });
  const reason = userAttrs.fail_reason;
  run.setTags({
    state: userAttrs[OUT_OF_MEMORY] === true ? "PRUNED (out of memory)" : state,
    ...(typeof reason === "string" && { fail_reason: reason }),
  });
  run.end(state !== "FAIL" ? "FINISHED" : reason === "interrupted" ? "KILLED" : "FAILED");
}
