/** AdamW over chunks of parameters. Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019. */
import { linearGrid } from "../gpu/program.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Plan } from "./plan.ts";

export interface AdamWParameters {
  learningRate: number;
  beta1: number;
  beta2: number;
  eps: number;
  weightDecay: number;
}

/** The words of the `optimizer` uniform: what PyTorch computes in double precision before it touches a tensor. */
export const adamwUniform = (
  { learningRate, beta1, beta2, eps, weightDecay }: AdamWParameters,
): Float32Array<ArrayBuffer> =>
  Float32Array.of(1 - learningRate * weightDecay, beta2, 1 - beta1, 1 - beta2, eps, learningRate);

/** Quads of a workgroup. */
const WORKGROUP_QUADS = 64;

/**
 * One optimizer step over a chunk: tensors of `elements` with the same layout, the first `decayedElements` of them with
 * weight decay, both multiples of 4. `compute` is a half copy of the values. `update` says what becomes of the step (see
 * `gradNorm`); `optimizer`: a uniform that holds `adamwUniform(…)`.
 */
export function adamw(
  plan: Plan,
  { compute, ...tensors }: {
    values: Tensor;
    compute?: Tensor | null;
    gradients: Tensor;
    firstMoment: Tensor;
    secondMoment: Tensor;
    update: Tensor;
    optimizer: Tensor;
  },
  { elements, decayedElements }: { elements: number; decayedElements: number },
): void {
  plan.dispatch({
    kernel: "adamw",
    entry: "step",
    constants: { QUADS: elements / 4, DECAYED: decayedElements / 4 },
    bindings: compute ? { ...tensors, compute } : tensors,
    grid: () => linearGrid(Math.ceil(elements / 4 / WORKGROUP_QUADS)),
    label: `AdamW ${tensors.values.label}`,
  });
}
