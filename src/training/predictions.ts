/** predictions.csv: a fold's validation pairs and what the model says of them. */
import { stringify } from "../packages/csv_stringify.ts";
import { scoreOf } from "../evaluation/calibration.ts";
import type { ScoredPair } from "../evaluation/decision.ts";
import type { JudgedPair } from "../evaluation/metrics.ts";
import { writeFileAtomic } from "../formats/atomic_write.ts";
import { readCsv } from "../formats/csv.ts";

const COLUMNS = ["post_id", "criterion_id", "label", "probability", "prediction"];
const SCORE = "score";

/** A pair of a run, its score and what is decided about it. */
export interface Prediction extends ScoredPair, JudgedPair {
  /** Which post. */
  postId: string;
}

/** `withScores` adds the scores, which cannot be told from calibrated probabilities. */
export async function writePredictions(
  path: string,
  rows: readonly Prediction[],
  { withScores }: { withScores: boolean },
): Promise<void> {
  const records = rows.map(({ postId, criterionId, label, score, probability, prediction }) => [
    ...[postId, criterionId, label, probability, prediction],
    ...(withScores ? [score] : []),
  ]);
  await writeFileAtomic(path, stringify([withScores ? [...COLUMNS, SCORE] : COLUMNS, ...records]));
}

/** Reads what `writePredictions` wrote, in its order. Where scores were not written the probabilities are those of them. */
export async function readPredictions(path: string): Promise<Prediction[]> {
  const { rows } = await readCsv(path, COLUMNS);
  return await Array.fromAsync(rows, ({ values }) => ({
    postId: values.post_id,
    criterionId: values.criterion_id,
    label: Number(values.label),
    score: SCORE in values ? Number(values[SCORE]) : scoreOf(Number(values.probability)),
    probability: Number(values.probability),
    prediction: Number(values.prediction),
  }));
}
