/** What a run has come to so far, from its folder alone: no device is needed, and nothing is changed. */
import { join } from "node:path";
import { fitDecision } from "../evaluation/decision.ts";
import { EntailError } from "../errors.ts";
import { readJson } from "../formats/json.ts";
import { decisionSettings } from "./decisions.ts";
import { type EpochEntry, readLog, type StepEntry } from "./metrics_log.ts";
import { type PairLength, readPairLengths } from "./pair_lengths.ts";
import { type Prediction, readPredictions } from "./predictions.ts";
import { EVALUATION_FILE, foldFolder, LENGTHS_FILE, loadRun, type OpenRun, SUMMARY_FILE } from "./run_folder.ts";
import { peekState } from "./state.ts";
import type { FoldFacts, RunPrediction, Summary } from "./summary.ts";

/** A fold that has begun. */
export interface FoldResults {
  /** Its number. */
  readonly fold: number;
  /** Trained to its end; of one that is not, `predictions` are those of its best epoch so far. */
  readonly finished: boolean;
  /** Over all sittings; null where its last checkpoint is gone. */
  readonly seconds: number | null;
  /** Optimizer steps. */
  readonly steps: readonly StepEntry[];
  /** Evaluations. */
  readonly epochs: readonly EpochEntry[];
  /** Empty before the first evaluation. */
  readonly predictions: readonly Prediction[];
}

/** What a run's folder holds. */
export interface RunResults extends OpenRun {
  /** By number. */
  readonly folds: readonly FoldResults[];
  /** How much of each pair is read; null in the folder of a run that did not write it. */
  readonly lengths: readonly PairLength[] | null;
  /** What `eval` found when it was last asked; null where it never was. */
  readonly evaluation: KeptEvaluation | null;
}

/** What evaluation.json holds. */
export type KeptEvaluation = Summary & {
  /** Those that were other ones than in training. */
  settings: Record<string, unknown>;
};

/**
 * Reads the logs and the predictions of the run in a folder, which may be under way or without its checkpoints. Data error
 * where there is no run.
 */
export async function readRunResults(outputDir: string): Promise<RunResults> {
  const run = await loadRun(outputDir);
  const { kfold, checkpoint_dir } = run.config;
  // Where checkpoints are gone it is the summary that tells which folds are finished.
  const summary = await kept<Summary>(join(outputDir, SUMMARY_FILE));
  const folds: FoldResults[] = [];
  for (let fold = 0; fold < kfold.n_splits; fold++) {
    const folder = foldFolder(outputDir, fold);
    const log = readLog(join(folder, "metrics.jsonl"));
    const predictions = await predictionsIn(folder);
    if (log.length === 0 && predictions.length === 0) continue;
    const state = await peekState(foldFolder(checkpoint_dir, fold));
    folds.push({
      fold,
      finished: state?.finished ?? summary?.folds.some((each) => each.fold === fold) ?? false,
      seconds: state?.seconds ?? null,
      steps: log.filter((entry) => "step" in entry),
      epochs: log.filter((entry): entry is EpochEntry => !("step" in entry)),
      predictions,
    });
  }
  const lengths = join(outputDir, LENGTHS_FILE);
  return {
    ...run,
    folds,
    lengths: await exists(lengths) ? await readPairLengths(lengths) : null,
    evaluation: await kept<KeptEvaluation>(join(outputDir, EVALUATION_FILE)),
  };
}

async function predictionsIn(folder: string): Promise<Prediction[]> {
  const path = join(folder, "predictions.csv");
  return await exists(path) ? await readPredictions(path) : [];
}

/** What this program wrote into a run's folder; null where it is not written yet. Data error for something else. */
async function kept<Kind extends Summary>(path: string): Promise<Kind | null> {
  if (!await exists(path)) return null;
  const found = await readJson(path) as Partial<Summary> | null;
  if (Array.isArray(found?.folds) && found.overall !== undefined && found.intervals !== undefined) return found as Kind;
  throw new EntailError("data", `${path}: is not what train or eval wrote; remove it`);
}

const exists = (path: string): Promise<boolean> => Deno.stat(path).then(() => true, () => false);

/** The epoch whose predictions are kept: that of the highest F1, the earliest of equals. */
export const bestEntry = ({ epochs }: Pick<FoldResults, "epochs">): EpochEntry | null =>
  epochs.reduce<EpochEntry | null>((best, entry) => best === null || entry.eval_f1 > best.eval_f1 ? entry : best, null);

/** The folds that have predictions, as `summarise` takes them. */
export function judgedFolds({ config, folds }: RunResults): { facts: FoldFacts[]; predictions: RunPrediction[] } {
  const settings = decisionSettings(config);
  const judged = folds.filter(({ predictions }) => predictions.length > 0);
  return {
    facts: judged.map((results) => {
      const best = bestEntry(results);
      return {
        fold: results.fold,
        best_epoch: best?.epoch ?? 0,
        skipped_steps: results.steps.filter(({ skipped }) => skipped).length,
        loss: best?.eval_loss ?? NaN,
        decision: fitDecision(results.predictions, settings),
      };
    }),
    predictions: judged.flatMap(({ fold, predictions }) => predictions.map((prediction) => ({ ...prediction, fold }))),
  };
}
