/** What a matrix product is made of, and how the kernels of all its cores get to know it. */
import { type DType, elementBytes } from "../gpu/dtype.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { indexUniform } from "./index_uniform.ts";
import type { Plan, Rows } from "./plan.ts";
import { present } from "./rows.ts";

/**
 * A matrix, or those of a batch, in a tensor of any type. Unless its rows follow one another without a gap, n, all
 * distances and a k along rows are multiples of 4. The heads of rows [tokens, heads · headSize] from head h on are
 * { stride: heads · headSize, step: headSize, first: h }.
 */
export interface Matrix {
  tensor: Tensor;
  /** Elements from row to row; default: the length of a row. */
  stride?: number;
  /** Elements from one matrix of a batch to the next. */
  step?: number;
  /** Number of the batch's first matrix in the tensor. */
  first?: number;
}

export interface Operand extends Matrix {
  /** Whether its rows run along k: A[m][k], B[n][k]; otherwise A[k][m], B[k][n]. */
  alongK: boolean;
}

/** C(m, n) = Σ_k A(m, k)·B(k, n) for every matrix of a batch, then what the options say, in their order. */
export interface Product {
  label: string;
  a: Operand;
  b: Operand;
  c: Matrix;
  /** Sizes; "rows" is the number of rows at hand. m is that only if A runs along k, k only if neither A nor B does. */
  m: number | "rows";
  n: number;
  k: number | "rows";
  rows: Rows;
  /** Matrices; the options up to `residual` are for one. */
  batch?: number;
  /** Matrices of which the batch may be a part: a sum over rows is split for these. Default: those of the batch. */
  of?: number;
  /** [n] */
  bias?: Tensor;
  /** Receives [m, n] as it is before the activation. */
  preActivation?: Tensor;
  activation?: "gelu" | "tanh";
  /** The result is multiplied by gelu′ of this [m, n]. */
  geluBackwardOf?: Tensor;
  /** Receives the GELU of `geluBackwardOf`. */
  activatedAgain?: Tensor;
  /** [m, n] */
  residual?: Tensor;
  /** Adds to what is in C. */
  accumulate?: boolean;
  /** f32 [m], to which the sums of A over k are added, k being "rows". */
  sums?: Tensor;
}

/** 0 stands for the number of rows. */
const fixed = (size: number | "rows"): number => (size === "rows" ? 0 : size);

/** The most that a size can be. */
export const atMost = (size: number | "rows", { rows }: Product): number => (size === "rows" ? rows.capacity : size);

export const roomOf = ({ bytes, dtype }: Tensor): number => bytes / elementBytes(dtype);

/** The constants that all product kernels have in common. */
export function productConstants(p: Product): Record<string, number | string> {
  const [m, n, k] = [fixed(p.m), p.n, fixed(p.k)];
  const lengths = { A: p.a.alongK ? k : m, B: p.b.alongK ? k : n, C: n };
  const matrices = Object.entries({ A: p.a, B: p.b, C: p.c }) as [keyof typeof lengths, Matrix][];
  const distances = matrices.flatMap(([name, { stride = lengths[name], step = 0, first }]) => {
    const isGapless = stride === lengths[name] && first === undefined && (step === 0 || step % stride === 0);
    const isCut = name === "A" && !p.a.alongK; // What is read past m is not stored.
    if (!isGapless && [isCut ? 0 : lengths[name], stride, step].some((size) => size % 4)) {
      throw new Error(`${p.label}: rows of ${name} are not whole quads`);
    }
    return [[`${name}_STRIDE`, stride], [`${name}_STEP`, step]];
  });
  return {
    M: m,
    N: n,
    K: k,
    A_K: Number(p.a.alongK),
    B_K: Number(p.b.alongK),
    ...Object.fromEntries(distances),
    BY_WORDS: 0,
    BATCH: p.batch ?? 1,
    SHARES: 1,
    ACCUMULATE: Number(p.accumulate ?? false),
    ACTIVATION: p.activation ?? "none",
  };
}

/** C and what finishes it. */
export const resultBindings = ({ gpu }: Plan, p: Product): Record<string, Tensor> =>
  present({
    c: p.c.tensor,
    c_first: p.c.first === undefined ? undefined : indexUniform(gpu, p.c.first),
    bias: p.bias,
    residual: p.residual,
    pre_activation: p.preActivation,
    pre_activation_kept: p.geluBackwardOf,
    activated_again: p.activatedAgain,
  });

export const productBindings = (plan: Plan, p: Product): Record<string, Tensor> => ({
  ...resultBindings(plan, p),
  ...present({
    a: p.a.tensor,
    b: p.b.tensor,
    a_first: p.a.first === undefined ? undefined : indexUniform(plan.gpu, p.a.first),
    b_first: p.b.first === undefined ? undefined : indexUniform(plan.gpu, p.b.first),
    rows: p.m === "rows" || p.k === "rows" ? p.rows.uniform : undefined,
  }),
});

/** Sizes, layout and types, e.g. "1024x768x768 nt f32"; n: rows along k for A, along n for B. */
export function productKey(p: Product): string {
  const types: DType[] = [p.a.tensor.dtype, p.b.tensor.dtype, p.c.tensor.dtype];
  const layout = (p.a.alongK ? "n" : "t") + (p.b.alongK ? "t" : "n");
  const sizes = [atMost(p.m, p), p.n, atMost(p.k, p)].join("x");
  return `${p.batch ? `${p.batch} of ` : ""}${sizes} ${layout} ${
    [...new Set(types)].length === 1 ? types[0] : types.join(" ")
  }`;
}
