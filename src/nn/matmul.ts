/**
 * The matrix product behind the linear layers, C(m, n) = Σ_k A(m, k)·B(k, n), by the kernels that take any size:
 * `tiled` for GPUs, `register` for adapters that run on the CPU.
 */
import type { Grid } from "../gpu/program.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { BatchSizes, Plan, Rows } from "./plan.ts";

const ACTIVATIONS = { none: 0, gelu: 1, tanh: 2 };

export interface Product {
  label: string;
  a: Tensor;
  b: Tensor;
  c: Tensor;
  /** Sizes; "rows" is the batch's number of rows. */
  m: number | "rows";
  n: number;
  k: number | "rows";
  /** Whether the operand's rows run along k. */
  aAlongK: boolean;
  bAlongK: boolean;
  rows: Rows;
  /** Adds to c. */
  accumulate?: boolean;
  /** Shares in which k is summed; their partial results lie one after another in c. */
  slices?: number;
  bias?: Tensor;
  residual?: Tensor;
  preActivation?: Tensor;
  /** The result is multiplied by gelu′ of this before it is written. */
  geluBackwardOf?: Tensor;
  activation?: keyof typeof ACTIVATIONS;
}

export const fixed = (size: number | "rows"): number => (size === "rows" ? 0 : size);
export const byFour = (size: number): number => (size % 4 === 0 ? 1 : 0);

/** Appends the dispatches of one product. */
export function appendProduct(plan: Plan, p: Product): void {
  const tiled = plan.variants.matmul === "tiled";
  const constants = { ...productConstants(p), A_UNIFORM: 0, B_UNIFORM: 0 };
  const register = registerTile(p.n);
  const tile = tiled ? { m: 64, n: 64 } : { m: register.TM * register.LM, n: register.TN * register.LN };
  const grid = (sizes: BatchSizes): Grid => {
    const rows = p.rows.count(sizes);
    if (rows === 0) return [0];
    return [Math.ceil(p.n / tile.n), Math.ceil((p.m === "rows" ? rows : p.m) / tile.m), p.slices ?? 1];
  };
  plan.dispatch({
    kernel: `matmul_${plan.variants.matmul}`,
    entry: "product",
    constants: tiled ? constants : { ...constants, ...register },
    bindings: productBindings(p),
    grid,
    label: p.label,
  });
}

/**
 * Outputs of one invocation, and how a workgroup's invocations lie; see kernels/matmul_register.wgsl. Rows of odd
 * lengths are small in practice, and take long to compile because every output is stored by itself.
 */
const registerTile = (n: number) => ({ TM: 8, TN: byFour(n) ? 8 : 4, LM: 8, LN: 1, KU: 4, TU: 1 });

export function productConstants(p: Product): Record<string, number> {
  const [m, n, k] = [fixed(p.m), p.n, fixed(p.k)];
  return {
    M: m,
    N: n,
    K: k,
    A_K: p.aAlongK ? 1 : 0,
    B_K: p.bAlongK ? 1 : 0,
    VA: byFour(p.aAlongK ? k : m),
    VB: byFour(p.bAlongK ? k : n),
    VC: byFour(n),
    SLICES: p.slices ?? 1,
    ACCUMULATE: p.accumulate ? 1 : 0,
    BIAS: p.bias ? 1 : 0,
    RESIDUAL: p.residual ? 1 : 0,
    PRE_ACTIVATION: p.preActivation ? 1 : 0,
    GELU_BACKWARD: p.geluBackwardOf ? 1 : 0,
    ACTIVATION: ACTIVATIONS[p.activation ?? "none"],
  };
}

export function productBindings(p: Product): Record<string, Tensor> {
  const bindings: Record<string, Tensor> = { a: p.a, b: p.b, c: p.c, rows: p.rows.uniform };
  if (p.bias) bindings.bias = p.bias;
  if (p.residual) bindings.residual = p.residual;
  if (p.preActivation) bindings.pre_activation = p.preActivation;
  if (p.geluBackwardOf) bindings.pre_activation_kept = p.geluBackwardOf;
  return bindings;
}
