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
  /** Counts optimizer steps from 1. */
  step: number;
}

/** The words of the `parameters` uniform: what PyTorch computes in double precision before it touches a tensor. */
export function adamwUniform(
  { learningRate, beta1, beta2, eps, weightDecay, step }: AdamWParameters,
): Float32Array<ArrayBuffer> {
  return Float32Array.of(
    1 - learningRate * weightDecay,
    beta2,
    1 - beta1,
    1 - beta2,
    learningRate / (1 - beta1 ** step),
    Math.sqrt(1 - beta2 ** step),
    eps,
    learningRate,
  );
}

/** Elements of a workgroup. */
const WORKGROUP_ELEMENTS = 64 * 4;

/**
 * One optimizer step over a chunk: four tensors of `elements` words with the same layout, the first `decayedElements`
 * of them with weight decay. `norm` holds the clip factor (see `gradNorm`); `parameters`: a uniform that holds
 * `adamwUniform(…)`. A chunk that does not fill its last four words needs a buffer that does; they stay as they are.
 */
export function adamw(
  plan: Plan,
  { values, gradients, firstMoment, secondMoment, norm, parameters }: {
    values: Tensor;
    gradients: Tensor;
    firstMoment: Tensor;
    secondMoment: Tensor;
    norm: Tensor;
    parameters: Tensor;
  },
  { elements, decayedElements }: { elements: number; decayedElements: number },
): void {
  plan.dispatch({
    kernel: "adamw",
    entry: "step",
    constants: { ELEMENTS: elements, DECAYED: decayedElements, WHOLE_QUADS: +(elements % 4 === 0) },
    bindings: { parameters, norm, values, gradients, firstMoment, secondMoment },
    grid: () => linearGrid(Math.ceil(elements / WORKGROUP_ELEMENTS)),
    label: `AdamW ${values.label}`,
  });
}
