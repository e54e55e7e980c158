/** The implementations of attention, and how each cuts its work so that transients fit memory and bindings. */
import { EntailError } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { type DType, elementBytes } from "../gpu/dtype.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { type AttentionSizes, pairStride } from "./attention_inputs.ts";
import { alignRows } from "./attention_heads.ts";
import { fitsMatrices, matrixConstants, type MatrixTiling } from "./attention_matrices.ts";
import { INDEX_UNIFORMS } from "./index_uniform.ts";
import { type Plan, storageOf } from "./plan.ts";
import type { Operation, Variant } from "./variants.ts";

/** A range of heads that share transients. */
export interface HeadGroup {
  first: number;
  count: number;
}

/**
 * Heads that go together, and tokens whose pairs are kept together: those of the sequences that begin in a chunk, with a
 * part of the queries of each.
 */
export interface Cut {
  groups: HeadGroup[];
  /** Tokens from the beginning of a chunk to that of the next. */
  chunk: number;
  chunks: number;
  /** Tokens that the sequences of a chunk may have. */
  room: number;
  /** Queries of a sequence in a part. */
  part: number;
  parts: number;
}

export interface AttentionShape extends AttentionSizes {
  direction: "forward" | "backward";
  /** What queries, keys, values and the gradient of the context are stored as, the widest of them. */
  dtype: DType;
  /** What the backward keeps of pairs. */
  pairs: { weights: DType; dScores: DType };
}

export interface AttentionVariant extends Variant<AttentionShape> {
  readonly kernel: "attention_rows" | "attention_tiles" | "attention_matrices";
  /** Rows of a head that a workgroup owns. */
  readonly rows: number;
  /** Whether columns are bound as uniforms, chunk by chunk and one head at a time. */
  readonly windows: boolean;
  /** Whether its backward can take the queries of a sequence part by part; else it suits no shape that asks for that. */
  readonly inParts: boolean;
  cut(gpu: Gpu, shape: AttentionShape): Cut;
  /** Whether it keeps dScores as f16, in units that suit them (kernels/attention_units.wgsl). */
  readonly inUnits?: boolean;
  /** Of the kernel, beside those of every core. */
  constants?(gpu: Gpu, shape: AttentionShape): Record<string, number>;
}

const TILES = {
  adapters: ["hardware"],
  kernel: "attention_tiles",
  rows: 32,
  windows: false,
  inParts: true,
  cut: cutByMemory,
} as const;

/**
 * For tensor cores. As with the other cores, position terms are gathered by bucket from batched products, and the backward
 * leaves two numbers a pair for a group of heads; both are f16 here. Two other ways are known: to shear dScores in the tile,
 * or to store them sheared, so that all gradients of positions are plain products with tables expanded to diagonals. Both
 * want as many rows of such tables as there are distances, twice the longest sequence, where buckets stay as few as they
 * are; and they would be a second way to the same sums, with kernels of their own. What they would gain is the sum over
 * buckets (kernels/attention_buckets.wgsl), which reads half as much here as with f32.
 */
const matrices = (tiling: MatrixTiling) =>
  ({
    name: `matrices ${tiling.subgroups * tiling.each}x${tiling.columns}`,
    adapters: ["hardware"],
    kernel: "attention_matrices",
    rows: tiling.subgroups * tiling.each,
    windows: false,
    inParts: false,
    suits: (gpu, shape) =>
      fitsMatrices(gpu, shape, tiling) && (shape.direction === "forward" || cutByMemory(gpu, shape).parts === 1),
    cut: cutByMemory,
    inUnits: true,
    constants: (gpu, { headSize }) => matrixConstants(gpu, headSize, tiling),
  }) satisfies AttentionVariant;

export const ATTENTION: Operation<AttentionShape, AttentionVariant> = {
  name: "attention",
  variants: [
    matrices({ subgroups: 4, each: 16, columns: 32 }),
    { ...matrices({ subgroups: 1, each: 16, columns: 16 }), usual: () => false },
    { name: "tiles 32x32", ...TILES, suits: fitsTiles, constants: () => ({ SUBGROUPS: 0 }) },
    {
      name: "tiles 32x32, subgroups",
      ...TILES,
      suits: (gpu, shape) => gpu.leastSubgroup >= 8 && shape.direction === "forward" && fitsTiles(gpu, shape),
      constants: () => ({ SUBGROUPS: 1 }),
    },
    {
      name: "windows",
      adapters: ["software"],
      kernel: "attention_rows",
      rows: 32,
      windows: true,
      inParts: false,
      suits: (gpu, shape) => cutByWindows(gpu, shape) !== null,
      cut: (gpu, shape) => cutByWindows(gpu, shape)!,
    },
    {
      name: "rows",
      adapters: ["software", "hardware"],
      kernel: "attention_rows",
      rows: 32,
      windows: false,
      inParts: true,
      suits: () => true,
      cut: cutByMemory,
    },
  ],
  key: ({ direction, headSize, longestCapacity, relativeRows, dtype }) =>
    `${direction} ${headSize} x ${longestCapacity} ${relativeRows ? "disentangled" : "plain"} ${dtype}`,
};

/** Three tiles of a head and one of scores in workgroup memory, and a quad for each thread: the most of an entry point. */
const tileBytes = (headSize: number): number => 4 * (3 * 32 * (headSize + 4) + 32 * 36 + 4 * 64);

function fitsTiles({ maxWorkgroupBytes }: Gpu, { headSize }: AttentionShape): boolean {
  return tileBytes(headSize) <= maxWorkgroupBytes;
}

