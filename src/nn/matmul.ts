/**
 * The matrix product behind the linear layers, C(m, n) = Σ_k A(m, k)·B(k, n), and the choice of its kernel:
 * `tiled` for GPUs; on adapters that run on the CPU `uniform` where windows of B can be bound as uniforms, else
 * `register`.
 */
import type { Gpu } from "../gpu/device.ts";
import type { Grid } from "../gpu/program.ts";
import { createUniform, type Tensor, viewOf, writeTensor } from "../gpu/tensor.ts";
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
  activation?: keyof typeof ACTIVATIONS;
}

const fixed = (size: number | "rows"): number => (size === "rows" ? 0 : size);
const byFour = (size: number): number => (size % 4 === 0 ? 1 : 0);

/** Appends the dispatches of one product. */
export function appendProduct(plan: Plan, p: Product): void {
  const windows = plan.variants.matmul === "register" ? uniformWindows(p) : null;
  if (windows) return appendUniform(plan, p, windows);
  const tiled = plan.variants.matmul === "tiled";
  const constants = { ...productConstants(p), VB: byFour(p.bAlongK ? fixed(p.k) : p.n), B_UNIFORM: 0 };
  const tile = tiled ? { m: 64, n: 64 } : { m: REGISTER.TM * REGISTER.LM, n: REGISTER.TN * REGISTER.LN };
  plan.dispatch({
    kernel: `matmul_${plan.variants.matmul}`,
    entry: "product",
    constants: tiled ? constants : { ...constants, ...REGISTER },
    bindings: productBindings(p),
    grid: gridOf(p, p.n, tile, p.slices ?? 1),
    label: p.label,
  });
}

/** Outputs of one invocation, and how a workgroup's invocations lie; see kernels/matmul_register.wgsl. */
const REGISTER = { TM: 4, TN: 16, LM: 8, LN: 1, KU: 4, TU: 1 };

function productConstants(p: Product): Record<string, number> {
  const [m, n, k] = [fixed(p.m), p.n, fixed(p.k)];
  return {
    M: m,
    N: n,
    K: k,
    A_K: p.aAlongK ? 1 : 0,
    B_K: p.bAlongK ? 1 : 0,
    VA: byFour(p.aAlongK ? k : m),
    VC: byFour(n),
    SLICES: p.slices ?? 1,
    ACCUMULATE: p.accumulate ? 1 : 0,
    BIAS: p.bias ? 1 : 0,
    RESIDUAL: p.residual ? 1 : 0,
    PRE_ACTIVATION: p.preActivation ? 1 : 0,
    ACTIVATION: ACTIVATIONS[p.activation ?? "none"],
  };
}

function productBindings(p: Product): Record<string, Tensor> {
  const bindings: Record<string, Tensor> = { a: p.a, b: p.b, c: p.c, rows: p.rows.uniform };
  if (p.bias) bindings.bias = p.bias;
  if (p.residual) bindings.residual = p.residual;
  if (p.preActivation) bindings.pre_activation = p.preActivation;
  return bindings;
}

function gridOf(p: Product, columns: number, tile: { m: number; n: number }, slices = 1, firstRow = 0) {
  return (sizes: BatchSizes): Grid => {
    const rows = p.rows.count(sizes);
    if (rows <= firstRow) return [0];
    return [Math.ceil(columns / tile.n), Math.ceil((p.m === "rows" ? rows : p.m) / tile.m), slices];
  };
}

/** Floats in the largest uniform binding that WebGPU guarantees. */
const UNIFORM_FLOATS = 16384;
/** Floats in the alignment of a binding's offset. */
const ALIGNMENT = 64;
export const MAX_WINDOWS = 256;

interface Windows {
  /** Rows of B, of one window, and how many windows. */
  rows: number;
  window: number;
  count: number;
  rowLength: number;
}

/** Windows of B for matmul_uniform.wgsl, or null where its layout or size does not allow them. */
function uniformWindows(p: Product): Windows | null {
  const k = fixed(p.k);
  const rowLength = p.bAlongK ? k : p.n;
  const rows = p.bAlongK ? p.n : p.k === "rows" ? p.rows.capacity : k;
  if (!byFour(rowLength) || !byFour(p.aAlongK ? k : fixed(p.m)) || rows * rowLength * 4 > p.b.bytes) return null;
  if (rows * rowLength <= UNIFORM_FLOATS) return { rows, window: rows, count: 1, rowLength };
  let window: number;
  if (p.bAlongK) {
    window = Math.floor(UNIFORM_FLOATS / rowLength);
    window -= window % (window < 16 ? 4 : 16);
  } else {
    // Windows along k are added up in c: worth it while c is small and windows are long.
    if (p.k !== "rows" || rowLength > 256) return null;
    const most = Math.floor(UNIFORM_FLOATS / rowLength);
    window = Math.ceil(rows / Math.ceil(rows / most));
  }
  if (window === 0 || window * rowLength % ALIGNMENT || (rows - window) * rowLength % ALIGNMENT) return null;
  const count = Math.ceil(rows / window);
  return count <= MAX_WINDOWS ? { rows, window, count, rowLength } : null;
}

/** Whether a sum over rows needs no slices: it adds window after window, or has workgroups enough. */
export function sumsRowsDirectly(plan: Plan, p: Product): boolean {
  return plan.variants.matmul === "register" && uniformWindows(p) !== null;
}

function appendUniform(plan: Plan, p: Product, { rows, window, count, rowLength }: Windows): void {
  const alongRows = p.k === "rows";
  const columns = p.bAlongK ? window : p.n;
  const tile = { m: 8 * UNIFORM.TM, n: Math.min(UNIFORM.TN, Math.ceil(columns / 4) * 4) };
  const constants = {
    ...productConstants(p),
    VB: 1,
    B_UNIFORM: window * rowLength / 4,
    B_ROWS: rows,
    WINDOW: window,
    TM: UNIFORM.TM,
    TN: tile.n,
    TRANSPOSED: 0,
  };
  for (let index = 0; index < count; index++) {
    const begin = Math.min(index * window, rows - window);
    const b = viewOf(p.b, `${p.b.label} window ${index}`, begin * rowLength, [window, rowLength]);
    plan.dispatch({
      kernel: "matmul_uniform",
      entry: "product",
      constants,
      bindings: { ...productBindings(p), b, number: windowNumber(plan.gpu, index) },
      grid: gridOf(p, columns, tile, 1, alongRows ? index * window : 0),
      label: p.label,
    });
  }
}

/** Outputs of one invocation; see kernels/matmul_uniform.wgsl. */
const UNIFORM = { TM: 4, TN: 32 };

const windowNumbers = new WeakMap<GPUDevice, Tensor>();

/** A uniform that holds `index`. */
export function windowNumber(gpu: Gpu, index: number): Tensor {
  let numbers = windowNumbers.get(gpu.device);
  if (!numbers) {
    numbers = createUniform(gpu, "window numbers", MAX_WINDOWS * ALIGNMENT);
    const values = Uint32Array.from({ length: MAX_WINDOWS * ALIGNMENT }, (_, at) => Math.floor(at / ALIGNMENT));
    writeTensor(gpu, numbers, values);
    windowNumbers.set(gpu.device, numbers);
  }
  return viewOf(numbers, `window ${index}`, index * ALIGNMENT, [4]);
}
