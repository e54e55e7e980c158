/**
 * Disentangled self-attention over packed sequences (He et al., "DeBERTa", ICLR 2021, section 3.1; the arithmetic is
 * that of transformers' `DisentangledSelfAttention`), and plain attention where there are no position tables:
 *
 *     score[i,j] = (q_i·k_j + q_i·positionKey[b] + k_j·positionQuery[b]) / √(headSize · terms),  b = relativeIndex(i − j)
 *     context_i = Σ_j dropout(softmax_j(score[i,j])) v_j
 *
 * Nothing of every pair of tokens outlives a call. The forward stores no matrix of scores. The backward computes
 * probabilities again from maxAndSum and stores two numbers for every pair of a group of heads and a chunk of tokens: kept
 * probability and dScore, which queries leave for keys to read the other way round. The rest is linear in the tokens:
 * products of tokens and tables, and the sums of dScore over the distances of a bucket, which give the position terms of
 * dQuery, dKey and the tables as plain products. Dropout takes a bit a pair.
 */
import type { Grid } from "../gpu/program.ts";
import { type Tensor, viewOf } from "../gpu/tensor.ts";
import { byHeads, withWholeQuads } from "./attention_heads.ts";
import {
  type AttentionGradients,
  type AttentionInputs,
  type AttentionSizes,
  bucketsOf,
  pairStride,
} from "./attention_inputs.ts";
import { positionBackward, positionScores } from "./attention_position.ts";
import {
  ATTENTION,
  type AttentionShape,
  type AttentionVariant,
  type Cut,
  type HeadGroup,
  paddedRows,
  shapeOf,
} from "./attention_variants.ts";
import { indexUniform } from "./index_uniform.ts";
import type { BatchSizes, Plan } from "./plan.ts";
import { present } from "./rows.ts";
import { appendChosen } from "./variants.ts";

export type { AttentionGradients, AttentionInputs, AttentionSizes };

/** context and maxAndSum of all tokens. */
export function attentionForward(plan: Plan, t: AttentionInputs, sizes: AttentionSizes): void {
  if (sizes.headSize % 4) {
    const read = ["query", "key", "value", "positionKey", "positionQuery"] as const;
    return withWholeQuads(plan, t, sizes, { read, written: ["context"] }, attentionForward);
  }
  const shape = shapeOf(plan, sizes, "forward", [t.key, t.value]);
  appendChosen(plan, ATTENTION, shape, (on, variant) => forwardBy(on, variant, t, shape));
}

function forwardBy(plan: Plan, variant: AttentionVariant, t: AttentionInputs, shape: AttentionShape): void {
  const { query, key: keys, value: values, context, maxAndSum: max_and_sum } = t;
  const call = begin(plan, variant, t, shape, { keys, values });
  for (const group of call.cut.groups) {
    const bindings = { ...scoreBindings(call, group), query, context, max_and_sum };
    for (let chunk = 0; chunk < call.cut.chunks; chunk++) {
      walkColumns(call, "forward", { group, chunk }, bindings, ["keys", "values"]);
    }
  }
}

/** Gradients of query, key, value and of the position tables that are there; all are written, none added to. */
export function attentionBackward(plan: Plan, t: AttentionInputs & AttentionGradients, sizes: AttentionSizes): void {
  if (sizes.headSize % 4) {
    const read = ["query", "key", "value", "positionKey", "positionQuery", "context", "dContext"] as const;
    const written = ["dQuery", "dKey", "dValue", "dPositionKey", "dPositionQuery"] as const;
    return withWholeQuads(plan, t, sizes, { read, written }, attentionBackward);
  }
  const shape = shapeOf(plan, sizes, "backward", [t.key, t.value, t.query, t.dContext]);
  appendChosen(plan, ATTENTION, shape, (on, variant) => backwardBy(on, variant, t, shape));
}

