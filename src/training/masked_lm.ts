/** A masked language model on the device: planned and allocated once, for batches of sequences with a mask each. */
import { loadWeights } from "../models/checkpoint.ts";
import type { ModelConfig } from "../models/model_config.ts";
import { type LogitShard, maskedLmForward } from "../models/masked_lm.ts";
import { createEncoder } from "../models/model.ts";
import { maskedLmParameters } from "../models/parameters.ts";
import type { Gpu } from "../gpu/device.ts";
import { preparePrograms } from "../gpu/program.ts";
import { createTensor, readTensor, writeTensor } from "../gpu/tensor.ts";
import { type BatchCapacity, createDeviceBatch, type PackedBatch } from "../nn/batch.ts";
import { createParameterStore } from "../nn/parameters.ts";
import { createPlan } from "../nn/plan.ts";

/** Logits of so many masks are held at once: 33 MB with DeBERTa-v3's vocabulary of 128,100 tokens. */
const MOST_MASKS = 64;

export interface MaskedLm {
  /** The largest batches that `predict` takes. */
  readonly capacity: BatchCapacity;
  /**
   * Logits over the vocabulary of each sequence's masked token, which stands at `masked[i]` in sequence i. They do not
   * depend on what else is in the batch.
   */
  predict(batch: PackedBatch, masked: readonly number[]): Promise<Float32Array[]>;
  release(): void;
}

/**
 * Room for as many sequences of up to `longest` tokens at once as fit one binding and the limit on masks. It does not
 * follow from the sequences at hand, because products of other capacities may round differently.
 */
export function maskedLmCapacity(gpu: Gpu, config: ModelConfig, longest: number): BatchCapacity {
  const floats = gpu.maxBindingBytes / 4;
  const masks = Math.floor(floats / config.vocabSize);
  const tokens = Math.floor(floats / Math.max(config.intermediateSize, config.hiddenSize));
  const sequences = Math.max(1, Math.min(MOST_MASKS, masks, Math.floor(tokens / longest)));
  return { sequences, tokens: sequences * longest, longest };
}

/**
 * Opens the model of a Hugging Face folder. `maxChunkBytes` is what the adapter suggests unless given.
 * Throws an `EntailError`: "data" for the folder, "memory" if it does not fit.
 */
export async function openMaskedLm(
  gpu: Gpu,
  { config, folder, capacity, maxChunkBytes }: {
    config: ModelConfig;
    folder: string;
    capacity: BatchCapacity;
    maxChunkBytes?: number;
  },
): Promise<MaskedLm> {
  const held: { release(): void }[] = [];
  const release = () => held.forEach((resource) => resource.release());
  const keep = <T extends { release(): void }>(resource: T): T => {
    held.push(resource);
    return resource;
  };
  try {
    const specs = maskedLmParameters(config);
    const parameters = keep(await createParameterStore(gpu, specs, { moments: false, maxChunkBytes }));
    await loadWeights(parameters, config, folder);
    const encoder = await createEncoder(gpu, config, capacity.longest);
    const batch = keep(await createDeviceBatch(gpu, capacity));
    const places = await createTensor(gpu, "masked tokens", [capacity.sequences + 1]);
    keep({ release: () => places.buffer?.destroy() });
    const plan = createPlan(gpu, "masked LM");
    const shards = maskedLmForward({ plan, config, parameters, batch, dropout: null }, encoder, places);
    const { executables: [program], memory } = await preparePrograms(gpu, "masked LM activations", [plan]);
    keep(memory);
    const labels = new Uint32Array(capacity.sequences);
    return {
      capacity,
      async predict(packed, masked) {
        writeTensor(gpu, places, Uint32Array.from(masked, (place, sequence) => packed.offsets[sequence] + place));
        program.run(batch.write(packed, labels.subarray(0, masked.length)));
        return await readLogits(gpu, shards, masked.length, config.vocabSize);
      },
      release,
    };
  } catch (error) {
    release();
    throw error;
  }
}

async function readLogits(gpu: Gpu, shards: readonly LogitShard[], count: number, size: number) {
  const rows = Array.from({ length: count }, () => new Float32Array(size));
  for (const { logits, tokenBegin, tokens } of shards) {
    const part = await readTensor(gpu, logits, 0, count * tokens);
    rows.forEach((row, i) => row.set(part.subarray(i * tokens, (i + 1) * tokens), tokenBegin));
  }
  return rows;
}
