/** Tuning the kernels of a session: its calls, as a session of one layer makes them. */
import type { Config } from "../config/schema.ts";
import type { ModelConfig } from "../models/model_config.ts";
import type { Gpu } from "../gpu/device.ts";
import { writeTensor } from "../gpu/tensor.ts";
import { dropoutWords } from "../nn/dropout.ts";
import type { BatchSizes, Choice, Plan } from "../nn/plan.ts";
import type { Call } from "../tuning/measure.ts";
import { tune, type TuneLevel, type TuneOptions } from "../tuning/tune.ts";
import type { Tuner } from "./physical_batch.ts";
import { patiently, type Reporter } from "./reporter.ts";
import { planSession, type SessionOptions } from "./session.ts";
import { syntheticBatch } from "./synthetic_batch.ts";

/** `training.optimization.use_torch_compile` is the reference's switch: without it nothing is tuned. */
export const tuneLevel = ({ gpu, training }: Pick<Config, "gpu" | "training">): TuneLevel =>
  training.optimization.use_torch_compile ? gpu.tune : "off";

/** Tunes sessions as a configuration asks for; `known` are the variants that a run has used before. */
export const tunerOf = (
  config: Pick<Config, "gpu" | "training">,
  { known, reporter, signal }: { known?: ReadonlyMap<string, string>; reporter: Reporter; signal?: AbortSignal },
): Tuner =>
(gpu, model, options) =>
  tunedFor(gpu, model, options, {
    level: tuneLevel(config),
    known: known ?? new Map(),
    progress: patiently(reporter, "tuning kernels"),
    info: reporter.info,
    warn: reporter.warn,
    signal,
  });

/** `gpu` with the variants that are the fastest for this session. Throws an `EntailError` of kind "memory". */
async function tunedFor(
  gpu: Gpu,
  model: ModelConfig,
  options: SessionOptions,
  tuning: TuneOptions,
): Promise<Gpu> {
  if (tuning.level === "off") return { ...gpu, tuned: new Map([...gpu.tuned, ...tuning.known]) };
  let { known: tuned } = tuning;
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const held: { release(): void }[] = [];
    try {
      const calls = await callsOf({ ...gpu, tuned }, model, options, (resource) => {
        held.push(resource);
        return resource;
      });
      tuned = await tune(gpu, calls, tuning);
      if (calls.every(({ choice }) => variantBy(tuned, choice) === choice.variant)) break;
    } finally {
      held.forEach((resource) => resource.release());
    }
  }
  return { ...gpu, tuned };
}

/** Another variant of attention makes other products: those of the one that was the fastest are tuned in turn. */
const MOST_ROUNDS = 3;

const variantBy = (tuned: ReadonlyMap<string, string>, { operation, key, variants }: Choice): string =>
  tuned.get(`${operation} ${key}`) ?? variants[0];

/** Layers are alike, and the size of the vocabulary is nothing that variants depend on. */
async function callsOf(
  gpu: Gpu,
  model: ModelConfig,
  options: SessionOptions,
  keep: <T extends { release(): void }>(resource: T) => T,
): Promise<Call[]> {
  const vocabSize = Math.min(model.vocabSize, 1024);
  const small = { ...model, numHiddenLayers: 1, vocabSize };
  const { programs, stepParts, scoring } = await planSession(gpu, small, options, keep);
  const write = ({ batch }: Pick<typeof scoring, "batch">): BatchSizes => {
    const packed = syntheticBatch(batch.capacity, vocabSize);
    return batch.write(packed, new Uint32Array(packed.offsets.length - 1));
  };
  for (const uniform of stepParts ? [...Object.values(stepParts.tensors.dropout), stepParts.tensors.adapter] : []) {
    writeTensor(gpu, uniform, dropoutWords({ seed: 1, rate: 0.1 }));
  }
  const training = stepParts && write(stepParts);
  const inference = write(scoring);
  const calls = new Map<string, Call>();
  const add = ({ choices, precision }: Plan, sizes: BatchSizes) => {
    for (const [id, choice] of choices) if (!calls.has(id)) calls.set(id, { choice, precision, sizes });
  };
  for (const program of programs) add(program, program === scoring.program ? inference : training!);
  return [...calls.values()];
}
