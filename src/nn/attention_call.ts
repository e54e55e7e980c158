/** A call of attention: what all its dispatches have in common. */
import type { Grid } from "../gpu/program.ts";
import { type Tensor, viewOf } from "../gpu/tensor.ts";
import { type Directions, layHeads, wholeQuads } from "./attention_heads.ts";
import { type AttentionInputs, type AttentionSizes, type HeadTensors, pairStride } from "./attention_inputs.ts";
import { ATTENTION, type Cut, type HeadGroup, paddedRows, shapeOf } from "./attention_variants.ts";
import { indexUniform } from "./index_uniform.ts";
import type { BatchSizes, Plan } from "./plan.ts";
import type { Matrix } from "./product.ts";
import { choose } from "./variants.ts";

export interface Call<T = AttentionInputs> {
  plan: Plan;
  /** The tensors, laid as kernels read and write them; the sizes are theirs. */
  t: T;
  sizes: AttentionSizes & { label: string };
  kernel: string;
  cut: Cut;
  /** Whether heads lie one after another, each with its rows, so that windows of their rows can be bound as uniforms. */
  windows: boolean;
  /** To be called when all is written. */
  copyBack(): void;
}

/** Chooses how to compute it. */
export function beginCall<T extends AttentionInputs & HeadTensors>(
  plan: Plan,
  t: T,
  { label = "attention", ...given }: AttentionSizes,
  directions: Directions,
): Call<T> {
  const sizes = { ...wholeQuads(given), label };
  const shape = shapeOf(plan, sizes, directions.read.flatMap((name) => t[name] ?? []));
  const { kernel, windows, cut: cutWork } = choose(plan, ATTENTION, shape);
  const cut = cutWork(plan.gpu, shape);
  const { laid, copyBack } = layHeads(plan, t, { ...given, label }, directions, windows ? cut : null);
  return { plan, t: laid, sizes, kernel, cut, windows, copyBack };
}

/** The matrices of a group of heads, as a product takes them. */
export function headMatrices({ sizes, windows }: Call, tensor: Tensor, { first }: HeadGroup): Matrix {
  const { heads, headSize } = sizes;
  if (!windows) return { tensor, stride: heads * headSize, step: headSize, first };
  return { tensor: rowsOfHead(tensor, sizes, first, 0, tensor.shape[0]) };
}

/** Rows `begin` … `begin` + `count` − 1 of a head that lies by itself. */
function rowsOfHead(tensor: Tensor, { headSize }: AttentionSizes, head: number, begin: number, count: number): Tensor {
  const at = (head * tensor.shape[0] + begin) * headSize;
  return viewOf(tensor, `${tensor.label}, head ${head} from row ${begin}`, at, [count, headSize]);
}

/** The heads of a dispatch, and the number of its chunk of tokens. */
export interface Place {
  group: HeadGroup;
  chunk: number;
}

interface Work {
  kernel: string;
  entry: string;
  /** Rows of a head and a sequence that a workgroup takes. */
  rows: number;
  constants?: Readonly<Record<string, number>>;
  bindings: Readonly<Record<string, Tensor>>;
}

/** Appends a dispatch for some heads of the sequences that begin in a chunk. */
export function dispatchRows(call: Call, { group, chunk }: Place, work: Work): void {
  const { plan, t, sizes, cut, windows } = call;
  const { heads, headSize, relativeRows, longestCapacity, scale, label } = sizes;
  plan.dispatch({
    kernel: work.kernel,
    entry: work.entry,
    label: `${label} ${work.entry}`,
    constants: {
      HEADS: heads,
      GROUP_HEADS: group.count,
      HEAD_SIZE: headSize,
      TOKEN_STEP: windows ? 1 : heads,
      HEAD_STEP: windows ? paddedRows(cut) : 1,
      LONGEST: longestCapacity,
      PAIR_STRIDE: pairStride(longestCapacity),
      BUCKETS: relativeRows,
      SCALE: scale,
      CHUNK: cut.chunk,
      WINDOW: windows ? cut.room : 0,
      ...work.constants,
    },
    bindings: { chunk: indexUniform(plan.gpu, chunk), offsets: t.offsets, ...work.bindings },
    grid: ({ tokens, longest, sequences }: BatchSizes): Grid =>
      tokens > chunk * cut.chunk ? [Math.ceil(longest / work.rows), group.count, sequences] : [0],
  });
}

/** Appends a core's kernel, whose rows walk `columns`. */
export function walkColumns(
  call: Call,
  place: Place,
  entry: string,
  bindings: Readonly<Record<string, Tensor>>,
  columns: Readonly<Record<string, Tensor>>,
): void {
  const { kernel, cut, sizes, windows } = call;
  const window = (tensor: Tensor) =>
    windows ? rowsOfHead(tensor, sizes, place.group.first, place.chunk * cut.chunk, cut.room) : tensor;
  const walked = Object.fromEntries(Object.entries(columns).map(([name, tensor]) => [name, window(tensor)]));
  const first_head = indexUniform(call.plan.gpu, place.group.first);
  dispatchRows(call, place, { kernel, entry, rows: 32, bindings: { first_head, ...bindings, ...walked } });
}
