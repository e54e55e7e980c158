/** The model card of a fold's best checkpoint, completed when the fold is trained. */
import { basename, join } from "node:path";
import { type Config, parseConfigText } from "../config/config.ts";
import { BOOTSTRAP, bootstrapIntervals } from "../evaluation/intervals.ts";
import { writeFileAtomic } from "../formats/atomic_write.ts";
import { readText } from "../formats/text.ts";
import { withRun } from "../models/run_card.ts";
import { readPredictions } from "./predictions.ts";
import { foldFolder } from "./run_folder.ts";
import { type RunRecord, settingsOfRun } from "./run_record.ts";
import type { BestEpoch } from "./state.ts";

/** The hub's words for metrics, and ours. */
const METRICS = [
  ["f1", "F1", "f1"],
  ["precision", "precision", "precision"],
  ["recall", "recall", "recall"],
  ["accuracy", "accuracy", "accuracy"],
  ["roc_auc", "ROC-AUC", "auc"],
] as const;

/** Adds to the card what is known of the run: metrics with intervals, digests, settings. */
export async function describeRunInCard(
  config: Config,
  record: RunRecord,
  fold: number,
  best: BestEpoch,
): Promise<void> {
  const card = join(foldFolder(config.checkpoint_dir, fold), "best", "README.md");
  const predictions = await readPredictions(join(foldFolder(config.output_dir, fold), "predictions.csv"));
  const intervals = bootstrapIntervals(predictions, { seed: config.seed });
  const usual = settingsOfRun(parseConfigText("{}", "defaults"));
  const own = Object.entries(record.settings).filter(([key, value]) => {
    return JSON.stringify(usual[key]) !== JSON.stringify(value);
  });
  const text = withRun(await readText(card), {
    name: config.experiment_name,
    fold,
    data: { name: basename(config.data.groundtruth_csv), digest: record.content["data.groundtruth_csv"] },
    metrics: METRICS.flatMap(([type, name, key]) => {
      const value = best.metrics[key];
      return value === null ? [] : [{ type, name, value, interval: intervals[key] }];
    }),
    level: BOOTSTRAP.level,
    content: record.content,
    settings: Object.fromEntries(own),
    program: record.program,
  });
  await writeFileAtomic(card, text);
}
