/** What the dispatches of a program do: operations and bytes by kernel, from their constants and tensors. */
import { type DType, elementBytes } from "../../gpu/dtype.ts";
import type { Dispatch, Program } from "../../gpu/program.ts";
import { elements, type Tensor } from "../../gpu/tensor.ts";
import type { BatchSizes } from "../../nn/plan.ts";
import type { Work } from "./time.ts";

/** The batch that a program is replayed for; it fills the room that the program has. */
export interface Batch extends BatchSizes {
  /** Tokens of each sequence. */
  readonly lengths: readonly number[];
}

/** Steps along k that it takes until a workgroup's products are under way, and after them. */
const STARTUP = { tiles: 1, matrices: 3 };

export interface ProductShape {
  m: number;
  n: number;
  k: number;
  /** Matrices, and shares of k for each. */
  batch?: number;
  shares?: number;
  core: "tiles" | "matrices";
  tile: readonly [m: number, n: number, k: number];
  /** Outputs of an invocation. */
  each: readonly [m: number, n: number];
  types: readonly [a: DType, b: DType, c: DType];
  /** Reads what is in C. */
  accumulates?: boolean;
}

/** A product without what is done with its shares. */
export function productWork(p: ProductShape): Work {
  const { m, n, k, batch = 1, shares = 1, core, tile, each: [eachM, eachN], accumulates = false } = p;
  const [a, b, c] = p.types.map(elementBytes);
  return {
    flops: 2 * m * n * k * batch,
    core: core === "matrices" ? "product on matrices" : "product",
    perLocalByte: 2 * eachM * eachN / (4 * (eachM + eachN)),
    overhead: 1 + STARTUP[core] * tile[2] / (k / shares),
    bytes: batch * (m * k * a + n * k * b + m * n * c * (accumulates ? 2 : shares)),
    workgroups: Math.ceil(m / tile[0]) * Math.ceil(n / tile[1]) * batch * shares,
  };
}

type OwnDispatch = Dispatch<BatchSizes>;
type Counting = (dispatch: OwnDispatch, batch: Batch) => Work;

const numbers = ({ constants = {} }: OwnDispatch, ...names: string[]): number[] =>
  names.map((name) => Number(constants[name] ?? 0));

const bytesOf = (tensors: readonly (Tensor | undefined)[]): number =>
  tensors.reduce((sum, tensor) => sum + (tensor?.bytes ?? 0), 0);

/** Every tensor once, those that are added to twice; without those that are read or written only here and there. */
const bound = (
  { bindings }: OwnDispatch,
  { twice = [], without = [] }: { twice?: string[]; without?: string[] } = {},
) =>
  bytesOf(
    Object.entries(bindings).flatMap(([name, tensor]) =>
      without.includes(name) ? [] : twice.includes(name) ? [tensor, tensor] : [tensor]
    ),
  );

const byBytes = (options?: { twice?: string[] }): Counting => (dispatch) => ({ bytes: bound(dispatch, options) });

/** Rows of elements of which dropout decides. */
const dropping: Counting = (dispatch) => {
  const { bindings: { dropout, x, dy } } = dispatch;
  const rows = x ?? dy;
  return { bytes: bound(dispatch), draws: dropout && rows ? elements(rows.shape) / 4 : 0 };
};

const product: Counting = (dispatch, batch) => {
  const { bindings: { a, b, c, ...more }, kernel } = dispatch;
  const [m, n, k, aStride, alongK, matrices, shares, tileM, tileN, tileK, eachM, eachN, accumulates] = numbers(
    dispatch,
    ...["M", "N", "K", "A_STRIDE", "A_K", "BATCH", "SHARES", "TILE_M", "TILE_N", "TILE_K", "EACH_M", "EACH_N"],
    "ACCUMULATE",
  );
  // What is the number of rows is that of A.
  const rows = elements(a.shape) / (aStride || (alongK ? k : m));
  const work = productWork({
    ...{ m: m || rows, n, k: k || rows, batch: matrices, shares, accumulates: accumulates === 1 },
    core: kernel === "product_matrices" ? "matrices" : "tiles",
    tile: [tileM, tileN, tileK],
    each: [eachM, eachN],
    types: [a.dtype, b.dtype, c.dtype],
  });
  const { residual, pre_activation, pre_activation_kept } = more;
  const [x, y, z] = dispatch.grid(batch) as [number, number?, number?];
  return {
    ...work,
    bytes: work.bytes + bytesOf([residual, pre_activation, pre_activation_kept]),
    workgroups: x * (y ?? 1) * (z ?? 1),
  };
};

/** Pairs of tokens of a sequence, its length rounded up to whole tiles of rows and columns. */
const pairsOf = ({ lengths }: Batch, tile: number): number =>
  lengths.reduce((sum, length) => sum + (tile * Math.ceil(length / tile)) ** 2, 0);

