/** One AdamW step in float64, in the order of torch.optim.AdamW. */
import type { AdamWParameters } from "../../nn/adamw.ts";

/** `step` counts updates from 1. */
export type AdamWReferenceParameters = AdamWParameters & { step: number };

export interface AdamWState {
  values: Float64Array;
  firstMoment: Float64Array;
  secondMoment: Float64Array;
}

export function adamwReference(
  { values, firstMoment, secondMoment }: AdamWState,
  gradients: ArrayLike<number>,
  clip: number,
  decayedElements: number,
  { learningRate, beta1, beta2, eps, weightDecay, step }: AdamWReferenceParameters,
): AdamWState {
  const m = firstMoment.map((old, i) => beta1 * old + (1 - beta1) * clip * gradients[i]);
  const v = secondMoment.map((old, i) => beta2 * old + (1 - beta2) * (clip * gradients[i]) ** 2);
  return {
    values: values.map((old, i) => {
      const decayed = i < decayedElements ? old * (1 - learningRate * weightDecay) : old;
      return decayed - learningRate / (1 - beta1 ** step) * m[i] / (Math.sqrt(v[i] / (1 - beta2 ** step)) + eps);
    }),
    firstMoment: m,
    secondMoment: v,
  };
}
