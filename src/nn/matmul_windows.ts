/**
 * Matrix products on adapters that run on the CPU, with kernels/matmul_windows.wgsl: rows of an operand are read through
 * windows bound as uniforms, one dispatch for each window. That is several times faster than reading storage buffers. The
 * kernel knows one layout, with the rows of both operands along the sum; other operands are transposed before.
 */
import { type Tensor, viewOf } from "../gpu/tensor.ts";
import { INDEX_UNIFORMS, indexUniform } from "./index_uniform.ts";
import { byFour, type Product, productBindings, productConstants } from "./matmul.ts";
import type { Plan } from "./plan.ts";
import { transposed } from "./transpose.ts";

/** Floats in the largest uniform binding that WebGPU guarantees. */
const UNIFORM_FLOATS = 16384;
/** Floats in the alignment of a binding's offset. */
const ALIGNMENT = 64;
/** Bindings that a window may take: of the twelve uniforms that WebGPU guarantees, less those for sizes. */
const MAX_PARTS = 8;
/** Outputs of one invocation where both operands are uniforms; columns of one where A is read from storage. */
const BOTH_UNIFORM = { TM: 8, TN: 8 };
const COLUMNS = 20;
/** Outputs of one invocation of a gradient whose left operand is read from storage. */
const GRADIENT = { TM: 4, TN: 32 };
/** Workgroups along m that a product should have. */
const MIN_WORKGROUPS = 4;
/** Rows of the batch that are worth a dispatch. */
const MIN_SEGMENT = 128;

const align = (count: number): number => ALIGNMENT * Math.ceil(count / ALIGNMENT);

/** Rows of an operand that are bound at once: `parts` bindings of `part` rows; `tile` columns of C an invocation. */
interface Windows {
  part: number;
  parts: number;
  tile: number;
  count: number;
}

/** Cuts `rows` rows of `stride` floats into windows; null where it cannot be. */
function cut(rows: number, stride: number): Windows | null {
  const most = Math.floor(UNIFORM_FLOATS / stride);
  if (rows <= most) return { part: rows, parts: 1, tile: Math.min(COLUMNS, 4 * Math.ceil(rows / 4)), count: 1 };
  if (!byFour(rows)) return null; // The last window ends with the matrix, and results are written by fours.
  for (let tile = COLUMNS; tile >= 4; tile -= 4) {
    for (let parts = 1; parts <= Math.min(tile, MAX_PARTS); parts++) {
      if (tile % parts || tile / parts > most) continue;
      const part = parts === 1 ? Math.floor(most / tile) * tile : tile / parts;
      const window = part * parts;
      if (window > rows || part * stride % ALIGNMENT || (rows - window) * stride % ALIGNMENT) continue;
      const count = Math.ceil(rows / window);
      if (count <= INDEX_UNIFORMS) return { part, parts, tile, count };
    }
  }
  return null;
}

/** An operand with its rows along k. */
interface Operand {
  /** Floats from row to row. */
  stride: number;
  tensor: () => Tensor;
}

/** An operand of `length` rows or columns with its rows along k; null where it cannot be. */
function alongK(plan: Plan, { k, rows }: Product, tensor: Tensor, isAlongK: boolean, length: number): Operand | null {
  const most = k === "rows" ? rows.capacity : k;
  if (isAlongK) return byFour(most) ? { stride: most, tensor: () => tensor } : null;
  if (!byFour(length)) return null;
  const stride = align(most);
  const along = k === "rows" ? rows : k;
  return { stride, tensor: () => transposed(plan, tensor, { rows: along, columns: length, stride }) };
}

/** Appends a product, and with `sums` [m] the sums of A over k, if the sizes allow; returns whether they do. */
export function appendWindowedProduct(plan: Plan, p: Product, sums?: Tensor): boolean {
  return appendSegments(plan, p, sums) || appendWindows(plan, p, sums);
}

/** One dispatch for every window of the right operand, or of the left one where it is small and the right is whole. */
function appendWindows(plan: Plan, p: Product, sums?: Tensor): boolean {
  const m = p.m === "rows" ? p.rows.capacity : p.m;
  const a = alongK(plan, p, p.a, p.aAlongK, m);
  const b = alongK(plan, p, p.b, p.bAlongK, p.n);
  const windows = b && cut(p.n, b.stride);
  if (!a || !b || !windows) return false;
  const { part, parts, count, tile } = windows;
  const window = part * parts;
  const aWindows = count === 1 && p.m === "rows" ? cutA(p, a) : null;
  const { TM, TN } = aWindows
    ? { TM: BOTH_UNIFORM.TM, TN: Math.min(BOTH_UNIFORM.TN, tile) }
    : { TM: rowsOfInvocation(plan.variants.windowRows, m), TN: tile };
  const [aTensor, bTensor] = [a.tensor(), b.tensor()];
  const constants = {
    ...productConstants(p),
    ...NONE,
    A_STRIDE: a.stride,
    B_STRIDE: b.stride,
    A_UNIFORM: aWindows ? aWindows.window * a.stride / 4 : 0,
    A_WINDOW: aWindows && aWindows.count > 1 ? aWindows.window : 0,
    A_ROWS: m,
    B_UNIFORM: part * b.stride / 4,
    B_WINDOW: count > 1 ? window : 0,
    PART: part,
    PARTS: parts,
    TM,
    TN,
    SUMS: sums ? 1 : 0,
  };
  for (let index = 0; index < Math.max(count, aWindows?.count ?? 1); index++) {
    const bindings: Record<string, Tensor> = { ...productBindings(p), a: aTensor };
    if (aWindows) {
      bindings.a = rowsFrom(aTensor, Math.min(index * aWindows.window, m - aWindows.window), aWindows.window, a.stride);
    }
    const begin = count === 1 ? 0 : Math.min(index * window, p.n - window);
    for (let at = 0; at < parts; at++) {
      bindings[at === 0 ? "b" : `b${at}`] = rowsFrom(bTensor, begin + at * part, part, b.stride);
    }
    if (constants.A_WINDOW || constants.B_WINDOW) bindings.number = indexUniform(plan.gpu, index);
    if (sums) bindings.sums = sums;
    plan.dispatch({
      kernel: "matmul_windows",
      entry: "product",
      constants,
      bindings,
      grid: (sizes) => {
        const batch = p.rows.count(sizes);
        const first = index * constants.A_WINDOW;
        const rows = Math.min((p.m === "rows" ? batch : p.m) - first, constants.A_WINDOW || Infinity);
        if (rows <= 0 || batch === 0) return [0];
        return [Math.ceil((count === 1 ? p.n : window) / TN), Math.ceil(rows / (8 * TM))];
      },
      label: p.label,
    });
  }
  return true;
}

