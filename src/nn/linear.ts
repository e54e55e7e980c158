/**
 * Linear layers, y = act(x·Wᵀ + b), forward and backward. Weights are Hugging Face's [out, in].
 *
 * All three are one product C(m, n) = Σ_k A(m, k)·B(k, n) in different layouts. Each sum runs over k in a fixed order
 * that depends only on the layer's sizes, so a row of the result does not depend on the other rows; the sum over rows
 * of a weight gradient is split in shares that depend on the number of rows alone.
 */
import { linearGrid } from "../gpu/program.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { appendProduct, type Product } from "./matmul.ts";
import { appendWindowedProduct } from "./matmul_windows.ts";
import type { Plan, Rows } from "./plan.ts";

function product(plan: Plan, p: Product): void {
  if (plan.variants.matmul === "register" && appendWindowedProduct(plan, p)) return;
  appendProduct(plan, p);
}

/**
 * y [rows, out] = act(x [rows, in] · weightᵀ [out, in] + bias [out]) + residual [rows, out]. With an activation,
 * `preActivation` [rows, out] receives x·Wᵀ + b, which `geluBackward` needs.
 */
export function linearForward(
  plan: Plan,
  t: { x: Tensor; weight: Tensor; bias?: Tensor; residual?: Tensor; y: Tensor; preActivation?: Tensor },
  s: { rows: Rows; inFeatures: number; outFeatures: number; activation?: "gelu" | "tanh"; label?: string },
): void {
  const { rows, inFeatures: k, outFeatures: n, activation, label = "linear forward" } = s;
  const { x: a, weight: b, y: c, bias, residual, preActivation } = t;
  const layout = { m: "rows", n, k, aAlongK: true, bAlongK: true } as const;
  product(plan, { ...layout, a, b, c, bias, residual, preActivation, activation, rows, label });
}

/**
 * dx [rows, in] = dy [rows, out] · weight [out, in], added to dx if `accumulate`. Where x is the exact GELU of
 * `preActivation` [rows, in], giving that makes dx the gradient of the pre-activation: it saves `geluBackward`.
 */
export function linearBackwardInput(
  plan: Plan,
  { dy, weight, dx, preActivation }: { dy: Tensor; weight: Tensor; dx: Tensor; preActivation?: Tensor },
  s: { rows: Rows; inFeatures: number; outFeatures: number; accumulate: boolean; label?: string },
): void {
  const { rows, inFeatures: n, outFeatures: k, accumulate, label = "linear backward input" } = s;
  const layout = { m: "rows", n, k, aAlongK: true, bAlongK: false } as const;
  product(plan, { ...layout, a: dy, b: weight, c: dx, geluBackwardOf: preActivation, rows, accumulate, label });
}

/** dWeight [out, in] += dyᵀ · x, and dBias [out] += the column sums of dy [rows, out]. */
export function linearBackwardWeight(
  plan: Plan,
  { dy, x, dWeight, dBias }: { dy: Tensor; x: Tensor; dWeight: Tensor; dBias?: Tensor },
  s: { rows: Rows; inFeatures: number; outFeatures: number; label?: string },
): void {
  const { rows, inFeatures: n, outFeatures: m, label = "linear backward weight" } = s;
  const layout = { m, n, k: "rows", aAlongK: false, bAlongK: false, a: dy, b: x, rows, label } as const;
  const whole = { ...layout, c: dWeight, accumulate: true };
  if (plan.variants.matmul === "register" && appendWindowedProduct(plan, whole, dBias)) return;
  const slices = sharesOfRows(rows.capacity, Math.ceil(m / 64) * Math.ceil(n / 64));
  if (slices === 1) {
    appendProduct(plan, whole);
  } else {
    const partials = plan.transient(`${label} partial sums`, [slices, m * n]);
    appendProduct(plan, { ...layout, c: partials, slices });
    addPartials(plan, partials, dWeight, m * n, slices, rows, label);
  }
  if (!dBias) return;
  const columnSlices = sharesOfRows(rows.capacity, Math.ceil(m / 64));
  const sums = plan.transient(`${label} partial bias sums`, [columnSlices, m]);
  plan.dispatch({
    kernel: "matmul_reduce",
    entry: "column_sums",
    constants: { SIZE: m, SLICES: columnSlices },
    bindings: { matrix: dy, sums, rows: rows.uniform },
    grid: (sizes) => (rows.count(sizes) === 0 ? [0] : [Math.ceil(m / 64), columnSlices]),
    label: `${label} bias`,
  });
  addPartials(plan, sums, dBias, m, columnSlices, rows, `${label} bias`);
}

/** Shares that give a GPU enough workgroups when one share gives it `workgroups`, of at least 64 rows each. */
function sharesOfRows(rows: number, workgroups: number): number {
  return Math.max(1, Math.min(Math.ceil(512 / workgroups), Math.ceil(rows / 64)));
}

function addPartials(
  plan: Plan,
  partials: Tensor,
  total: Tensor,
  size: number,
  slices: number,
  rows: Rows,
  label: string,
): void {
  const grid = linearGrid(Math.ceil(size / 64));
  plan.dispatch({
    kernel: "matmul_reduce",
    entry: "add_partials",
    constants: { SIZE: size, SLICES: slices },
    bindings: { partials, total },
    grid: (sizes) => (rows.count(sizes) === 0 ? [0] : grid),
    label: `${label} sum`,
  });
}
