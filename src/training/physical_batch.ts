/**
 * `training.target_effective_batch_size`: the pairs of an optimizer step as micro-batches times accumulation. The
 * micro-batch is the largest divisor of the target that the device has memory for, with a margin.
 */
import type { Config } from "../config/schema.ts";
import type { ModelConfig } from "../models/model_config.ts";
import { EntailError } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { allocateBuffers, availableHostBytes } from "../gpu/tensor.ts";
import { trainingOptions } from "./run.ts";
import type { RunData } from "./run_data.ts";
import { openSession, type Session, sessionBytes, type SessionOptions } from "./session.ts";

/** Share of the device's memory that a session may fill. */
const MARGIN = 0.9;

/** Largest buffer of the memory that is taken for a moment to see that it is there. */
const BALLAST_BYTES = 1 << 30;

/** The configuration with so many pairs per micro-batch; the optimizer step keeps its size. */
export function withPhysicalBatch(config: Config, batchSize: number): Config {
  const { target_effective_batch_size: target } = config.training;
  if (target === null) return config;
  const training = { ...config.training, batch_size: batchSize, gradient_accumulation_steps: target / batchSize };
  return { ...config, training };
}

/** The divisors of a number, the largest first. */
export function divisors(target: number): number[] {
  const small: number[] = [];
  for (let d = 1; d * d <= target; d++) if (target % d === 0) small.push(d);
  const large = small.map((d) => target / d).filter((d) => d * d > target);
  return [...large, ...small.reverse()];
}

/** What a session is opened on: the device with the variants of kernels that it is to use (tune_session.ts). */
export type Tuner = (gpu: Gpu, model: ModelConfig, options: SessionOptions) => Promise<Gpu>;

/**
 * Opens the session of a run and says in `config.training` with which batch size and accumulation. Without a target
 * that is the configuration's own; with one, batches that do not fit by plan are passed over, and the largest that
 * does is allocated, or the next smaller one where the device disagrees; `known` is the micro-batch that was found before,
 * which a run keeps for its bits. Throws an `EntailError` of kind "memory".
 */
export async function openFittingSession(
  gpu: Gpu,
  config: Config,
  model: ModelConfig,
  data: RunData,
  { known = null, tuned = (on) => Promise.resolve(on) }: { known?: number | null; tuned?: Tuner } = {},
): Promise<{ session: Session; config: Config }> {
  const { target_effective_batch_size: target } = config.training;
  if (target === null || known !== null) {
    const fitted = known === null ? config : withPhysicalBatch(config, known);
    const options = trainingOptions(gpu, fitted, model, data);
    return { session: await openSession(await tuned(gpu, model, options), model, options), config: fitted };
  }
  let refusal: unknown;
  for (const batchSize of divisors(target)) {
    const fitted = withPhysicalBatch(config, batchSize);
    try {
      const options = trainingOptions(gpu, fitted, model, data);
      return { session: await openWithMargin(gpu, model, options, tuned), config: fitted };
    } catch (error) {
      if (!(error instanceof EntailError) || error.kind !== "memory") throw error;
      refusal = error;
    }
  }
  throw refusal;
}

async function openWithMargin(
  gpu: Gpu,
  model: ModelConfig,
  options: SessionOptions,
  tuned: Tuner,
): Promise<Session> {
  const open = async () => await openSession(await tuned(gpu, model, options), model, options);
  const planned = await sessionBytes(gpu, model, options);
  if (gpu.kind === "software") {
    // Host memory is committed lazily, so that only the plan can tell; see `allocateBuffers`.
    if (planned > MARGIN * availableHostBytes()) {
      throw new EntailError("memory", `out of memory on the device: the plan needs ${planned} bytes`);
    }
    return await open();
  }
  // WebGPU does not say how much memory a GPU has left: the margin is there if it can be taken besides the rest.
  const margin = Math.ceil(planned * (1 / MARGIN - 1));
  const largest = Math.min(BALLAST_BYTES, gpu.maxBufferBytes);
  const pieces = Array.from({ length: Math.ceil(margin / largest) }, (_, i) => Math.min(largest, margin - i * largest));
  const ballast = await allocateBuffers(gpu, "memory margin", pieces);
  try {
    return await open();
  } finally {
    ballast.forEach((buffer) => buffer.destroy());
  }
}
