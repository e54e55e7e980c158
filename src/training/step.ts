/**
 * A training step on the device: the programs that make it up and the few words that change from step to step. A
 * micro-batch is one submission, and the begin and the update of a step go with its first and its last.
 *
 *     begin      clear the gradients and the loss
 *     micro      forward, loss and backward of one micro-batch, adding to the gradients
 *     update     global gradient norm, clipping, AdamW or nothing where fp16 overflowed, and a line in the step log
 *
 * Nothing here waits for the device. Losses and norms collect in a log on the device that the host reads now and then.
 */
import type { Encoder } from "../models/family.ts";
import { modelBackward, modelForward } from "../models/model.ts";
import type { DropoutUniforms } from "../models/scope.ts";
import type { ModelConfig } from "../models/model_config.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Executable } from "../gpu/program.ts";
import { createTensor, createUniform, readTensor, type Tensor, windowOf, writeTensor } from "../gpu/tensor.ts";
import { adamw, adamwUniform } from "../nn/adamw.ts";
import type { DeviceBatch, PackedBatch } from "../nn/batch.ts";
import { dropoutWords } from "../nn/dropout.ts";
import { gradNorm, LOG_WORDS, recordStep } from "../nn/grad_norm.ts";
import {
  comparedPairs,
  LOSS_WORDS,
  lossForwardBackward,
  type LossKind,
  lossUniform,
  type LossWeights,
} from "../nn/loss.ts";
import type { ParameterChunk, ParameterStore } from "../nn/parameters.ts";
import { type BatchSizes, createPlan, type Plan, type Precision } from "../nn/plan.ts";
import {
  createUpdateTensors,
  initialScaler,
  readScaler,
  type ScalerState,
  type UpdateTensors,
  writeScaler,
} from "../nn/scaler.ts";
import { type Stretch, stretchesOf } from "./layer_decay.ts";

/** Steps whose loss, norm and learning rate the device can hold before the host must read them. */
export const LOG_STEPS = 1024;

/** What may differ from run to run without planning anew. */
export interface StepSettings {
  seed: number;
  /** Dropout rates in [0, 1). */
  dropout: { hidden: number; attention: number; pooler: number; classifier: number };
  /** Of the inputs of adapters, where there are any: the dropout rate, and what they are multiplied with. */
  adapter?: { dropout: number; scale: number };
  loss: LossWeights;
  weightDecay: number;
  /** What the learning rate is multiplied by from layer to layer down from the head; 1: nothing. */
  layerDecay: number;
  /** 0 or less: no clipping. */
  maxGradNorm: number;
  /** What the loss of a step is the mean of: its micro-batches' means, by default, or all of its sequences. */
  meanOf?: "micro-batches" | "sequences";
}

/**
 * Sequences with their classes and, where the loss reads them, the number of each one's group and what a teacher says of it.
 */
export interface MicroBatch {
  batch: PackedBatch;
  labels: Uint32Array;
  groups?: Uint32Array;
  teacher?: Float32Array;
}

/** One line of the step log. `gradNorm` is the norm before clipping, unscaled. */
export interface StepRecord {
  loss: number;
  gradNorm: number;
  learningRate: number;
  /** What the loss was multiplied by. */
  scale: number;
  /** In fp16 a gradient overflowed: nothing was updated. */
  skipped: boolean;
}

/** What a resumed run needs besides the parameters, their moments and the scaler. */
export interface StepCounters {
  /** Optimizer steps taken, those that were skipped too. */
  updates: number;
  /** Micro-batches seen; keys the dropout. */
  microBatches: number;
}

export interface TrainingStep {
  readonly counters: StepCounters;
  /** Starts a run, or goes on with one: sets what does not change within it, the counters and the scaler. */
  start(settings: StepSettings, from?: { counters: StepCounters; scaler: ScalerState }): void;
  /** Queues one optimizer step over the given micro-batches. */
  step(microBatches: MicroBatch[], learningRate: number): void;
  /**
   * Records of the steps since the last call, in order; waits for the device, and steps may be queued meanwhile. At most
   * `LOG_STEPS` may be pending.
   */
  readRecords(): Promise<StepRecord[]>;
  /** The loss scale and the number of updates after all queued steps; waits for the device. */
  readScaler(): Promise<ScalerState>;
  /** The programs in the order in which a step of one micro-batch runs them, for profiles. */
  readonly programs: readonly Executable<BatchSizes>[];
  release(): void;
}