function backwardBy(
  plan: Plan,
  variant: AttentionVariant,
  t: AttentionInputs & AttentionGradients,
  sizes: AttentionShape,
): void {
  const { query, key, value, context, maxAndSum, dContext, dQuery, dKey, dValue } = t;
  const call = begin(plan, variant, t, sizes, { keys: key, values: value, queries: query, d_contexts: dContext });
  const { groups, chunks, room } = call.cut;
  for (const group of groups) {
    const known = { query, context, max_and_sum: maxAndSum, d_context: dContext };
    const ofQuery = { ...scoreBindings(call, group), ...known, d_query: dQuery };
    const ofKey = { d_key: dKey, d_value: dValue };
    const c2p = t.positionKey && bucketSums(call, group, "dC2p");
    let p2c: Tensor | undefined;
    for (let chunk = 0; chunk < chunks; chunk++) {
      const place = { group, chunk };
      const pairs = (name: string) =>
        plan.activation(`${call.label} ${name}`, [room, group.count, pairStride(sizes.longestCapacity)]);
      const kept = { weights: pairs("weights"), d_scores: pairs("dScores") };
      walkColumns(call, "backward_query", place, { ...ofQuery, ...kept }, ["keys", "values"]);
      sumBuckets(call, 0, place, kept.d_scores, c2p);
      // As late as that: what the queries alone need may lie in the same memory.
      p2c ??= t.positionQuery && bucketSums(call, group, "dP2c");
      walkColumns(call, "backward_key", place, { ...ofKey, ...kept }, ["queries", "d_contexts"]);
      sumBuckets(call, 1, place, kept.d_scores, p2c);
    }
    positionBackward(plan, sizes, group, {
      x: query,
      dX: dQuery,
      table: t.positionKey,
      dTable: t.dPositionKey,
      sums: c2p,
    });
    positionBackward(plan, sizes, group, {
      x: key,
      dX: dKey,
      table: t.positionQuery,
      dTable: t.dPositionQuery,
      sums: p2c,
    });
  }
}

/** What all dispatches of a call have in common. */
interface Call {
  plan: Plan;
  t: AttentionInputs;
  sizes: AttentionSizes;
  label: string;
  kernel: string;
  cut: Cut;
  /** What kernels walk beside the rows that they own; by heads where `windows`. */
  columns: Readonly<Record<string, Tensor>>;
  windows: boolean;
}

function begin(
  plan: Plan,
  { kernel, windows, cut: cutWork }: AttentionVariant,
  t: AttentionInputs,
  sizes: AttentionShape,
  columns: Record<string, Tensor>,
): Call {
  const cut = cutWork(plan.gpu, sizes);
  const byHead = ([name, tensor]: [string, Tensor]) => [name, byHeads(plan, tensor, sizes, paddedRows(cut))];
  return {
    ...{ plan, t, sizes, kernel, cut, windows, label: sizes.label ?? "attention" },
    columns: windows ? Object.fromEntries(Object.entries(columns).map(byHead)) : columns,
  };
}

/** The heads of a dispatch, and the number of its chunk of tokens. */
interface Place {
  group: HeadGroup;
  chunk: number;
}

/** Appends a dispatch in which every workgroup takes `rows` rows of a head and a sequence. */
function dispatch(
  { plan, t, sizes, label, cut, windows }: Call,
  [kernel, entry]: [string, string],
  { group, chunk }: Place,
  rows: number,
  bindings: Readonly<Record<string, Tensor>>,
  constants: Readonly<Record<string, number>> = {},
): void {
  const { heads, headSize, relativeRows, longestCapacity, scale } = sizes;
  plan.dispatch({
    kernel,
    entry,
    label: `${label} ${entry}`,
    constants: {
      HEADS: heads,
      GROUP_HEADS: group.count,
      HEAD_SIZE: headSize,
      LONGEST: longestCapacity,
      BUCKETS: bucketsOf(relativeRows),
      PAIR_STRIDE: pairStride(longestCapacity),
      SCALE: scale,
      CHUNK: cut.chunk,
      WINDOW: windows ? cut.room : 0,
      LANES: lanesOf(plan),
      ...constants,
    },
    bindings: { chunk: indexUniform(plan.gpu, chunk), offsets: t.offsets, ...bindings },
    grid: ({ tokens, longest, sequences }: BatchSizes): Grid =>
      tokens > chunk * cut.chunk ? [Math.ceil(longest / rows), group.count, sequences] : [0],
  });
}

