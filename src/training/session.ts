/**
 * A session: one model on the device with everything planned, allocated and compiled, for as many folds or trials as
 * have its shape. Training and evaluation share transient memory, since one runs after the other.
 */
import type { ModelConfig } from "../models/model_config.ts";
import { adapterScale } from "../models/adapter.ts";
import { createEncoder, modelForward } from "../models/model.ts";
import { modelParameters } from "../models/parameters.ts";
import { EntailError } from "../errors.ts";
import { countingGpu } from "../gpu/counting.ts";
import type { Gpu } from "../gpu/device.ts";
import { allocateMemory, compileProgram, planMemory } from "../gpu/program.ts";
import { createTensor, createUniform, readTensor, type Tensor, writeTensor } from "../gpu/tensor.ts";
import { type BatchCapacity, createDeviceBatch, type DeviceBatch, type PackedBatch } from "../nn/batch.ts";
import { dropoutWords } from "../nn/dropout.ts";
import type { LossKind } from "../nn/loss.ts";
import { createParameterStore, type ParameterStore } from "../nn/parameters.ts";
import { type Choice, createPlan, type Plan, type Precision } from "../nn/plan.ts";
import { depths } from "./layer_decay.ts";
import { createPace } from "./pace.ts";
import { createStepTensors, createTrainingStep, planStep, type TrainingStep } from "./step.ts";

export interface TrainingOptions {
  /** The largest micro-batches. */
  capacity: BatchCapacity;
  lossKind: LossKind;
  freezeEncoder: boolean;
  /** Whether each layer has a learning rate of its own. */
  layerRates?: boolean;
  /** Whether activations are computed again in the backward rather than kept. The bits are the same. */
  recompute?: boolean;
}

export interface SessionOptions {
  /** The largest batches of sequences to be scored. */
  inference: BatchCapacity;
  /** Absent for a session that only scores. */
  training?: TrainingOptions;
  /** "fp32" by default. */
  precision?: Precision;
}

export interface Session {
  readonly gpu: Gpu;
  readonly config: ModelConfig;
  readonly precision: Precision;
  readonly parameters: ParameterStore;
  /** Device memory of everything, in bytes. */
  readonly bytes: number;
  /** The largest batches that `score` takes. */
  readonly inference: BatchCapacity;
  readonly step: TrainingStep | null;
  /** See `TrainingOptions`. */
  readonly recompute: boolean;
  /** Which variants of kernels it uses. */
  readonly choices: readonly Choice[];
  /** Logits [labels] of every sequence of every batch, in order; no dropout. Takes batches a fraction of a second ahead. */
  score(batches: Iterable<PackedBatch>): Promise<Float32Array[]>;
  release(): void;
}

const FP16_OVERFLOW =
  "training.optimization.precision: the model overflows fp16, which ends at 65504; set it to bf16 or fp32";

/** Sequences whose logits the device collects before the host reads them. */
const SCORED_SEQUENCES = 1 << 16;

/** A session's programs and everything they need, with memory for all but the activations. */
interface SessionPlan {
  parameters: ParameterStore;
  programs: Plan[];
  stepParts?: { batch: DeviceBatch; tensors: Awaited<ReturnType<typeof createStepTensors>> };
  scoring: Awaited<ReturnType<typeof planScoring>>;
}

/** Everything that `openSession` plans; `keep` is told of what must be released. */
export async function planSession(
  gpu: Gpu,
  config: ModelConfig,
  { inference, training, precision = "fp32" }: SessionOptions,
  keep: <T extends { release(): void }>(resource: T) => T,
): Promise<SessionPlan> {
  const specs = modelParameters(config, { freezeBackbone: training?.freezeEncoder ?? false });
  const parameters = keep(await createParameterStore(gpu, specs, { moments: training !== undefined, precision }));
  const programs: Plan[] = [];

  let stepParts: SessionPlan["stepParts"];
  if (training) {
    const batch = keep(await createDeviceBatch(gpu, training.capacity));
    const encoder = await createEncoder(gpu, config, training.capacity.longest);
    const rates = training.layerRates ? depths(config) : 1;
    stepParts = { batch, tensors: await createStepTensors(gpu, rates) };
    programs.push(...planStep(gpu, { config, parameters, encoder, precision, ...stepParts, ...training }));
  }
  const scoring = await planScoring(gpu, config, parameters, inference, precision);
  keep(scoring.batch);
  keep({ release: () => [scoring.collected, scoring.adapter].forEach(({ buffer }) => buffer?.destroy()) });
  programs.push(scoring.program);
  return { parameters, programs, stepParts, scoring };
}

/**
 * Device memory that `openSession` will take, in bytes, without taking any. Throws an `EntailError` of kind "memory"
 * where a limit of the adapter rules it out.
 */