const BETAS = [0.9, 0.999] as const;
const EPS = 1e-8;

/** Device memory that a training step needs besides parameters, batch and transients. */
export interface StepTensors extends UpdateTensors {
  dropout: DropoutUniforms;
  adapter: Tensor;
  loss: Tensor;
  lossSum: Tensor;
  /** Of each depth below the head; of the head alone where all learn alike. */
  optimizers: readonly Tensor[];
  maxNorm: Tensor;
  log: Tensor;
  slot: Tensor;
}

/** `depths`: how many learning rates there are, see layer_decay.ts. */
export async function createStepTensors(gpu: Gpu, depths = 1): Promise<StepTensors> {
  const dropout = (label: string) => createUniform(gpu, `${label} dropout`, 8);
  return {
    dropout: {
      hidden: dropout("hidden"),
      attention: dropout("attention"),
      pooler: dropout("pooler"),
      classifier: dropout("classifier"),
    },
    adapter: dropout("adapter"),
    loss: createUniform(gpu, "loss parameters", LOSS_WORDS),
    lossSum: await createTensor(gpu, "loss sum", [1]),
    optimizers: Array.from({ length: depths }, () => createUniform(gpu, "optimizer parameters", 8)),
    ...await createUpdateTensors(gpu, BETAS),
    maxNorm: createUniform(gpu, "largest gradient norm", 4),
    log: await createTensor(gpu, "step log", [LOG_STEPS, LOG_WORDS]),
    slot: createUniform(gpu, "log slot", 4),
  };
}

/** The three programs of a step, in the order begin, micro, update; not yet with memory. */
export function planStep(
  gpu: Gpu,
  { config, parameters, encoder, batch, lossKind, freezeEncoder, recompute, precision, tensors }: {
    config: ModelConfig;
    parameters: ParameterStore;
    encoder: Encoder;
    batch: DeviceBatch;
    lossKind: LossKind;
    freezeEncoder: boolean;
    recompute?: boolean;
    precision: Precision;
    tensors: StepTensors;
  },
): Plan[] {
  const trainable = parameters.chunks.filter((chunk) => chunk.trainable);
  const begin = createPlan(gpu, "begin step");
  for (const chunk of trainable) begin.clear(chunk.gradients!);
  begin.clear(tensors.lossSum);

  const micro = createPlan(gpu, "micro-batch", { precision });
  const { dropout, adapter } = tensors;
  const scope = { plan: micro, config, parameters, batch, dropout, adapter, recompute };
  const pass = modelForward(scope, encoder);
  const { logits } = pass;
  const dLogits = micro.transient("d logits", logits.shape);
  const { labels, groups, teacher } = batch;
  lossForwardBackward(
    micro,
    { ...tensors, labels, groups, teacher, logits, parameters: tensors.loss, dLogits },
    { sequences: batch.sequences, numLabels: config.labels.length as 1 | 2, kind: lossKind },
  );
  modelBackward(scope, dLogits, pass, { frozenEncoder: freezeEncoder });

  const update = createPlan(gpu, "update", { precision });
  const { optimizers, lossSum, log, slot } = tensors;
  gradNorm(update, { ...tensors, gradientChunks: trainable.map((chunk) => chunk.gradients!) });
  for (const chunk of trainable) {
    const whole = [{ depth: 0, begin: 0, end: chunk.elements }];
    for (const stretch of optimizers.length > 1 ? stretchesOf(chunk, config) : whole) {
      updateStretch(update, chunk, stretch, { update: tensors.update, optimizer: optimizers[stretch.depth] });
    }
  }
  recordStep(update, { lossSum, update: tensors.update, optimizer: optimizers[0], log, slot });
  return [begin, micro, update];
}

function updateStretch(
  plan: Plan,
  { values, compute, gradients, firstMoment, secondMoment, decayedElements }: ParameterChunk,
  { begin, end }: Stretch,
  tensors: { update: Tensor; optimizer: Tensor },
): void {
  const elements = end - begin;
  const part = (tensor: Tensor | null) => windowOf(tensor!, tensor!.label, begin, [elements]);
  adamw(plan, {
    values: part(values),
    compute: compute && part(compute),
    gradients: part(gradients),
    firstMoment: part(firstMoment),
    secondMoment: part(secondMoment),
    ...tensors,
  }, { elements, decayedElements: Math.min(Math.max(decayedElements - begin, 0), elements) });
}