/** Rows of heads that a workgroup of attention walks along: `products` of every pair and an element of a head. */
const attention = (
  { products, perLocalByte, gathers }: { products: number; perLocalByte?: number; gathers: number },
): Counting =>
(dispatch, batch) => {
  const { bindings: { mask, weights, d_scores, c2p, p2c, ...heads } } = dispatch;
  const [groupHeads, headSize] = numbers(dispatch, "GROUP_HEADS", "HEAD_SIZE");
  const pairs = groupHeads * pairsOf(batch, 32);
  const ofPairs = [weights, d_scores].reduce((sum, tensor) => sum + (tensor ? elementBytes(tensor.dtype) : 0), 0);
  const rows = Object.values(heads).filter(({ shape }) => shape.length === 2 && shape[0] === batch.tokens);
  const rowBytes = rows.reduce((sum, { dtype }) => sum + elementBytes(dtype), 0);
  const terms = [c2p, p2c].filter((tensor) => tensor);
  const [x, y = 1, z = 1] = dispatch.grid(batch);
  return {
    flops: 2 * products * pairs * headSize,
    core: perLocalByte === undefined ? "attention on matrices" : "attention",
    perLocalByte,
    gathers: gathers * pairs * terms.length,
    bytes: pairs * (ofPairs + (mask ? 1 / 8 : 0)) + batch.tokens * groupHeads * headSize * rowBytes + bytesOf(terms),
    workgroups: x * y * z,
  };
};

const attentionBuckets: Counting = (dispatch, batch) => {
  const { bindings: { d_scores, sums } } = dispatch;
  const [groupHeads] = numbers(dispatch, "GROUP_HEADS");
  const pairs = groupHeads * pairsOf(batch, 1);
  return { bytes: pairs * elementBytes(d_scores.dtype) + sums.bytes, serial: batch.longest };
};

/** Dropout bits of pairs. */
const attentionMask: Counting = (dispatch, batch) => {
  const [groupHeads] = numbers(dispatch, "GROUP_HEADS");
  const pairs = groupHeads * pairsOf(batch, 1);
  return { bytes: pairs / 8, draws: pairs / 4 };
};

/** Rows of a table that has far more. */
const tableRows = (table: string, rows: (batch: Batch) => number): Counting => (dispatch, batch) => {
  const [columns] = numbers(dispatch, "COLUMNS");
  const { dtype } = dispatch.bindings[table];
  return { bytes: bound(dispatch, { without: [table] }) + rows(batch) * columns * elementBytes(dtype) };
};

/** By kernel and entry point; of what is not here every tensor is read or written once. */
const COUNTING: Readonly<Record<string, Counting>> = {
  "product_tiles.product": product,
  "product_matrices.product": product,
  "attention_tiles.forward": attention({ products: 2, perLocalByte: 2 * 16 / 28, gathers: 1 }),
  "attention_tiles.backward_query": attention({ products: 3, perLocalByte: 2 * 16 / 28, gathers: 1 }),
  "attention_tiles.backward_key": attention({ products: 2, perLocalByte: 2 * 32 / 48, gathers: 0 }),
  "attention_matrices.forward": attention({ products: 2, gathers: 1 }),
  "attention_matrices.backward_query": attention({ products: 3, gathers: 1 }),
  "attention_matrices.backward_key": attention({ products: 2, gathers: 0 }),
  "attention_buckets.sum": attentionBuckets,
  "attention_mask.draw": attentionMask,
  "layer_norm.forward": dropping,
  "layer_norm.backward": dropping,
  "dropout.apply": dropping,
  "embedding.forward": tableRows("word", ({ tokens }) => tokens),
  "embedding.word_gradient": tableRows("gradient", ({ uniqueIds }) => 2 * uniqueIds),
  "adamw.step": byBytes({ twice: ["values", "firstMoment", "secondMoment"] }),
  "reduce.add_partials": byBytes({ twice: ["into"] }),
};

/** A command of a program with its work; only those that run for this batch. */
export interface Piece {
  /** "adamw.step", "clear", "copy" */
  kernel: string;
  label: string;
  work: Work;
}

export function workOf(program: Program<BatchSizes>, batch: Batch): Piece[] {
  return program.commands.flatMap((command): Piece[] => {
    if (command.kind === "clear") {
      return [{ kernel: "clear", label: command.tensor.label, work: { bytes: command.tensor.bytes } }];
    }
    if (command.kind === "copy") {
      return [{ kernel: "copy", label: command.to.label, work: { bytes: 2 * command.to.bytes } }];
    }
    const { dispatch } = command;
    const [x, y = 1, z = 1] = dispatch.grid(batch);
    if (x * y * z === 0) return [];
    const kernel = `${dispatch.kernel}.${dispatch.entry}`;
    const counting = COUNTING[kernel] ?? byBytes();
    return [{ kernel, label: dispatch.label ?? kernel, work: counting(dispatch, batch) }];
  });
}
