/** folds.csv: the validation fold of each pair of a run. */
import { stringify } from "../packages/csv_stringify.ts";
import { EntailError } from "../errors.ts";
import { readCsv } from "../formats/csv.ts";

interface PairKey {
  postId: string;
  criterionId: string;
}

const COLUMNS = ["post_id", "criterion_id", "fold"];

export function foldsCsv(pairs: readonly PairKey[], folds: readonly number[]): string {
  return stringify([COLUMNS, ...pairs.map(({ postId, criterionId }, index) => [postId, criterionId, folds[index]])]);
}

/** The fold of each pair as the run wrote it. Data error for a pair that the run did not have. */
export async function readFolds(path: string, pairs: readonly PairKey[]): Promise<number[]> {
  const { rows } = await readCsv(path, COLUMNS);
  const key = (postId: string, criterionId: string) => JSON.stringify([postId, criterionId]);
  const folds = new Map<string, number>();
  for await (const { values } of rows) folds.set(key(values.post_id, values.criterion_id), Number(values.fold));
  return pairs.map(({ postId, criterionId }) => {
    const fold = folds.get(key(postId, criterionId));
    if (fold === undefined) {
      throw new EntailError("data", `${path}: post ${postId}, criterion ${criterionId} is not in it`);
    }
    return fold;
  });
}
