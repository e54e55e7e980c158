/**
 * Linear layers, y = act(x·Wᵀ + b), forward and backward. Weights are Hugging Face's [out, in].
 *
 * All three are one product C(m, n) = Σ_k A(m, k)·B(k, n) in different layouts.
 */
import type { Tensor } from "../gpu/tensor.ts";
import type { Plan, Rows } from "./plan.ts";
import { product } from "./product.ts";

/**
 * y [rows, out] = act(x [rows, in] · weightᵀ [out, in] + bias [out]) + residual [rows, out]. With an activation,
 * `preActivation` [rows, out] receives x·Wᵀ + b, which `geluBackward` needs. Added to y if `accumulate`.
 */
export function linearForward(
  plan: Plan,
  t: { x: Tensor; weight: Tensor; bias?: Tensor; residual?: Tensor; y: Tensor; preActivation?: Tensor },
  s: {
    rows: Rows;
    inFeatures: number;
    outFeatures: number;
    activation?: "gelu" | "tanh";
    accumulate?: boolean;
    label?: string;
  },
): void {
  const { rows, inFeatures: k, outFeatures: n, activation, accumulate, label = "linear forward" } = s;
  const { bias, residual, preActivation } = t;
  product(plan, {
    ...{ label, rows, m: "rows", n, k, activation, bias, residual, preActivation, accumulate },
    a: { tensor: t.x, alongK: true },
    b: { tensor: t.weight, alongK: true },
    c: { tensor: t.y },
  });
}

/**
 * dx [rows, in] = dy [rows, out] · weight [out, in], added to dx if `accumulate`. Where x is the exact GELU of
 * `preActivation` [rows, in], giving that makes dx the gradient of the pre-activation: it saves `geluBackward`. `x` receives
 * that GELU, where it was not kept.
 */
export function linearBackwardInput(
  plan: Plan,
  { dy, weight, dx, preActivation, x }: {
    dy: Tensor;
    weight: Tensor;
    dx: Tensor;
    preActivation?: Tensor;
    x?: Tensor;
  },
  s: { rows: Rows; inFeatures: number; outFeatures: number; accumulate: boolean; label?: string },
): void {
  const { rows, inFeatures: n, outFeatures: k, accumulate, label = "linear backward input" } = s;
  product(plan, {
    ...{ label, rows, m: "rows", n, k, accumulate, geluBackwardOf: preActivation, activatedAgain: x },
    a: { tensor: dy, alongK: true },
    b: { tensor: weight, alongK: false },
    c: { tensor: dx },
  });
}

/** dWeight [out, in] += dyᵀ · x, and dBias [out] += the column sums of dy [rows, out]. */
export function linearBackwardWeight(
  plan: Plan,
  { dy, x, dWeight, dBias }: { dy: Tensor; x: Tensor; dWeight: Tensor; dBias?: Tensor },
  s: { rows: Rows; inFeatures: number; outFeatures: number; label?: string },
): void {
  const { rows, inFeatures: n, outFeatures: m, label = "linear backward weight" } = s;
  product(plan, {
    ...{ label, rows, m, n, k: "rows", accumulate: true, sums: dBias },
    a: { tensor: dy, alongK: false },
    b: { tensor: x, alongK: false },
    c: { tensor: dWeight },
  });
}
