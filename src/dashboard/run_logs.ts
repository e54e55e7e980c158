/** What the folds of a run have logged, as much as a chart can show. */
import { join } from "node:path";
import { type EpochEntry, readLog, type StepEntry } from "../training/metrics_log.ts";
import { foldFolder } from "../training/run_folder.ts";
import type { BrokenRun, RunSummary } from "./run_feed.ts";

export interface FoldLogs {
  fold: number;
  steps: StepEntry[];
  epochs: EpochEntry[];
}

export type RunLogs = (RunSummary | BrokenRun) & { logs: FoldLogs[] };

/** Steps of a fold at most; of more, every second, third, … is told. */
const MOST_STEPS = 1000;

export function runLogs(folder: string, summary: RunSummary | BrokenRun): RunLogs {
  const folds = "error" in summary ? [] : summary.folds.map(({ fold }) => fold);
  return {
    ...summary,
    logs: folds.map((fold) => {
      const log = readLog(join(foldFolder(folder, fold), "metrics.jsonl"));
      const steps = log.filter((entry) => "step" in entry);
      const every = Math.ceil(steps.length / MOST_STEPS);
      return {
        fold,
        steps: steps.filter((_, i) => i % every === 0),
        epochs: log.filter((entry): entry is EpochEntry => !("step" in entry)),
      };
    }),
  };
}
