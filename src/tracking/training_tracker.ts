/** MLflow runs of a training: one for the whole, one nested in it for each fold. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { type Config, printConfig } from "../config/config.ts";
import { EntailError } from "../errors.ts";
import { METRIC_NAMES, type MetricName } from "../evaluation/metrics.ts";
import { writeFileAtomic } from "../formats/atomic_write.ts";
import { type LogEntry, readLog } from "../training/metrics_log.ts";
import type { RunRecorder } from "../training/recorder.ts";
import { type Reporter, silentReporter } from "../training/reporter.ts";
import { foldFolder } from "../training/run_folder.ts";
import type { Summary } from "../training/summary.ts";
import { flattenParams } from "./limits.ts";
import { newRunId, openTracker, type TrackedRun, type Tracker } from "./tracker.ts";

/** In the output folder: which MLflow run is this training's, so that a resumed one goes on with it. */
const MEMORY_FILE = "mlflow.json";

interface Memory {
  location: string;
  experiment_name: string;
  run_id: string;
  /** Folds that have been recorded to their end. */
  ended: number[];
}

/**
 * Records a training for MLflow as `mlflow.*` says; undefined where it is switched off. Runs of one that ends with an error
 * are FAILED, or KILLED if it was interrupted.
 */
export async function openTrainingTracker(
  config: Config,
  reporter: Reporter = silentReporter,
): Promise<Required<RunRecorder> | undefined> {
  const { enable, tracking_uri, experiment_name } = config.mlflow;
  if (!enable) return undefined;
  const tracker = await openTracker(tracking_uri, {
    experimentName: experiment_name,
    source: "entail train",
    spoolFolder: config.output_dir,
    onNotice: reporter.info,
    onLack: reporter.warn,
  });
  return trainingTracker(tracker, config, reporter);
}

function trainingTracker(tracker: Tracker, config: Config, reporter: Reporter): Required<RunRecorder> {
  const { location } = tracker;
  const { experiment_name } = config.mlflow;
  let memory: Memory = { location, experiment_name, run_id: newRunId(), ended: [] };
  const folds = new Map<number, FoldRecord>();
  const params = trainingParams(config);
  let run: TrackedRun | undefined;
  let remembered = Promise.resolve();

  const remember = () => {
    const text = JSON.stringify(memory, null, 2) + "\n";
    remembered = remembered.then(() => writeFileAtomic(join(config.output_dir, MEMORY_FILE), text))
      .catch((error) => reporter.info(`MLflow: ${error.message}`));
  };

  return {
    runStarted({ continued, content }) {
      reporter.info(tracker.description);
      if (continued) memory = recall(config, location) ?? memory;
      run = tracker.startRun({ name: config.experiment_name, id: memory.run_id, params });
      run.logText(printConfig(config), "config.yaml");
      run.logArtifact(join(config.output_dir, "folds.csv"));
      const { groundtruth_csv, criteria_json, annotations_csv } = config.data;
      for (const [name, path] of Object.entries({ groundtruth_csv, criteria_json, annotations_csv })) {
        const digest = content[`data.${name}`];
        if (path !== null && digest !== undefined) run.logDataset(path, digest, "training");
      }
      remember();
    },
    foldStarted(fold) {
      if (memory.ended.includes(fold)) return;
      const started = tracker.startRun({
        name: `${config.experiment_name} fold ${fold}`,
        parent: run,
        id: foldRunId(memory.run_id, fold),
        params: { ...params, fold: `${fold}` },
      });
      const record = foldRecord(started);
      folds.set(fold, record);
      // What an earlier sitting logged, in case the store lacks some of it; the tracker leaves out what is there.
      record.log(readLog(join(foldFolder(config.output_dir, fold), "metrics.jsonl")));
    },
    logged: (fold, entries) => folds.get(fold)?.log(entries),
    foldEnded(fold, { best }) {
      const record = folds.get(fold);
      if (!record) return;
      folds.delete(fold);
      record.end(best && { best_epoch: best.epoch, best_loss: best.loss, ...prefixed("best_", best.metrics) });
      record.run.logArtifact(join(foldFolder(config.output_dir, fold), "predictions.csv"));
      record.run.logArtifact(join(foldFolder(config.checkpoint_dir, fold), "best"), "checkpoint");
      record.run.end("FINISHED");
      memory.ended.push(fold);
      remember();
    },
    runEnded(summary) {
      logSummary(run!, summary);
      run!.logArtifact(join(config.output_dir, "summary.json"));
      run!.end("FINISHED");
      run = undefined;
    },
    failed(error) {
      const status = error instanceof EntailError && error.kind === "interrupted" ? "KILLED" : "FAILED";
      for (const record of folds.values()) record.run.end(status);
      run?.end(status);
    },
    async close() {
      await Promise.all([tracker.close(), remembered]);
    },
  };
}

/** What an earlier sitting of this run noted, if it went to the same place. */
function recall(config: Config, location: string): Memory | null {
  try {
    const memory: Memory = JSON.parse(Deno.readTextFileSync(join(config.output_dir, MEMORY_FILE)));
    const isSame = memory.location === location && memory.experiment_name === config.mlflow.experiment_name;
    return isSame && /^[0-9a-f]{32}$/.test(memory.run_id) && Array.isArray(memory.ended) ? memory : null;
  } catch {
    return null; // not tracked so far
  }
}

/** The same for every sitting. */
const foldRunId = (runId: string, fold: number): string =>
  createHash("sha256").update(`${runId}/fold_${fold}`).digest("hex").slice(0, 32);

/** The configuration but for what does not bear on the training. */
export function trainingParams(config: Config): Record<string, string> {
  const { resume: _resume, overwrite: _overwrite, mlflow: _mlflow, hpo: _hpo, ...rest } = config;
  return flattenParams(rest);
}

interface FoldRecord {
  run: TrackedRun;
  log(entries: readonly LogEntry[]): void;
  end(metrics: Record<string, number | null> | null): void;
}

/** Metrics of a fold by optimizer step; those of an evaluation stand at the last step before it. */
function foldRecord(run: TrackedRun): FoldRecord {
  let last = 0;
  return {
    run,
    log(entries) {
      for (const entry of entries) {
        if ("step" in entry) {
          last = entry.step;
          const { loss, learning_rate, grad_norm } = entry;
          run.logMetrics(last, { loss, learning_rate, grad_norm });
        } else {
          run.logMetrics(last, { ...entry });
        }
      }
    },
    end: (metrics) => metrics && run.logMetrics(last, metrics),
  };
}

const prefixed = (prefix: string, metrics: Record<MetricName, number | null>) =>
  Object.fromEntries(METRIC_NAMES.map((name) => [prefix + name, metrics[name] ?? null]));

/** Each fold's metrics at the fold's number; those over folds at the number of folds that they are over. */
function logSummary(run: TrackedRun, { folds, mean, std, overall, per_criterion, cross_fitted }: Summary): void {
  for (const { fold, metrics } of folds) run.logMetrics(fold, prefixed("fold_", metrics));
  const criteria = Object.entries(per_criterion).map(([id, metrics]) => prefixed(`criterion/${id}/`, metrics));
  run.logMetrics(
    folds.length,
    Object.assign(
      {},
      prefixed("mean_", mean),
      prefixed("std_", std),
      prefixed("overall_", overall),
      cross_fitted && prefixed("cross_fitted_", cross_fitted.overall),
      ...criteria,
    ),
  );
}