/** The step as the training loop uses it, over the compiled programs of `planStep`. */
export function createTrainingStep(
  gpu: Gpu,
  batch: DeviceBatch,
  tensors: StepTensors,
  precision: Precision,
  [begin, micro, update]: Executable<BatchSizes>[],
): TrainingStep {
  const none: BatchSizes = { tokens: 0, sequences: 0, longest: 0, uniqueIds: 0 };
  let settings: StepSettings | undefined;
  let counters: StepCounters = { updates: 0, microBatches: 0 };
  let recorded = 0;

  function writeDropout() {
    const { seed, dropout, adapter } = settings!;
    const at = { seed, step: counters.microBatches };
    for (const [site, rate] of Object.entries(dropout)) {
      writeTensor(gpu, tensors.dropout[site as keyof DropoutUniforms], dropoutWords({ ...at, rate }));
    }
    if (adapter) {
      writeTensor(gpu, tensors.adapter, dropoutWords({ ...at, rate: adapter.dropout, scale: adapter.scale }));
    }
  }

  function writeUpdate(learningRate: number) {
    const { weightDecay, layerDecay } = settings!;
    const [beta1, beta2] = BETAS;
    const hyper = { beta1, beta2, eps: EPS, weightDecay };
    for (const [depth, optimizer] of tensors.optimizers.entries()) {
      writeTensor(gpu, optimizer, adamwUniform({ ...hyper, learningRate: learningRate * layerDecay ** depth }));
    }
    writeTensor(gpu, tensors.slot, Uint32Array.of(recorded));
  }

  return {
    programs: [begin, micro, update],
    get counters() {
      return { ...counters };
    },
    start(newSettings, from = { counters: { updates: 0, microBatches: 0 }, scaler: initialScaler(precision) }) {
      if (newSettings.layerDecay !== 1 && tensors.optimizers.length === 1) {
        throw new Error("the step was planned with one learning rate for all layers");
      }
      settings = newSettings;
      counters = { ...from.counters };
      recorded = 0;
      writeTensor(gpu, tensors.maxNorm, Float32Array.of(settings.maxGradNorm));
      writeScaler(gpu, tensors.scaler, from.scaler);
    },
    step(microBatches, learningRate) {
      if (recorded === LOG_STEPS) throw new Error("the step log is full: read it first");
      gpu.check();
      const { loss, meanOf = "micro-batches" } = settings!;
      const sequences = microBatches.map(({ labels }) => labels.length);
      const pairs = microBatches.map(({ labels, groups }) => groups ? comparedPairs(labels, groups).length : 0);
      const scaleOf = (counts: readonly number[], at: number) => {
        if (counts[at] === 0) return 0;
        if (meanOf === "micro-batches") return 1 / (counts[at] * counts.length);
        return 1 / counts.reduce((sum, count) => sum + count, 0);
      };
      for (const [at, { batch: packed, labels, groups, teacher }] of microBatches.entries()) {
        const sizes = batch.write(packed, labels, { groups, teacher });
        const [scale, pairScale] = [scaleOf(sequences, at), scaleOf(pairs, at)];
        writeTensor(gpu, tensors.loss, lossUniform({ scale, pairScale, ...loss }));
        writeDropout();
        const isLast = at === microBatches.length - 1;
        if (isLast) writeUpdate(learningRate);
        const encoder = gpu.device.createCommandEncoder({ label: "step" });
        if (at === 0) begin.record(encoder, none);
        micro.record(encoder, sizes);
        if (isLast) update.record(encoder, none);
        gpu.submit(encoder);
        counters.microBatches++;
      }
      counters.updates++;
      recorded++;
    },
    async readRecords() {
      const count = recorded;
      recorded = 0;
      if (count === 0) return [];
      const words = await readTensor(gpu, tensors.log, 0, count * LOG_WORDS);
      return Array.from({ length: count }, (_, i) => {
        const [loss, gradNorm, learningRate, scale, skipped] = words.subarray(i * LOG_WORDS, (i + 1) * LOG_WORDS);
        return { loss, gradNorm, learningRate, scale, skipped: skipped !== 0 };
      });
    },
    readScaler: () => readScaler(gpu, tensors.scaler),
    release() {
      const { dropout, optimizers, ...rest } = tensors;
      for (const { buffer } of [...Object.values(dropout), ...optimizers, ...Object.values(rest)]) buffer?.destroy();
    },
  };
}
