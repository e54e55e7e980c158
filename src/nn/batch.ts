/** The packed batch on the device: what kernels read about the sequences at hand. */
import type { Gpu } from "../gpu/device.ts";
import { createTensor, createUniform, type Tensor, writeTensor } from "../gpu/tensor.ts";
import type { BatchSizes, Rows } from "./plan.ts";

/** Sequences packed one after another without padding, as the host prepares them. All arrays are exactly full. */
export interface PackedBatch {
  /** Token ids, [tokens]. */
  ids: Uint32Array;
  /** Segment ids, [tokens]. */
  typeIds: Uint32Array;
  /** Where each sequence begins, and the end of the last one, [sequences + 1]. */
  offsets: Uint32Array;
  /** Position of each token within its sequence, [tokens]. */
  positions: Uint32Array;
  /** Sequence of each token, [tokens]. */
  sequenceOfToken: Uint32Array;
  /** Distinct ids, ascending, [uniqueIds]; for the deterministic gradient of the embedding table. */
  sortedUnique: Uint32Array;
  /** Where the tokens of each distinct id begin in `tokenOrder`, [uniqueIds + 1]. */
  segmentStart: Uint32Array;
  /** Token indices sorted by (id, index), [tokens]. */
  tokenOrder: Uint32Array;
}

/** The most that one batch may hold. */
export interface BatchCapacity {
  readonly tokens: number;
  readonly sequences: number;
  readonly longest: number;
}

export interface DeviceBatch {
  readonly capacity: BatchCapacity;
  /** Row counts as shaders see them: tokens, sequences, distinct ids. */
  readonly tokens: Rows;
  readonly sequences: Rows;
  readonly uniqueIds: Rows;
  readonly ids: Tensor;
  readonly typeIds: Tensor;
  readonly offsets: Tensor;
  readonly position: Tensor;
  readonly sequenceOf: Tensor;
  readonly sortedIds: Tensor;
  readonly segmentStart: Tensor;
  readonly tokenOrder: Tensor;
  /** Class of each sequence, [sequences]. */
  readonly labels: Tensor;
  /** A number for what each sequence is compared within, [sequences]; only some losses read it. */
  readonly groups: Tensor;
  /** What a teacher says of each sequence, [sequences]; only some losses read it. */
  readonly teacher: Tensor;
  readonly bytes: number;
  /** Queues the upload of a batch and returns its sizes; never waits. Of what is absent that on the device stays. */
  write(batch: PackedBatch, labels: Uint32Array, more?: { groups?: Uint32Array; teacher?: Float32Array }): BatchSizes;
  release(): void;
}

/** Device memory for batches up to `capacity`. Throws an `EntailError` of kind "memory". */
export async function createDeviceBatch(gpu: Gpu, capacity: BatchCapacity): Promise<DeviceBatch> {
  const rows = (label: string, most: number, count: (sizes: BatchSizes) => number): Rows => ({
    uniform: createUniform(gpu, label, 1),
    capacity: most,
    count,
  });
  const tokens = rows("tokens", capacity.tokens, (sizes) => sizes.tokens);
  const sequences = rows("sequences", capacity.sequences, (sizes) => sizes.sequences);
  const uniqueIds = rows("unique ids", capacity.tokens, (sizes) => sizes.uniqueIds);
  const words = async (label: string, count: number) => await createTensor(gpu, label, [count], "u32");
  const perToken = capacity.tokens;
  const perSequence = capacity.sequences;
  const tensors = {
    ids: await words("ids", perToken),
    typeIds: await words("type ids", perToken),
    position: await words("positions", perToken),
    sequenceOf: await words("sequence of token", perToken),
    sortedIds: await words("sorted ids", perToken),
    segmentStart: await words("segment start", perToken + 1),
    tokenOrder: await words("token order", perToken),
    offsets: await words("offsets", perSequence + 1),
    labels: await words("labels", perSequence),
    groups: await words("groups", perSequence),
    teacher: await createTensor(gpu, "teacher", [perSequence]),
  };
  const all = Object.values(tensors);
  return {
    capacity,
    tokens,
    sequences,
    uniqueIds,
    ...tensors,
    bytes: all.reduce((sum, tensor) => sum + tensor.bytes, 0),
    write(batch, labels, { groups, teacher } = {}) {
      const count = batch.offsets.length - 1;
      const sizes: BatchSizes = {
        tokens: batch.ids.length,
        sequences: count,
        longest: batch.offsets.reduce((most, end, i) => Math.max(most, i ? end - batch.offsets[i - 1] : 0), 0),
        uniqueIds: batch.sortedUnique.length,
      };
      if (sizes.tokens > capacity.tokens || count > capacity.sequences || sizes.longest > capacity.longest) {
        throw new RangeError(`a batch of ${sizes.tokens} tokens is over the planned capacity of ${capacity.tokens}`);
      }
      const uploads: [Tensor, Uint32Array | Float32Array][] = [
        [tensors.ids, batch.ids],
        [tensors.typeIds, batch.typeIds],
        [tensors.position, batch.positions],
        [tensors.sequenceOf, batch.sequenceOfToken],
        [tensors.sortedIds, batch.sortedUnique],
        [tensors.segmentStart, batch.segmentStart],
        [tensors.tokenOrder, batch.tokenOrder],
        [tensors.offsets, batch.offsets],
        [tensors.labels, labels],
        [tokens.uniform, Uint32Array.of(sizes.tokens)],
        [sequences.uniform, Uint32Array.of(count)],
        [uniqueIds.uniform, Uint32Array.of(sizes.uniqueIds)],
      ];
      if (groups) uploads.push([tensors.groups, groups]);
      if (teacher) uploads.push([tensors.teacher, teacher]);
      for (const [tensor, data] of uploads) writeTensor(gpu, tensor, data);
      return sizes;
    },
    release() {
      for (const { buffer } of [...all, tokens.uniform, sequences.uniform, uniqueIds.uniform]) buffer?.destroy();
    },
  };
}
