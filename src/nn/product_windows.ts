/**
 * Matrix products on adapters that run on the CPU, with kernels/product_windows.wgsl: rows of an operand are read through
 * windows bound as uniforms, one dispatch for each window. Where reading storage is slow, that is several times faster.
 * The kernel wants the rows of both operands along the sum; other operands are transposed before.
 */
import { elementBytes } from "../gpu/dtype.ts";
import type { Dispatch, Grid } from "../gpu/program.ts";
import { type Tensor, TENSOR_ALIGNMENT, viewOf } from "../gpu/tensor.ts";
import { INDEX_UNIFORMS, indexUniform } from "./index_uniform.ts";
import type { BatchSizes, Plan } from "./plan.ts";
import { atMost, type Operand, type Product, productBindings, productConstants, roomOf } from "./product_operands.ts";
import { present } from "./rows.ts";
import { transposed } from "./transpose.ts";

/** Bytes of the largest uniform binding that WebGPU guarantees. */
const UNIFORM_BYTES = 65536;
/** Bindings that a window may take: of the twelve uniforms that WebGPU guarantees, less those for sizes. */
const MAX_PARTS = 8;
/** Outputs of one invocation where both operands are uniforms. */
const BOTH_UNIFORM = [8, 8] as const;
/** Outputs of one invocation of a gradient whose left operand is read from storage. */
const GRADIENT = [4, 32] as const;
const LANES = 8;
/** Workgroups along m that a product should have. */
const MIN_WORKGROUPS = 4;
/** Rows of the batch that are worth a dispatch. */
const MIN_SEGMENT = 128;

const isByFour = (size: number): boolean => size % 4 === 0;
/** Elements of the largest window of a tensor. */
const most = ({ dtype }: Tensor): number => UNIFORM_BYTES / elementBytes(dtype);
/** Whether a binding may begin so many elements into a tensor. */
const isAligned = ({ dtype }: Tensor, elements: number): boolean =>
  elements * elementBytes(dtype) % TENSOR_ALIGNMENT === 0;

const rowsFrom = (tensor: Tensor, first: number, rows: number, stride: number): Tensor =>
  viewOf(tensor, `${tensor.label} from ${first}`, first * stride, [rows, stride]);

/** Whether the sizes allow windows. */
export const fitsWindows = (p: Product): boolean => {
  const isPlain = [p.a, p.b].every(({ stride, step, first }) => (stride ?? step ?? first) === undefined);
  return isPlain && p.batch === undefined && (segmentsOf(p) ?? windowsOf(p)) !== null;
};

/** Appends a product that fits; `each`: outputs of an invocation where A is read from storage. */
export function appendWindows(plan: Plan, p: Product, { each }: { each: readonly [number, number] }): void {
  const segments = segmentsOf(p);
  if (segments) return appendSegments(plan, p, segments);
  appendEachWindow(plan, p, windowsOf(p, each)!);
}

/** What the other of the two ways of a product has no use for. */
const NONE = { A_WINDOW: 0, A_ROWS: 0, B_WINDOW: 0, PART: 0, PARTS: 1, SEGMENT: 0, ROWS: 0, THREADS: LANES };

/** Appends the dispatch of a window or segment. */
function appendDispatch(
  plan: Plan,
  p: Product,
  { index, ...dispatch }: Pick<Dispatch<BatchSizes>, "constants" | "bindings" | "grid"> & { index?: number },
): void {
  const bindings = {
    ...productBindings(plan, p),
    ...present({ sums: p.sums, number: index === undefined ? undefined : indexUniform(plan.gpu, index) }),
    ...dispatch.bindings,
  };
  plan.dispatch({ ...dispatch, kernel: "product_windows", entry: "product", bindings, label: p.label });
}

/** Windows of B of `parts` bindings of `part` rows each, and of A where it is small and B is whole. */
interface Windows {
  strides: { a: number; b: number };
  part: number;
  parts: number;
  count: number;
  /** Rows of A's windows; 0 where A is read from storage. */
  aWindow: number;
  aCount: number;
  each: readonly [m: number, n: number];
}

