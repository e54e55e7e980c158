/** A batch of random tokens that fills a session's room: what steps and kernels are timed with. */
import { packBatch } from "../dataset/batches.ts";
import type { BatchCapacity, PackedBatch } from "../nn/batch.ts";

/** As many sequences and tokens as `capacity` has room for, one of them as long as the longest. */
export function syntheticBatch({ tokens, sequences, longest }: BatchCapacity, vocabSize: number): PackedBatch {
  const rest = tokens - longest;
  const others = Math.min(sequences - 1, rest);
  const lengths = [
    longest,
    ...Array.from({ length: others }, (_, i) => Math.min(longest, Math.floor((rest + i) / others))),
  ];
  const pairs = lengths.map((length, i) => ({
    ids: Uint32Array.from({ length }, (_, j) => ((i * longest + j) * 2654435761 >>> 0) % vocabSize),
    typeIds: new Uint8Array(length),
  }));
  return packBatch(pairs, pairs.map((_, i) => i));
}
