/** Whole optimizer steps of a model: forward, backward, clipping and AdamW on full-length random pairs. */
import { initialiseWeights } from "../models/checkpoint.ts";
import type { ModelConfig } from "../models/model_config.ts";
import process from "node:process";
import type { Gpu } from "../gpu/device.ts";
import type { Executable } from "../gpu/program.ts";
import { type LossKind, PLAIN_LOSS } from "../nn/loss.ts";
import type { BatchSizes, Precision } from "../nn/plan.ts";
import { firstToOpen, type Tuner } from "../training/physical_batch.ts";
import { openSession } from "../training/session.ts";
import { syntheticBatch } from "../training/synthetic_batch.ts";
import { median } from "../tuning/median.ts";
import type { Roof } from "../tuning/roof.ts";
import { type Part, partsOf, timeDispatches, timesByKernel } from "./profile.ts";
import { createStopwatch } from "./stopwatch.ts";

export interface StepResult {
  kernel: "train_step";
  model: string;
  batch_size: number;
  max_length: number;
  tokens: number;
  precision: Precision;
  /** Median over windows of several steps, queue kept full. */
  ms: number;
  tokens_per_second: number;
  /** Device memory of parameters, gradients, moments, activations and batches. */
  peak_bytes: number;
  /** Whether activations are computed again in the backward. */
  recompute: boolean;
  /** Share of a step's time in which the device works, by its own clock; null without timestamp queries. */
  busy: number | null;
  /** Milliseconds of the processor that recording a step's commands takes, and how many dispatches these are. */
  record_ms: number;
  dispatches: number;
  /** GPU milliseconds of a step by kernel, largest first; empty without timestamp queries. */
  profile: { kernel: string; ms: number }[];
  /** Every kernel and shape beside the adapter's roof, where that was given. */
  parts?: Part[];
}

const WINDOWS = 5;
/** Time enough for a slow adapter, which needs fewer. */
const ENOUGH_MS = 30_000;

export interface StepSizes {
  batchSize: number;
  maxLength: number;
  lossKind: LossKind;
  /** "fp32" by default. */
  precision?: Precision;
  /** Whether to compute activations again in the backward, what is preferred first; default: not to. */
  recompute?: readonly boolean[];
  /** Chooses the variants of kernels; default: as usual on this adapter. */
  tuned?: Tuner;
}

/** A model on the device and a batch for it, to be trained on again and again. */
export interface Steps {
  /** Takes `count` steps; resolves when the device has finished them. */
  run(count: number): Promise<void>;
  /** Device memory of everything. */
  readonly bytes: number;
  readonly recompute: boolean;
  readonly programs: readonly Executable<BatchSizes>[];
  readonly sizes: BatchSizes;
  /** Encodes a step and throws it away. */
  record(): void;
  release(): void;
}

/** Random weights, and a batch of `batchSize` sequences of `maxLength` tokens. */
export async function openSteps(
  gpu: Gpu,
  config: ModelConfig,
  {
    batchSize,
    maxLength,
    lossKind,
    precision = "fp32",
    recompute = [false],
    tuned = (on) => Promise.resolve(on),
  }: StepSizes,
): Promise<Steps> {
  const tokens = batchSize * maxLength;
  const capacity = { tokens, sequences: batchSize, longest: maxLength };
  const session = await firstToOpen(recompute, async (recompute) => {
    const options = {
      inference: { tokens: maxLength, sequences: 1, longest: maxLength },
      training: { capacity, lossKind, freezeEncoder: false, recompute },
      precision,
    };
    return await openSession(await tuned(gpu, config, options), config, options);
  });
  initialiseWeights(session.parameters, config, 1);
  const batch = syntheticBatch(capacity, config.vocabSize);
  const labels = Uint32Array.from({ length: batchSize }, (_, i) => i % 2);
  const sizes = { tokens, sequences: batchSize, longest: maxLength, uniqueIds: batch.sortedUnique.length };
  const step = session.step!;
  step.start({
    seed: 1,
    dropout: { hidden: 0.1, attention: 0.1, pooler: 0, classifier: 0.1 },
    loss: { ...PLAIN_LOSS, gamma: 2, positiveWeight: 0.5, negativeWeight: 0.5 },
    weightDecay: 0.01,
    layerDecay: 1,
    maxGradNorm: 1,
  });
  return {
    async run(count) {
      for (let i = 0; i < count; i++) step.step([{ batch, labels }], 1e-5);
      await step.readRecords();
    },
    bytes: session.bytes,
    recompute: session.recompute,
    programs: step.programs,
    sizes,
    record() {
      const encoder = gpu.device.createCommandEncoder({ label: "a step that is not run" });
      for (const program of step.programs) program.record(encoder, sizes);
      encoder.finish();
    },
    release: session.release,
  };
}

/** Times `batchSize` sequences of `maxLength` tokens. `model` is the name to report; `roof`: what parts are compared with. */
export async function benchStep(
  gpu: Gpu,
  model: string,
  config: ModelConfig,
  stepSizes: StepSizes,
  roof?: Roof,
): Promise<StepResult> {
  const stopwatch = createStopwatch(gpu);
  const steps = await openSteps(stopwatch.gpu, config, stepSizes);
  try {
    const time = async (count: number) => {
      const start = performance.now();
      await steps.run(count);
      return (performance.now() - start) / count;
    };
    await time(1); // compiles
    // Enough steps a window that the wait at its end does not count, but not more than a few seconds of them.
    const count = Math.min(50, Math.max(1, Math.round(2000 / await time(1))));
    const times = [];
    const began = performance.now();
    while (times.length < WINDOWS && (times.length === 0 || performance.now() - began < ENOUGH_MS)) {
      times.push(await time(count));
    }
    const ms = median(times);
    const { programs, sizes } = steps;
    const { tokens } = sizes;
    const busy = await stopwatch.busy(() => steps.run(count));
    const timed = await timeDispatches(gpu, programs, sizes);
    return {
      kernel: "train_step",
      model,
      batch_size: stepSizes.batchSize,
      max_length: stepSizes.maxLength,
      tokens,
      precision: stepSizes.precision ?? "fp32",
      ms,
      tokens_per_second: tokens / ms * 1000,
      peak_bytes: steps.bytes,
      recompute: steps.recompute,
      busy,
      record_ms: recordTime(steps),
      dispatches: timed.length,
      profile: timesByKernel(timed),
      ...(roof && { parts: partsOf(timed, sizes, roof) }),
    };
  } finally {
    steps.release();
  }
}

const RECORDINGS = 5;

/** The device stands still meanwhile: an adapter that runs on the CPU takes none of this time. */
function recordTime({ record }: Steps): number {
  const before = process.cpuUsage();
  for (let i = 0; i < RECORDINGS; i++) record();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / RECORDINGS;
}