/**
 * Several heads at once where what the backward keeps of them fits the workspace: two numbers for each pair, and three
 * scores of each token with each bucket. Else one head with chunks of tokens, and where the pairs of one sequence are too
 * many, parts of its queries. But for the rounding of sums over parts the results do not depend on it.
 */
function cutByMemory(gpu: Gpu, shape: AttentionShape): Cut {
  const { maxBindingBytes, workspaceBytes } = gpu;
  const { heads, relativeRows, tokens: { capacity }, longestCapacity } = shape;
  const pairs = pairBytes(shape);
  const linear = 4 * capacity * relativeRows;
  const together = Math.min(
    Math.floor(workspaceBytes / (capacity * pairs.both + 3 * linear)),
    Math.floor(maxBindingBytes / Math.max(linear, capacity * pairs.wider)),
    heads,
  );
  const whole = { part: longestCapacity, parts: 1 };
  if (together >= 1) return { groups: groupsOf(heads, together), chunk: capacity, chunks: 1, room: capacity, ...whole };
  const most = Math.floor(Math.min(workspaceBytes / pairs.both, maxBindingBytes / pairs.wider));
  const chunk = Math.max(most - longestCapacity, longestCapacity);
  const chunks = Math.ceil(capacity / chunk);
  const room = Math.min(chunk + longestCapacity - 1, capacity);
  const cut = room <= most ? whole : partsOf(gpu, shape, room);
  const needed = Math.max(linear, capacity * maskBytes(shape), room * pairs.wider * cut.part / longestCapacity);
  if (Math.max(chunks, cut.parts) <= INDEX_UNIFORMS && needed <= maxBindingBytes) {
    return { groups: groupsOf(heads, 1), chunk, chunks, room, ...cut };
  }
  throw new EntailError(
    "memory",
    `${shape.label ?? "attention"}: sequences of ${longestCapacity} tokens, ${capacity} in all, with ${relativeRows} ` +
      `relative positions need ${needed} bytes in one binding, the adapter has ${maxBindingBytes}; lower ` +
      "training.batch_size or data.max_length",
  );
}

/** Queries of a part are whole workgroups'. */
const WHOLE_PART = 64;

/** Parts of the queries whose pairs fit what dropout bits leave of the workspace, and a binding. */
function partsOf(
  { maxBindingBytes, workspaceBytes }: Gpu,
  shape: AttentionShape,
  room: number,
): Pick<Cut, "part" | "parts"> {
  const { longestCapacity, tokens } = shape;
  const [both, wider] = Object.values(pairBytes(shape)).map((bytes) => bytes / pairStride(longestCapacity));
  const left = workspaceBytes - tokens.capacity * maskBytes(shape);
  const queries = Math.min(left / room / both, maxBindingBytes / room / wider);
  const part = Math.min(longestCapacity, WHOLE_PART * Math.max(1, Math.floor(queries / WHOLE_PART)));
  return { part, parts: Math.ceil(longestCapacity / part) };
}

/** Bytes of a token's dropout bits. */
const maskBytes = ({ longestCapacity }: AttentionShape): number => 4 * Math.ceil(longestCapacity / 32);

/** Bytes of what is kept of a token's pairs, and of the wider of the two numbers. */
function pairBytes({ pairs, longestCapacity }: AttentionShape): { both: number; wider: number } {
  const [weights, dScores] = [pairs.weights, pairs.dScores].map((dtype) =>
    elementBytes(dtype) * pairStride(longestCapacity)
  );
  return { both: weights + dScores, wider: Math.max(weights, dScores) };
}

const groupsOf = (heads: number, together: number): HeadGroup[] =>
  Array.from({ length: Math.ceil(heads / together) }, (_, i) => ({
    first: i * together,
    count: Math.min(together, heads - i * together),
  }));

/** Bytes of the largest uniform binding that WebGPU guarantees. */
const UNIFORM_BYTES = 65536;

/** Windows of tokens that fit a uniform binding: every sequence that begins in a chunk ends in its window. Null: none do. */
function cutByWindows({ maxBindingBytes }: Gpu, shape: AttentionShape): Cut | null {
  const { heads, headSize, relativeRows, tokens: { capacity }, longestCapacity } = shape;
  const bytes = elementBytes(shape.dtype);
  const whole = alignRows(capacity);
  const room = Math.min(64 * Math.floor(UNIFORM_BYTES / bytes / headSize / 64), whole);
  const chunk = room === whole ? room : 64 * Math.floor((room - longestCapacity) / 64);
  if (chunk <= 0 || chunk < room / 4) return null;
  const cut = {
    groups: groupsOf(heads, 1),
    chunk,
    chunks: Math.ceil(capacity / chunk),
    room,
    part: longestCapacity,
    parts: 1,
  };
  const largest = Math.max(
    bytes * paddedRows(cut) * heads * headSize,
    4 * capacity * relativeRows,
    room * pairBytes(shape).wider,
  );
  return largest <= maxBindingBytes && Math.max(cut.chunks, heads) <= INDEX_UNIFORMS ? cut : null;
}

/** Rows of a head whose windows are bound one by one. */
export const paddedRows = ({ chunk, chunks, room }: Cut): number => (chunks - 1) * chunk + room;

/** The shape of a call whose kernels walk `columns`. */
export function shapeOf(
  { precision }: Plan,
  sizes: AttentionSizes,
  direction: AttentionShape["direction"],
  columns: readonly Tensor[],
): AttentionShape {
  const widest = columns.find(({ dtype }) => dtype === "f32") ?? columns[0];
  const weights = storageOf(precision, 4);
  // A dScore is thousands of times smaller than the gradients around it: f16 would lose it long before them.
  const pairs = { weights, dScores: weights === "f16" ? "f32" : weights } as const;
  return { ...sizes, direction, dtype: widest.dtype, pairs };
}
