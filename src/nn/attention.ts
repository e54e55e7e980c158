/**
 * Disentangled self-attention over packed sequences (He et al., "DeBERTa", ICLR 2021, section 3.1; the arithmetic is
 * that of transformers' `DisentangledSelfAttention`), and plain attention where there are no position tables:
 *
 *     score[i,j] = (q_i·k_j + q_i·positionKey[b] + k_j·positionQuery[b]) / √(headSize · terms),  b = relativeIndex(i − j)
 *     context_i = Σ_j dropout(softmax_j(score[i,j])) v_j
 *
 * The forward stores no matrix of scores. The backward computes probabilities again from maxAndSum and stores two numbers
 * for every pair of tokens, kept probability and dScore: queries leave them for keys, which read them the other way
 * round. The rest is linear in the tokens: products of tokens and tables, the sums of dScore over the distances of a
 * bucket, which give the position terms of dQuery, dKey and the tables as plain products. Dropout takes a bit a pair.
 */
import { type Grid, linearGrid } from "../gpu/program.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { bucketsOf, cutWork } from "./attention_cut.ts";
import {
  type AttentionGradients,
  type AttentionInputs,
  type AttentionSizes,
  dropoutBits,
  type HeadGroup,
  pairStride,
} from "./attention_inputs.ts";
import { attentionBackwardUniform, attentionForwardUniform, uniformWindows } from "./attention_uniform.ts";
import { indexUniform } from "./index_uniform.ts";
import type { BatchSizes, Plan } from "./plan.ts";
import { present } from "./rows.ts";

export type { AttentionGradients, AttentionInputs, AttentionSizes };

/** Shares of the tokens over which a table's gradient is summed side by side. */
const PARTS = 16;
/** Results of the position kernels that an invocation keeps; as in kernels/attention_position.wgsl. */
const SCORE_TOKENS = 8;
const GRADIENT_TOKENS = 4;

/** The largest divisor of `count` that is at most `most`. */
function divisorUpTo(most: number, count: number): number {
  let divisor = Math.min(most, count);
  while (count % divisor) divisor--;
  return divisor;
}

/** Rows and columns of a tile of kernels/attention_tiled.wgsl. */
const TILE = 32;

/** The tiled kernels stage three tiles of a head and one of scores in workgroup memory. */
function kernelFor(plan: Plan, headSize: number): GroupPlan["kernel"] {
  const words = 3 * TILE * (headSize + 4) + TILE * (TILE + 4) + 4 * 64;
  const fits = words * 4 <= plan.gpu.maxWorkgroupBytes;
  return plan.variants.attention === "tiled" && fits ? "attention_tiled" : "attention_invocation";
}

/** What all dispatches of one group of heads have in common. */
interface GroupPlan {
  constants: Readonly<Record<string, number>>;
  /** The workgroups for so many invocations. */
  invocations(count: number): Grid;
  kernel: "attention_invocation" | "attention_tiled";
  /** Its workgroups. */
  grid: (batch: BatchSizes) => Grid;
  firstHead: Tensor;
  mask?: Tensor;
  c2p?: Tensor;
  p2c?: Tensor;
}

/** Dropout bits and position scores of a group of heads: what forward and backward both begin with. */
function prepareGroup(
  plan: Plan,
  t: AttentionInputs,
  sizes: AttentionSizes,
  group: HeadGroup,
  chunk = 0,
): GroupPlan {
  const { heads, headSize, relativeRows, tokens, longestCapacity } = sizes;
  const label = sizes.label ?? "attention";
  const lanes = plan.gpu.kind === "software" ? 8 : 64;
  const vec = headSize % 4 === 0 ? 4 : 1;
  const kernel = kernelFor(plan, headSize);
  const firstHead = indexUniform(plan.gpu, group.first);
  const rows = headSize <= 32 ? 4 : 1;
  const constants = {
    HEADS: heads,
    GROUP_HEADS: group.count,
    HEAD_SIZE: headSize,
    VEC: vec,
    COLUMN_BLOCKS: divisorUpTo(16 / vec, headSize / vec),
    RELATIVE_ROWS: relativeRows,
    BUCKETS: bucketsOf(relativeRows),
    LONGEST: longestCapacity,
    SCALE: sizes.scale,
    C2P: Number(!!t.positionKey),
    P2C: Number(!!t.positionQuery),
    DROPOUT: Number(!!t.dropout),
    LANES: lanes,
    ROWS: rows,
    PAIR_STRIDE: pairStride(longestCapacity),
    CHUNK: chunk,
    PAIR_VEC: rows % 4 === 0 ? 4 : 1,
    RESULT_BLOCKS: Math.ceil(headSize / vec / 8),
    PARTS,
  };
  const invocations = (count: number) => linearGrid(Math.ceil(count / lanes));
  const scores = (name: string, x: Tensor, table?: Tensor): Tensor | undefined => {
    if (!table) return undefined;
    const product = plan.transient(`${label} ${name}`, [tokens.capacity, group.count, bucketsOf(relativeRows)]);
    plan.dispatch({
      kernel: "attention_position",
      entry: "scores",
      label: `${label} ${name}`,
      constants,
      bindings: { first_head: firstHead, rows: tokens.uniform, x, table, position_scores: product },
      grid: (batch) =>
        invocations(Math.ceil(tokens.count(batch) / SCORE_TOKENS) * group.count * bucketsOf(relativeRows) / 4),
    });
    return product;
  };
  return {
    constants,
    invocations,
    kernel,
    firstHead,
    grid: ({ sequences, longest }) =>
      kernel === "attention_tiled"
        ? [Math.ceil(longest / TILE), group.count, sequences]
        : [Math.ceil(Math.ceil(longest / rows) * group.count / lanes), 1, sequences],
    mask: dropoutBits(plan, t, sizes, group),
    c2p: scores("c2p", t.query, t.positionKey),
    p2c: scores("p2c", t.key, t.positionQuery),
  };
}