/**
 * A small gradient, summed over many rows of the batch: one dispatch for every segment of them, each adding to the result.
 * Nothing is transposed, and many workgroups share the work.
 */
function appendSegments(plan: Plan, p: Product, sums?: Tensor): boolean {
  const { rows: { capacity }, n, m } = p;
  const isGradient = p.k === "rows" && !p.aAlongK && !p.bAlongK && p.accumulate;
  if (!isGradient || m === "rows" || !byFour(m) || !byFour(n) || p.b.bytes < capacity * n * 4) return false;
  const most = Math.floor(UNIFORM_FLOATS / n);
  const segment = capacity <= most ? capacity : 8 * Math.floor(most / 8);
  const count = Math.ceil(capacity / segment);
  const last = capacity - segment;
  if ((count > 1 && segment < MIN_SEGMENT) || count > INDEX_UNIFORMS) return false;
  if (count > 1 && (segment * n % ALIGNMENT || last * n % ALIGNMENT)) return false;
  const isAligned = count === 1 || segment * m % ALIGNMENT + last * m % ALIGNMENT === 0;
  const aUniform = m * segment <= UNIFORM_FLOATS && isAligned && p.a.bytes >= capacity * m * 4;
  const { TM, TN } = aUniform ? BOTH_UNIFORM : GRADIENT;
  const tile = Math.min(TN, n);
  const constants = {
    ...productConstants(p),
    ...NONE,
    A_UNIFORM: aUniform ? segment * m / 4 : 0,
    B_UNIFORM: segment * n / 4,
    SEGMENT: segment,
    ROWS: capacity,
    TM,
    TN: tile,
    SUMS: sums ? 1 : 0,
  };
  for (let index = 0; index < count; index++) {
    const begin = Math.min(index * segment, last);
    plan.dispatch({
      kernel: "matmul_windows",
      entry: "product",
      constants,
      bindings: {
        ...productBindings(p),
        a: aUniform ? rowsFrom(p.a, begin, segment, m) : p.a,
        b: rowsFrom(p.b, begin, segment, n),
        number: indexUniform(plan.gpu, index),
        ...(sums && { sums }),
      },
      grid: (sizes) => p.rows.count(sizes) > index * segment ? [Math.ceil(n / tile), Math.ceil(m / (8 * TM))] : [0],
      label: p.label,
    });
  }
  return true;
}

/** What the other of the two ways of a product has no use for; both read and write by vec4. */
const NONE = {
  ...{ A_K: 1, B_K: 1, VA: 1, VB: 1, A_STRIDE: 0, B_STRIDE: 0, A_WINDOW: 0, A_ROWS: 0, B_WINDOW: 0 },
  ...{ PART: 0, PARTS: 1, SEGMENT: 0, ROWS: 0 },
};

const rowsFrom = (tensor: Tensor, begin: number, rows: number, stride: number): Tensor =>
  viewOf(tensor, `${tensor.label} from ${begin}`, begin * stride, [rows, stride]);

/** Fewer rows where there are few: a dispatch of one workgroup would leave the other cores without work. */
function rowsOfInvocation(most: number, m: number): number {
  let rows = most;
  while (rows > 2 && m < 8 * rows * MIN_WORKGROUPS) rows /= 2;
  return rows;
}

/** Windows of A, of rows in whole eights; null where there would be none or too many. */
function cutA(p: Product, { stride }: Operand): { window: number; count: number } | null {
  const { capacity } = p.rows;
  if (p.a.bytes < capacity * stride * 4) return null;
  const most = Math.floor(UNIFORM_FLOATS / stride);
  if (capacity <= most) return { window: capacity, count: 1 };
  const window = 8 * Math.floor(most / 8);
  if (window === 0 || window * stride % ALIGNMENT || (capacity - window) * stride % ALIGNMENT) return null;
  const count = Math.ceil(capacity / window);
  return count <= INDEX_UNIFORMS ? { window, count } : null;
}