/** Elements from row to row of an operand once its rows run along k; null where they cannot. */
function strideOf(p: Product, { tensor, alongK }: Operand, length: number): number | null {
  const k = atMost(p.k, p);
  if (alongK) return isByFour(k) ? k : null;
  const unit = TENSOR_ALIGNMENT / elementBytes(tensor.dtype);
  return isByFour(length) ? unit * Math.ceil(k / unit) : null;
}

function windowsOf(p: Product, [eachM, eachN]: readonly [number, number] = [8, 20]): Windows | null {
  const m = atMost(p.m, p);
  const [a, b] = [strideOf(p, p.a, m), strideOf(p, p.b, p.n)];
  const windows = a && b && cut(p.b.tensor, p.n, b, eachN);
  if (!windows) return null;
  const { tile, ...window } = windows;
  const aWindows = window.count === 1 && p.m === "rows" ? cutA(p, a) : null;
  return {
    ...window,
    strides: { a, b },
    aWindow: aWindows?.window ?? 0,
    aCount: aWindows?.count ?? 1,
    each: aWindows ? [BOTH_UNIFORM[0], Math.min(BOTH_UNIFORM[1], tile)] : [rowsOfInvocation(eachM, m), tile],
  };
}

/** Cuts `rows` rows of a tensor into windows, of tiles of up to `columns` of them; null where it cannot be. */
function cut(tensor: Tensor, rows: number, stride: number, columns: number) {
  const room = Math.floor(most(tensor) / stride);
  if (rows <= room) return { part: rows, parts: 1, tile: Math.min(columns, 4 * Math.ceil(rows / 4)), count: 1 };
  if (!isByFour(rows)) return null; // The last window ends with the matrix, and results are written by fours.
  for (let tile = columns; tile >= 4; tile -= 4) {
    for (let parts = 1; parts <= Math.min(tile, MAX_PARTS); parts++) {
      if (tile % parts || tile / parts > room) continue;
      const part = parts === 1 ? Math.floor(room / tile) * tile : tile / parts;
      const window = part * parts;
      if (window > rows || !isAligned(tensor, part * stride) || !isAligned(tensor, (rows - window) * stride)) continue;
      const count = Math.ceil(rows / window);
      if (count <= INDEX_UNIFORMS) return { part, parts, tile, count };
    }
  }
  return null;
}

/** Windows of A, of rows in whole eights; null where there would be none or too many. */
function cutA(
  { a: { tensor }, rows: { capacity } }: Product,
  stride: number,
): { window: number; count: number } | null {
  if (roomOf(tensor) < capacity * stride) return null;
  const room = Math.floor(most(tensor) / stride);
  if (capacity <= room) return { window: capacity, count: 1 };
  const window = 8 * Math.floor(room / 8);
  if (window === 0 || !isAligned(tensor, window * stride) || !isAligned(tensor, (capacity - window) * stride)) {
    return null;
  }
  const count = Math.ceil(capacity / window);
  return count <= INDEX_UNIFORMS ? { window, count } : null;
}

/** Fewer rows where there are few: a dispatch of one workgroup would leave the other cores without work. */
function rowsOfInvocation(most: number, m: number): number {
  let rows = most;
  while (rows > 2 && m < LANES * rows * MIN_WORKGROUPS) rows /= 2;
  return rows;
}

/** The operand with its rows along k. */
function alongK(plan: Plan, { k, rows }: Product, operand: Operand, length: number, stride: number): Operand {
  if (operand.alongK) return { ...operand, stride };
  const along = { rows: k === "rows" ? rows : k, columns: length, stride };
  return { alongK: true, stride, tensor: transposed(plan, operand.tensor, along) };
}

