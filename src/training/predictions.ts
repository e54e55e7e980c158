/** predictions.csv: a fold's validation pairs and what the model says of them. */
import { stringify } from "csv-stringify/sync";
import type { Pair } from "../dataset/groundtruth.ts";
import { writeFileAtomic } from "../formats/atomic_write.ts";
import { readCsv } from "../formats/csv.ts";

const COLUMNS = ["post_id", "criterion_id", "label", "probability", "prediction"];

export async function writePredictions(
  path: string,
  rows: readonly { pair: Pair; probability: number }[],
  threshold: number,
): Promise<void> {
  const records = rows.map(({ pair, probability }) => [
    pair.postId,
    pair.criterionId,
    pair.label,
    probability,
    probability >= threshold ? 1 : 0,
  ]);
  await writeFileAtomic(path, stringify([COLUMNS, ...records]));
}

export interface Prediction {
  criterionId: string;
  label: number;
  probability: number;
}

/** Reads what `writePredictions` wrote, in its order. */
export async function readPredictions(path: string): Promise<Prediction[]> {
  const { rows } = await readCsv(path, COLUMNS);
  return await Array.fromAsync(rows, ({ values }) => ({
    criterionId: values.criterion_id,
    label: Number(values.label),
    probability: Number(values.probability),
  }));
}
