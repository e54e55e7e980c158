/**
 * What the device keeps of the optimizer from step to step: the loss scale, as torch.amp.GradScaler has it, and the number
 * of updates. Only fp16 needs a scale; in fp32 and bf16 it stays 1 and no step is skipped.
 */
import type { Gpu } from "../gpu/device.ts";
import { createTensor, readTensor, type Tensor, writeTensor } from "../gpu/tensor.ts";
import type { Precision } from "./plan.ts";

export interface ScalerState {
  /** A power of two. */
  scale: number;
  /** In a row, since the scale last changed. */
  goodSteps: number;
  /** Updates: optimizer steps that were not skipped. */
  applied: number;
}

export const initialScaler = (precision: Precision): ScalerState => ({
  scale: precision === "fp16" ? 2 ** 16 : 1,
  goodSteps: 0,
  applied: 0,
});

/** Tensors of kernels/lib/update.wgsl. */
export interface UpdateTensors {
  readonly scaler: Tensor;
  readonly update: Tensor;
  /** The factors of bias correction by the number of updates. */
  readonly corrections: Tensor;
}

export async function createUpdateTensors(gpu: Gpu, betas: readonly [number, number]): Promise<UpdateTensors> {
  const factors = biasCorrections(betas);
  const corrections = await createTensor(gpu, "bias corrections", [factors.length / 2, 2]);
  writeTensor(gpu, corrections, factors);
  return {
    scaler: await createTensor(gpu, "loss scale", [4]),
    update: await createTensor(gpu, "update", [6]),
    corrections,
  };
}

/** 1 / (1 − β1^t) and sqrt(1 − β2^t) for t = 1, 2, … until both are 1 in f32. */
export function biasCorrections([beta1, beta2]: readonly [number, number]): Float32Array<ArrayBuffer> {
  const factors: number[] = [];
  for (let t = 1;; t++) {
    const pair = [1 / (1 - beta1 ** t), Math.sqrt(1 - beta2 ** t)].map(Math.fround);
    factors.push(...pair);
    if (pair.every((factor) => factor === 1)) return Float32Array.from(factors);
  }
}

export function writeScaler(gpu: Gpu, scaler: Tensor, { scale, goodSteps, applied }: ScalerState): void {
  const words = Uint32Array.of(0, 0, goodSteps, applied);
  new Float32Array(words.buffer).set([scale, 1 / scale]);
  writeTensor(gpu, scaler, words);
}

/** Waits for the queue. */
export async function readScaler(gpu: Gpu, scaler: Tensor): Promise<ScalerState> {
  const floats = await readTensor(gpu, scaler);
  const [, , goodSteps, applied] = new Uint32Array(floats.buffer);
  return { scale: floats[0], goodSteps, applied };
}