/** One dispatch for every window of the right operand, or of the left one. */
function appendEachWindow(
  plan: Plan,
  p: Product,
  { strides, part, parts, count, aWindow, aCount, each }: Windows,
): void {
  const m = atMost(p.m, p);
  const a = alongK(plan, p, p.a, m, strides.a);
  const b = alongK(plan, p, p.b, p.n, strides.b);
  const window = part * parts;
  const constants = {
    ...productConstants({ ...p, a, b }),
    ...NONE,
    A_UNIFORM: aWindow * strides.a,
    A_WINDOW: aCount > 1 ? aWindow : 0,
    A_ROWS: m,
    B_UNIFORM: part * strides.b,
    B_WINDOW: count > 1 ? window : 0,
    PART: part,
    PARTS: parts,
    EACH_M: each[0],
    EACH_N: each[1],
  };
  const windows = Math.max(count, aCount);
  for (let index = 0; index < windows; index++) {
    const bindings: Record<string, Tensor> = {};
    if (aWindow) bindings.a = rowsFrom(a.tensor, Math.min(index * aWindow, m - aWindow), aWindow, strides.a);
    const first = count === 1 ? 0 : Math.min(index * window, p.n - window);
    for (let at = 0; at < parts; at++) {
      bindings[at === 0 ? "b" : `b${at}`] = rowsFrom(b.tensor, first + at * part, part, strides.b);
    }
    const grid = (sizes: BatchSizes): Grid => {
      const batch = p.rows.count(sizes);
      const rest = (p.m === "rows" ? batch : p.m) - index * constants.A_WINDOW;
      const rows = Math.min(rest, constants.A_WINDOW || Infinity);
      if (rows <= 0 || batch === 0) return [0];
      return [Math.ceil((count === 1 ? p.n : window) / each[1]), Math.ceil(rows / (LANES * each[0]))];
    };
    appendDispatch(plan, { ...p, a, b }, { constants, bindings, grid, index: windows > 1 ? index : undefined });
  }
}

/** Segments of the batch's rows, which a sum runs over. */
interface Segments {
  segment: number;
  count: number;
  /** Where the last segment's bindings begin. */
  last: number;
  aUniform: boolean;
}

/** A small gradient, summed over many rows. Nothing is transposed, and many workgroups share the work. */
function segmentsOf(p: Product): Segments | null {
  const { rows: { capacity }, n, m, a: { tensor: a }, b: { tensor: b } } = p;
  const isGradient = p.k === "rows" && !p.a.alongK && !p.b.alongK && p.accumulate;
  if (!isGradient || m === "rows" || !isByFour(m) || !isByFour(n) || roomOf(b) < capacity * n) return null;
  const room = Math.floor(most(b) / n);
  const segment = capacity <= room ? capacity : 8 * Math.floor(room / 8);
  const count = Math.ceil(capacity / segment);
  const last = capacity - segment;
  const begins = (tensor: Tensor, width: number) =>
    count === 1 || isAligned(tensor, segment * width) && isAligned(tensor, last * width);
  if ((count > 1 && segment < MIN_SEGMENT) || count > INDEX_UNIFORMS || !begins(b, n)) return null;
  return { segment, count, last, aUniform: m * segment <= most(a) && begins(a, m) && roomOf(a) >= capacity * m };
}

/** One dispatch for every segment, each adding to the result. */
function appendSegments(plan: Plan, p: Product, { segment, count, last, aUniform }: Segments): void {
  const m = p.m as number;
  const [eachM, eachN] = aUniform ? BOTH_UNIFORM : GRADIENT;
  const tile = Math.min(eachN, p.n);
  const constants = {
    ...productConstants(p),
    ...NONE,
    A_UNIFORM: aUniform ? segment * m : 0,
    B_UNIFORM: segment * p.n,
    SEGMENT: segment,
    ROWS: p.rows.capacity,
    EACH_M: eachM,
    EACH_N: tile,
  };
  for (let index = 0; index < count; index++) {
    const first = Math.min(index * segment, last);
    appendDispatch(plan, p, {
      constants,
      bindings: {
        ...(aUniform && { a: rowsFrom(p.a.tensor, first, segment, m) }),
        b: rowsFrom(p.b.tensor, first, segment, p.n),
      },
      grid: (sizes) =>
        p.rows.count(sizes) > index * segment ? [Math.ceil(p.n / tile), Math.ceil(m / (LANES * eachM))] : [0],
      index,
    });
  }
}