export async function sessionBytes(gpu: Gpu, config: ModelConfig, options: SessionOptions): Promise<number> {
  const counting = countingGpu(gpu);
  const { programs } = await planSession(counting.gpu, config, options, (resource) => resource);
  await allocateMemory(counting.gpu, "activations", planMemory(programs));
  return counting.bytes();
}

/** Which variants of kernels `openSession` would use, without taking any memory. */
export async function sessionChoices(gpu: Gpu, config: ModelConfig, options: SessionOptions): Promise<Choice[]> {
  const { programs } = await planSession(countingGpu(gpu).gpu, config, options, (resource) => resource);
  return choicesOf(programs);
}

/** What several plans have chosen, each choice once. */
function choicesOf(plans: readonly Plan[]): Choice[] {
  const choices = new Map<string, Choice>();
  for (const [id, choice] of plans.flatMap((plan) => [...plan.choices])) {
    choices.set(id, { ...choice, calls: choice.calls + (choices.get(id)?.calls ?? 0) });
  }
  return [...choices.values()];
}

/** Plans and allocates. Throws an `EntailError` of kind "memory" if it does not fit. */
export async function openSession(gpu: Gpu, config: ModelConfig, options: SessionOptions): Promise<Session> {
  const labels = config.labels.length;
  const { inference, precision = "fp32" } = options;
  const held: { release(): void }[] = [];
  const keep = <T extends { release(): void }>(resource: T): T => {
    held.push(resource);
    return resource;
  };
  try {
    const { parameters, programs, stepParts, scoring } = await planSession(gpu, config, options, keep);
    const memory = keep(await allocateMemory(gpu, "activations", planMemory(programs)));
    const executables = [];
    for (const program of programs) executables.push(await compileProgram(gpu, program));
    const scoreProgram = executables.pop()!;
    const step = stepParts && keep(createTrainingStep(gpu, stepParts.batch, stepParts.tensors, precision, executables));

    return {
      gpu,
      config,
      precision,
      parameters,
      bytes: parameters.bytes + memory.bytes + scoring.batch.bytes + (stepParts?.batch.bytes ?? 0),
      inference,
      step: step ?? null,
      recompute: options.training?.recompute ?? false,
      choices: choicesOf(programs),
      async score(batches) {
        const scores: Float32Array[] = [];
        let pending = 0;
        const pace = createPace({
          read() {
            const words = readTensor(gpu, scoring.collected, 0, pending * labels);
            pending = 0;
            return words;
          },
          seen(words) {
            if (precision === "fp16" && !words.every(Number.isFinite)) throw new EntailError("usage", FP16_OVERFLOW);
            for (let i = 0; i < words.length; i += labels) scores.push(words.slice(i, i + labels));
          },
        });
        for (const batch of batches) {
          const sizes = scoring.batch.write(batch, new Uint32Array(batch.offsets.length - 1));
          if (pending + sizes.sequences > SCORED_SEQUENCES) await pace.drain();
          gpu.check();
          const encoder = gpu.device.createCommandEncoder({ label: "score" });
          scoreProgram.record(encoder, sizes);
          const { logits, collected } = scoring;
          const rowBytes = labels * 4;
          const to = pending * rowBytes;
          encoder.copyBufferToBuffer(logits.buffer!, logits.offset, collected.buffer!, to, sizes.sequences * rowBytes);
          gpu.submit(encoder);
          pending += sizes.sequences;
          await pace.queued();
        }
        await pace.drain();
        return scores;
      },
      release: () => held.forEach((resource) => resource.release()),
    };
  } catch (error) {
    held.forEach((resource) => resource.release());
    throw error;
  }
}

/** The forward pass alone, whose logits stay until they have been copied away. */
async function planScoring(
  gpu: Gpu,
  config: ModelConfig,
  parameters: ParameterStore,
  capacity: BatchCapacity,
  precision: Precision,
): Promise<{ program: Plan; batch: DeviceBatch; logits: Tensor; collected: Tensor; adapter: Tensor }> {
  const batch = await createDeviceBatch(gpu, capacity);
  const encoder = await createEncoder(gpu, config, capacity.longest);
  const plan = createPlan(gpu, "score", { precision });
  const adapter = createUniform(gpu, "adapter scale", 8);
  writeTensor(gpu, adapter, dropoutWords({ rate: 0, scale: config.adapter && adapterScale(config.adapter) }));
  const scope = { plan, config, parameters, batch, dropout: null, adapter };
  const { logits: last } = modelForward(scope, encoder);
  const logits = plan.result("logits", last.shape);
  plan.copy(last, logits);
  return {
    program: plan,
    batch,
    logits,
    adapter,
    collected: await createTensor(gpu, "collected logits", [SCORED_SEQUENCES, config.labels.length]),
  };
}
