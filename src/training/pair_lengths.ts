/** pair_lengths.csv: how much of each pair of a run is read, and how much is cut off. */
import { stringify } from "../packages/csv_stringify.ts";
import type { EncodedPair } from "../dataset/batches.ts";
import { writeFileAtomic } from "../formats/atomic_write.ts";
import { readCsv } from "../formats/csv.ts";

const COLUMNS = ["post_id", "criterion_id", "tokens", "chunks", "lost"];

/** How much of a pair is read. */
export interface PairLength {
  /** The post. */
  readonly postId: string;
  /** The criterion. */
  readonly criterionId: string;
  /** Of all its chunks. */
  readonly tokens: number;
  /** Chunks that it is read in. */
  readonly chunks: number;
  /** Tokens of the post that are in no chunk. */
  readonly lost: number;
}

export async function writePairLengths(
  path: string,
  pairs: readonly { postId: string; criterionId: string }[],
  tokens: readonly EncodedPair[],
): Promise<void> {
  const rows = pairs.map(({ postId, criterionId }, i) => {
    const { chunks, lost } = tokens[i];
    return [postId, criterionId, chunks.reduce((sum, { ids }) => sum + ids.length, 0), chunks.length, lost];
  });
  await writeFileAtomic(path, stringify([COLUMNS, ...rows]));
}

/** Reads what `writePairLengths` wrote, in its order. */
export async function readPairLengths(path: string): Promise<PairLength[]> {
  const { rows } = await readCsv(path, COLUMNS);
  const lengths: PairLength[] = [];
  for await (const { values } of rows) {
    lengths.push({
      postId: values.post_id,
      criterionId: values.criterion_id,
      tokens: Number(values.tokens),
      chunks: Number(values.chunks),
      lost: Number(values.lost),
    });
  }
  return lengths;
}
