/** Which row of the position tables belongs to a distance between two tokens, as DeBERTa-v2 computes it. */
import type { Gpu } from "../gpu/device.ts";
import { createTensor, type Tensor, writeTensor } from "../gpu/tensor.ts";

export interface RelativePositions {
  /** `position_buckets`; 0 or less: distances are not bucketed. */
  bucketSize: number;
  /** `max_relative_positions`, or `max_position_embeddings` where that is below 1. */
  maxRelativePositions: number;
}

/**
 * The logarithmic bucket of a distance: itself up to ±bucketSize/2, then growing with the logarithm so that
 * ±(maxPosition − 1) falls in ±(bucketSize − 1). Rounds to float32 wherever transformers' `make_log_bucket_position`
 * (modeling_deberta_v2.py) does: buckets just at a boundary depend on it.
 */
export function logBucketPosition(distance: number, bucketSize: number, maxPosition: number): number {
  const middle = Math.floor(bucketSize / 2);
  const far = Math.abs(distance);
  if (far <= middle) return distance;
  const { fround, log } = Math;
  const share = fround(fround(log(fround(far / middle))) / fround(log(fround((maxPosition - 1) / middle))));
  return Math.sign(distance) * (Math.ceil(fround(share * (middle - 1))) + middle);
}

/**
 * Rows of the position tables for the distances query − key from −(longest−1) to longest−1, in this order: what both
 * the content-to-position and the position-to-content term read. Never decreases.
 */
export function relativeIndexTable(longest: number, positions: RelativePositions): Uint32Array<ArrayBuffer> {
  const { bucketSize, maxRelativePositions } = positions;
  const span = bucketSize > 0 ? bucketSize : maxRelativePositions; // half the rows of the tables
  return Uint32Array.from({ length: 2 * longest - 1 }, (_, i) => {
    const distance = i - (longest - 1);
    const bucket = bucketSize > 0 ? logBucketPosition(distance, bucketSize, maxRelativePositions) : distance;
    return Math.min(Math.max(bucket + span, 0), 2 * span - 1);
  });
}

/** The table on the device, for sequences of at most `longest` tokens; all layers of a model share one. */
export async function createRelativeIndex(gpu: Gpu, longest: number, positions: RelativePositions): Promise<Tensor> {
  const table = relativeIndexTable(longest, positions);
  const tensor = await createTensor(gpu, "relative index", [table.length], "u32");
  writeTensor(gpu, tensor, table);
  return tensor;
}
