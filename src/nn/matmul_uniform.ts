/**
 * Matrix products on adapters that run on the CPU, with kernels/matmul_uniform.wgsl: operands are read through windows
 * bound as uniforms, one dispatch for each window. That is several times faster than reading storage buffers, and
 * possible where rows are whole vec4s and one operand is small (a weight of a small model) or walked row by row.
 */
import type { Grid } from "../gpu/program.ts";
import { type Tensor, viewOf } from "../gpu/tensor.ts";
import { INDEX_UNIFORMS, indexUniform } from "./index_uniform.ts";
import { byFour, fixed, type Product, productBindings, productConstants } from "./matmul.ts";
import type { BatchSizes, Plan, Rows } from "./plan.ts";

/** Floats in the largest uniform binding that WebGPU guarantees. */
const UNIFORM_FLOATS = 16384;
/** Floats in the alignment of a binding's offset. */
const ALIGNMENT = 64;
/** Bindings that one window of a wide operand may take. */
const MAX_PARTS = 4;
/** The largest row of a batch that a weight gradient takes through windows: its windows would be too short. */
const MAX_GRADIENT_ROW = 512;

/** Outputs of one invocation where both operands are uniforms, and where A is read from storage. */
const BOTH_UNIFORM = { TM: 8, TN: 8 };
const A_STORAGE = { TM: 4, TN: 32 };
/** The same where windows of B are narrow because the weight's rows are long. */
const NARROW = { TM: 8, TN: 20 };

interface Windows {
  /** Rows of the matrix, of one window, and how many windows. */
  rows: number;
  window: number;
  count: number;
}

/** Cuts [rows, length] into windows of at most `most` rows, in multiples of `step` rows; null where it cannot be. */
function cut(rows: number, length: number, most: number, step: number): Windows | null {
  if (rows <= most) return { rows, window: rows, count: 1 };
  const window = Math.floor(most / step) * step;
  if (window === 0 || window * length % ALIGNMENT || (rows - window) * length % ALIGNMENT) return null;
  const count = Math.ceil(rows / window);
  return count <= INDEX_UNIFORMS ? { rows, window, count } : null;
}

function view(tensor: Tensor, { rows, window }: Windows, length: number, index: number): Tensor {
  const begin = Math.min(index * window, rows - window);
  return viewOf(tensor, `${tensor.label} window ${index}`, begin * length, [window, length]);
}

const holds = (tensor: Tensor, rows: number, length: number): boolean => tensor.bytes >= rows * length * 4;

/** Appends the product of an activation [rows, k] with a weight, if its sizes allow; returns whether they do. */
export function appendUniformProduct(plan: Plan, p: Product): boolean {
  const k = fixed(p.k);
  const [bRows, bLength] = p.bAlongK ? [p.n, k] : [k, p.n];
  if (!byFour(k) || !byFour(bLength)) return false;
  const most = Math.floor(UNIFORM_FLOATS / bLength);
  const b = cut(bRows, bLength, most, 4);
  // The last window ends with the matrix, and results are written by fours: it must begin at one.
  if (!b || (b.count > 1 && !(p.bAlongK && byFour(p.n)))) return false;
  const aMost = Math.floor(UNIFORM_FLOATS / k);
  const a = b.count === 1 && holds(p.a, p.rows.capacity, k) ? cut(p.rows.capacity, k, aMost, 8) : null;
  const columns = p.bAlongK ? b.window : p.n;
  const { TM, TN } = a ? BOTH_UNIFORM : columns <= NARROW.TN ? NARROW : A_STORAGE;
  const tileColumns = Math.min(TN, Math.ceil(columns / 4) * 4);
  const constants = {
    ...productConstants(p),
    A_UNIFORM: a ? a.window * k / 4 : 0,
    A_PARTS: 1,
    A_PART: 0,
    A_WINDOW: a && a.count > 1 ? a.window : 0,
    A_ROWS: a ? a.rows : 0,
    B_UNIFORM: b.window * bLength / 4,
    B_WINDOW: b.count > 1 ? b.window : 0,
    B_ROWS: b.rows,
    TM,
    TN: tileColumns,
    TRANSPOSED: 0,
    SUMS: 0,
  };
  for (let index = 0; index < Math.max(b.count, a?.count ?? 1); index++) {
    const bindings: Record<string, Tensor> = {
      ...productBindings(p),
      a: a ? view(p.a, a, k, index) : p.a,
      b: view(p.b, b, bLength, b.count > 1 ? index : 0),
    };
    if (constants.A_WINDOW || constants.B_WINDOW) bindings.number = indexUniform(plan.gpu, index);
    plan.dispatch({
      kernel: "matmul_uniform",
      entry: "product",
      constants,
      bindings,
      grid: (sizes) => {
        const begin = a ? index * a.window : 0;
        const rows = Math.min(p.rows.count(sizes) - begin, a?.window ?? Infinity);
        return rows <= 0 ? [0] : [Math.ceil(columns / tileColumns), Math.ceil(rows / (8 * TM))];
      },
      label: p.label,
    });
  }
  return true;
}