/** Invocations of a workgroup that share nothing. */
const lanesOf = ({ gpu }: Plan): number => (gpu.kind === "software" ? 8 : 64);

/** A kernel whose rows, 32 of a workgroup, walk columns. */
function walkColumns(call: Call, entry: string, place: Place, bindings: Record<string, Tensor>, names: string[]): void {
  const { sizes: { headSize }, cut } = call;
  const column = (name: string): Tensor => {
    const tensor = call.columns[name];
    if (!call.windows) return tensor;
    const row = place.group.first * paddedRows(cut) + place.chunk * cut.chunk;
    return viewOf(tensor, `${tensor.label} window`, row * headSize, [cut.room, headSize]);
  };
  const columns = Object.fromEntries(names.map((name) => [name, column(name)]));
  const first_head = indexUniform(call.plan.gpu, place.group.first);
  dispatch(call, [call.kernel, entry], place, 32, { first_head, ...bindings, ...columns });
}

/** Zeroed sums of dScore by token and bucket. */
function bucketSums({ plan, sizes, label }: Call, { count }: HeadGroup, name: string): Tensor {
  const sums = plan.transient(`${label} ${name}`, [sizes.tokens.capacity, count, bucketsOf(sizes.relativeRows)]);
  plan.clear(sums);
  return sums;
}

function sumBuckets(call: Call, KEYS: 0 | 1, place: Place, d_scores: Tensor, sums?: Tensor): void {
  if (!sums) return;
  const bindings = { relative_index: call.t.relativeIndex!, d_scores, sums };
  dispatch(call, ["attention_buckets", "sum"], place, 4 * lanesOf(call.plan), bindings, { KEYS });
}

/** Dropout bits and position scores of a group of heads: what both directions begin with. */
function scoreBindings({ plan, t, sizes, label }: Call, group: HeadGroup): Record<string, Tensor> {
  const { dropout, positionKey, positionQuery, relativeIndex } = t;
  return present({
    ...(dropout && { dropout, mask: dropoutBits(plan, t, sizes, label, group) }),
    relative_index: positionKey || positionQuery ? relativeIndex : undefined,
    c2p: positionKey && positionScores(plan, sizes, group, t.query, positionKey),
    p2c: positionQuery && positionScores(plan, sizes, group, t.key, positionQuery),
  });
}

/** Draws the dropout bits, [tokens, heads of the group, words]. */
function dropoutBits(
  plan: Plan,
  { dropout, offsets }: AttentionInputs,
  { heads, tokens, longestCapacity, site }: AttentionSizes,
  label: string,
  group: HeadGroup,
): Tensor {
  const words = (longest: number) => Math.ceil(longest / 32);
  const lanes = lanesOf(plan);
  const mask = plan.transient(`${label} dropout bits`, [tokens.capacity, group.count, words(longestCapacity)]);
  plan.dispatch({
    kernel: "attention_mask",
    entry: "draw",
    label: mask.label,
    constants: { HEADS: heads, GROUP_HEADS: group.count, LONGEST: longestCapacity, LANES: lanes, SITE: site },
    bindings: { first_head: indexUniform(plan.gpu, group.first), dropout: dropout!, offsets, mask },
    grid: ({ longest, sequences }) => [Math.ceil(longest / lanes), group.count * words(longest), sequences],
  });
  return mask;
}