/** The bindings every attention kernel has. */
function groupBindings(t: AttentionInputs, { firstHead, mask, c2p, p2c }: GroupPlan): Record<string, Tensor> {
  return {
    first_head: firstHead,
    ...(t.dropout && mask && { dropout: t.dropout, mask }),
    offsets: t.offsets,
    query: t.query,
    key: t.key,
    value: t.value,
    ...(c2p && { c2p }),
    ...(p2c && { p2c }),
    ...(t.relativeIndex && (c2p || p2c) && { relative_index: t.relativeIndex }),
  };
}

/** context and maxAndSum of all tokens. */
export function attentionForward(plan: Plan, t: AttentionInputs, sizes: AttentionSizes): void {
  const windows = uniformWindows(plan, sizes);
  if (windows) return attentionForwardUniform(plan, t, sizes, windows);
  for (const group of cutWork(plan, sizes).groups) {
    const prepared = prepareGroup(plan, t, sizes, group);
    plan.dispatch({
      kernel: prepared.kernel,
      entry: "forward",
      label: `${sizes.label ?? "attention"} forward`,
      constants: prepared.constants,
      bindings: { ...groupBindings(t, prepared), context: t.context, max_and_sum: t.maxAndSum },
      grid: prepared.grid,
    });
  }
}

/** Gradients of query, key, value and of the position tables that are there; all are written, none added to. */
export function attentionBackward(
  plan: Plan,
  t: AttentionInputs & AttentionGradients,
  sizes: AttentionSizes,
): void {
  const windows = uniformWindows(plan, sizes);
  if (windows) return attentionBackwardUniform(plan, t, sizes, windows);
  const { tokens, relativeRows, longestCapacity } = sizes;
  const label = sizes.label ?? "attention";
  const { groups, chunk, chunks, room } = cutWork(plan, sizes);
  for (const group of groups) {
    const prepared = prepareGroup(plan, t, sizes, group, chunk);
    const bucketSums = (name: string, table?: Tensor): Record<string, Tensor> => {
      if (!table) return {};
      const sums = plan.transient(`${label} ${name}`, [tokens.capacity, group.count, bucketsOf(relativeRows)]);
      plan.clear(sums);
      return { d_position: sums };
    };
    const ofQueries = bucketSums("dC2p", t.positionKey);
    let ofKeys: Record<string, Tensor> | undefined;
    for (let index = 0; index < chunks; index++) {
      const pairs = (name: string) =>
        plan.transient(`${label} ${name}`, [room, group.count, pairStride(longestCapacity)]);
      const chunked: Record<string, Tensor> = chunk === 0 ? {} : { chunk: indexUniform(plan.gpu, index) };
      const kept = { ...chunked, weights: pairs("weights"), d_scores: pairs("dScores") };
      queryBackward(plan, t, prepared, kept, ofQueries, { group, label });
      // As late as that: what the queries alone need may lie in the same memory.
      ofKeys ??= bucketSums("dP2c", t.positionQuery);
      keyBackward(plan, t, prepared, kept, ofKeys, { group, label });
    }
    positionBackward(plan, sizes, group, prepared, {
      x: t.query,
      dX: t.dQuery,
      table: t.positionKey,
      dTable: t.dPositionKey,
      buckets: ofQueries.d_position,
      name: `${label} positionKey`,
    });
    positionBackward(plan, sizes, group, prepared, {
      x: t.key,
      dX: t.dKey,
      table: t.positionQuery,
      dTable: t.dPositionQuery,
      buckets: ofKeys?.d_position,
      name: `${label} positionQuery`,
    });
  }
}

interface GroupLabel {
  group: HeadGroup;
  label: string;
}