/** Appends dWeight [out, in] += dyᵀ·x and dBias += the column sums of dy, if the sizes allow; returns whether they do. */
export function appendUniformGradient(
  plan: Plan,
  { dy, x, dWeight, dBias }: { dy: Tensor; x: Tensor; dWeight: Tensor; dBias?: Tensor },
  { rows, inFeatures, outFeatures, label }: { rows: Rows; inFeatures: number; outFeatures: number; label: string },
): boolean {
  // The narrower operand is the uniform B: its windows are longer, so dWeight is added to less often.
  const transposed = inFeatures > outFeatures;
  const [a, m, b, n] = transposed ? [x, inFeatures, dy, outFeatures] : [dy, outFeatures, x, inFeatures];
  const { capacity } = rows;
  if (!byFour(m) || !byFour(n) || m > MAX_GRADIENT_ROW || !holds(a, capacity, m) || !holds(b, capacity, n)) {
    return false;
  }
  const windows = cut(capacity, n, Math.floor(UNIFORM_FLOATS / n), 8);
  if (!windows) return false;
  const parts = Math.ceil(windows.window * m / UNIFORM_FLOATS);
  const part = windows.window / parts;
  const aligned = part * m % ALIGNMENT === 0 && (windows.count === 1 || m % ALIGNMENT === 0);
  const aUniform = parts === 1 && windows.count === 1 || parts <= MAX_PARTS && Number.isInteger(part) && aligned;
  const { TM, TN } = aUniform ? BOTH_UNIFORM : A_STORAGE;
  const tileColumns = Math.min(TN, n);
  const layout = { m, n, k: "rows", aAlongK: false, bAlongK: false, rows } as const;
  const p: Product = { ...layout, a, b, c: dWeight, accumulate: true, label };
  const constants = {
    ...productConstants(p),
    VC: 1,
    A_UNIFORM: aUniform ? part * m / 4 : 0,
    A_PARTS: aUniform ? parts : 1,
    A_PART: aUniform ? part : 0,
    A_WINDOW: 0,
    A_ROWS: 0,
    B_UNIFORM: windows.window * n / 4,
    B_WINDOW: windows.count > 1 ? windows.window : 0,
    B_ROWS: capacity,
    TM,
    TN: tileColumns,
    TRANSPOSED: transposed ? 1 : 0,
    SUMS: dBias ? (transposed ? 2 : 1) : 0,
  };
  for (let index = 0; index < windows.count; index++) {
    const bindings: Record<string, Tensor> = {
      ...productBindings(p),
      a,
      b: view(b, windows, n, index),
    };
    for (let at = 0; aUniform && at < parts; at++) {
      const begin = Math.min(index * windows.window, capacity - windows.window) + at * part;
      bindings[at === 0 ? "a" : `a${at}`] = viewOf(a, `${a.label} rows from ${begin}`, begin * m, [part, m]);
    }
    if (constants.B_WINDOW) bindings.number = indexUniform(plan.gpu, index);
    if (dBias) bindings.sums = dBias;
    const grid: Grid = [Math.ceil(n / tileColumns), Math.ceil(m / (8 * TM))];
    plan.dispatch({
      kernel: "matmul_uniform",
      entry: "product",
      constants,
      bindings,
      grid: (sizes: BatchSizes) => (rows.count(sizes) > index * windows.window ? grid : [0]),
      label,
    });
  }
  return true;
}