/** The bindings of a chunk: what is kept of its pairs, and its number where there are several. */
type ChunkBindings = { weights: Tensor; d_scores: Tensor; chunk?: Tensor };

/** dQuery of a chunk, what its keys need of every pair, and the sums of dScore over the keys of each bucket. */
function queryBackward(
  plan: Plan,
  t: AttentionInputs & AttentionGradients,
  prepared: GroupPlan,
  kept: ChunkBindings,
  sums: Record<string, Tensor>,
  { group, label }: GroupLabel,
): void {
  const { constants, grid, kernel } = prepared;
  plan.dispatch({
    kernel,
    entry: "backward_query",
    label: `${label} dQuery`,
    constants,
    bindings: {
      ...groupBindings(t, prepared),
      ...present(kept),
      ...(kernel === "attention_invocation" && sums),
      context_in: t.context,
      max_and_sum_in: t.maxAndSum,
      d_context: t.dContext,
      d_query: t.dQuery,
    },
    grid,
  });
  sumBuckets(plan, "query_buckets", t, prepared, kept, sums, { group, label });
}

/** dKey and dValue of a chunk, and the sums of dScore over the queries of each bucket. */
function keyBackward(
  plan: Plan,
  t: AttentionInputs & AttentionGradients,
  prepared: GroupPlan,
  kept: ChunkBindings,
  sums: Record<string, Tensor>,
  { group, label }: GroupLabel,
): void {
  const { constants, grid, kernel, firstHead: first_head } = prepared;
  const summed = kernel === "attention_invocation";
  plan.dispatch({
    kernel,
    entry: "backward_key",
    label: `${label} dKey dValue`,
    constants,
    bindings: {
      ...present({ chunk: kept.chunk }),
      first_head,
      offsets: t.offsets,
      query: t.query,
      d_context: t.dContext,
      ...(summed && t.positionQuery && { relative_index: t.relativeIndex! }),
      ...(summed && sums),
      d_key: t.dKey,
      d_value: t.dValue,
      weights_in: kept.weights,
      d_scores_in: kept.d_scores,
    },
    grid,
  });
  sumBuckets(plan, "key_buckets", t, prepared, kept, sums, { group, label });
}

/** The sums over buckets, which the tiled kernels leave to a kernel of its own. */
function sumBuckets(
  plan: Plan,
  entry: string,
  { offsets, relativeIndex }: AttentionInputs,
  { constants, kernel }: GroupPlan,
  { chunk, d_scores }: ChunkBindings,
  sums: Record<string, Tensor>,
  { group, label }: GroupLabel,
): void {
  if (kernel === "attention_invocation" || !sums.d_position) return;
  plan.dispatch({
    kernel: "attention_buckets",
    entry,
    label: `${label} ${entry}`,
    constants,
    bindings: { ...present({ chunk }), offsets, relative_index: relativeIndex!, d_scores_in: d_scores, ...sums },
    grid: ({ sequences, longest }) => [Math.ceil(longest / 64), group.count, sequences],
  });
}

interface PositionTensors {
  x: Tensor;
  dX: Tensor;
  table?: Tensor;
  dTable?: Tensor;
  /** Sums of dScore by token and bucket. */
  buckets?: Tensor;
  name: string;
}

/** Backward of the product of `x` with one position table: adds to dX, writes dTable. */
function positionBackward(
  plan: Plan,
  { headSize, relativeRows, tokens }: AttentionSizes,
  group: HeadGroup,
  { constants, invocations, firstHead: first_head }: GroupPlan,
  { x, dX, table, dTable, buckets, name }: PositionTensors,
): void {
  if (!table || !buckets) return;
  const columns = headSize / constants.VEC / constants.COLUMN_BLOCKS;
  plan.dispatch({
    kernel: "attention_position",
    entry: "input_gradient",
    label: `${name} input`,
    constants,
    bindings: { first_head, rows: tokens.uniform, table, d_position: buckets, d_input: dX },
    grid: (batch) => invocations(Math.ceil(tokens.count(batch) / GRADIENT_TOKENS) * group.count * columns),
  });
  if (!dTable) return;
  const parts = plan.transient(`${name} parts`, [PARTS, relativeRows, group.count, headSize]);
  plan.dispatch({
    kernel: "attention_position",
    entry: "table_gradient",
    label: `${name} gradient`,
    constants,
    bindings: { first_head, rows: tokens.uniform, x, d_position: buckets, parts },
    grid: () => invocations(PARTS * group.count * bucketsOf(relativeRows) / 4 * columns),
  });
  plan.dispatch({
    kernel: "attention_position",
    entry: "reduce",
    label: `${name} gradient sum`,
    constants,
    bindings: { first_head, parts_in: parts, d_table: dTable },
    grid: () => linearGrid(Math.ceil(relativeRows * group.count * headSize / constants.VEC / 64)),
  });
}
