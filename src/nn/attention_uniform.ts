/**
 * Attention on adapters that run on the CPU: head by head, with windows of tokens bound as uniforms
 * (kernels/attention_uniform.wgsl), and products with the position tables as ordinary matrix products.
 */
import { type Tensor, viewOf } from "../gpu/tensor.ts";
import {
  type AttentionGradients,
  type AttentionInputs,
  type AttentionSizes,
  dropoutBits,
  maskWords,
  pairStride,
} from "./attention_inputs.ts";
import { INDEX_UNIFORMS, indexUniform } from "./index_uniform.ts";
import { linearBackwardInput, linearBackwardWeight, linearForward } from "./linear.ts";
import { fixedRows, type Plan, type Rows } from "./plan.ts";

/** Floats in the largest uniform binding that WebGPU guarantees. */
const UNIFORM_FLOATS = 16384;
/** Rows of a workgroup of the attention kernels. */
const TILE = 32;

export interface Windows {
  /** Tokens of a window. */
  window: number;
  /** Tokens between the beginnings of two windows: every sequence that begins there ends within the window. */
  stride: number;
  count: number;
  /** Rows of a head in the layout by heads, so that every window and head begins aligned. */
  padded: number;
}

const align = (count: number): number => 64 * Math.ceil(count / 64);

/** The windows of a plan, or null where the adapter or the sizes do not suit them. */
export function uniformWindows(plan: Plan, sizes: AttentionSizes): Windows | null {
  const { heads, headSize, relativeRows, tokens, longestCapacity } = sizes;
  if (plan.variants.attention !== "invocation" || plan.gpu.kind !== "software" || headSize % 4) return null;
  const most = Math.floor(UNIFORM_FLOATS / headSize / 64) * 64;
  const whole = align(tokens.capacity);
  const window = Math.min(most, whole);
  const stride = window === whole ? window : Math.floor((window - longestCapacity) / 64) * 64;
  if (stride < window / 4) return null;
  const count = window === whole ? 1 : Math.ceil(tokens.capacity / stride);
  const padded = Math.max((count - 1) * stride + window, whole);
  const largest = 4 * Math.max(
    padded * heads * headSize,
    whole * Math.max(relativeRows, heads * maskWords(longestCapacity)),
    window * pairStride(longestCapacity),
  );
  if (largest > plan.gpu.maxBindingBytes || Math.max(count, heads) > INDEX_UNIFORMS) return null;
  return { window, stride, count, padded };
}

type Context = ReturnType<typeof prepare>;

/** Tensors by heads, dropout bits and what else all heads share. */
function prepare(plan: Plan, t: AttentionInputs, sizes: AttentionSizes, windows: Windows) {
  const { heads, headSize, relativeRows, longestCapacity, tokens } = sizes;
  const label = sizes.label ?? "attention";
  const tableRows = fixedRows(plan.gpu, "position table rows", relativeRows);
  const byHeads = (name: string, from: Tensor, rows: Rows = tokens, padded = windows.padded): Tensor => {
    const result = plan.transient(`${label} ${name} by heads`, [heads, padded, headSize]);
    copyHeads(plan, "split", from, result, rows, sizes, padded);
    return result;
  };
  const table = (name: string, from?: Tensor) => from && byHeads(name, from, tableRows, align(relativeRows));
  return {
    label,
    sizes,
    windows,
    query: byHeads("query", t.query),
    key: byHeads("key", t.key),
    positionKey: table("position key", t.positionKey),
    positionQuery: table("position query", t.positionQuery),
    tableRows,
    byHeads,
    /** The rows of one head. */
    head: (tensor: Tensor, head: number, padded = windows.padded): Tensor =>
      viewOf(tensor, `${tensor.label} ${head}`, head * padded * headSize, [padded, headSize]),
    mask: dropoutBits(plan, t, sizes, { first: 0, count: heads }),
    constants: {
      HEADS: heads,
      HEAD_SIZE: headSize,
      LONGEST: longestCapacity,
      BUCKETS: relativeRows,
      PAIR_STRIDE: pairStride(longestCapacity),
      SCALE: sizes.scale,
      STRIDE: windows.stride,
      WINDOW: windows.window,
      C2P: Number(!!t.positionKey),
      P2C: Number(!!t.positionQuery),
      DROPOUT: Number(!!t.dropout),
    },
  };
}

/** Copies `rows` rows between [rows, heads, head size] and [heads, padded, head size]. */
function copyHeads(
  plan: Plan,
  entry: "split" | "merge",
  source: Tensor,
  result: Tensor,
  rows: Rows,
  { heads, headSize }: AttentionSizes,
  padded: number,
): void {
  plan.dispatch({
    kernel: "attention_heads",
    entry,
    constants: { HEADS: heads, BLOCKS: headSize / 4, PADDED: padded },
    bindings: { rows: rows.uniform, source, result },
    grid: (batch) => [Math.ceil(rows.count(batch) / 64), heads],
    label: `${result.label} (${entry})`,
  });
}

/** Products of one head's queries or keys with a position table, [tokens, relativeRows]. */
function positionScores(plan: Plan, context: Context, head: number, x: Tensor, table?: Tensor): Tensor | undefined {
  if (!table) return undefined;
  const { headSize, relativeRows, tokens } = context.sizes;
  const y = plan.transient(`${table.label} scores`, [tokens.capacity, relativeRows]);
  linearForward(plan, { x: context.head(x, head), weight: context.head(table, head, align(relativeRows)), y }, {
    rows: tokens,
    inFeatures: headSize,
    outFeatures: relativeRows,
    label: y.label,
  });
  return y;
}

/** The dispatch for one window of the tokens of one head. */
function forWindow(
  plan: Plan,
  entry: string,
  { constants, windows, sizes, label, head: rowsOf }: Context,
  [head, index]: readonly [head: number, window: number],
  bindings: Record<string, Tensor>,
  uniforms: Record<string, Tensor>,
): void {
  const begin = index * windows.stride * sizes.headSize;
  const windowed = Object.entries(uniforms).map(([name, tensor]) => {
    const rows = rowsOf(tensor, head);
    return [name, viewOf(rows, `${rows.label} window ${index}`, begin, [windows.window, sizes.headSize])];
  });
  plan.dispatch({
    kernel: "attention_uniform",
    entry,
    label: `${label} ${entry}`,
    constants,
    bindings: {
      ...bindings,
      ...Object.fromEntries(windowed),
      head: indexUniform(plan.gpu, head),
      number: indexUniform(plan.gpu, index),
    },
    grid: ({ sequences, longest, tokens }) =>
      tokens > index * windows.stride ? [Math.ceil(longest / TILE), 1, sequences] : [0],
  });
}

/** What the kernels that compute scores read. */
function scoreBindings(t: AttentionInputs, { mask }: Context, c2p?: Tensor, p2c?: Tensor): Record<string, Tensor> {
  return {
    offsets: t.offsets,
    query: t.query,
    ...(t.dropout && mask && { dropout: t.dropout, mask }),
    ...(c2p && { c2p }),
    ...(p2c && { p2c }),
    ...((c2p || p2c) && { relative_index: t.relativeIndex! }),
  };
}

export function attentionForwardUniform(plan: Plan, t: AttentionInputs, sizes: AttentionSizes, windows: Windows): void {
  const context = prepare(plan, t, sizes, windows);
  const values = context.byHeads("value", t.value);
  for (let head = 0; head < sizes.heads; head++) {
    const c2p = positionScores(plan, context, head, context.query, context.positionKey);
    const p2c = positionScores(plan, context, head, context.key, context.positionQuery);
    const bindings = { ...scoreBindings(t, context, c2p, p2c), context: t.context, max_and_sum: t.maxAndSum };
    for (let index = 0; index < windows.count; index++) {
      forWindow(plan, "forward", context, [head, index], bindings, { keys: context.key, values });
    }
  }
}

export function attentionBackwardUniform(
  plan: Plan,
  t: AttentionInputs & AttentionGradients,
  sizes: AttentionSizes,
  windows: Windows,
): void {
  const { heads, headSize, relativeRows, tokens } = sizes;
  const context = prepare(plan, t, sizes, windows);
  const { label, query, key, positionKey, positionQuery, byHeads } = context;
  const values = byHeads("value", t.value);
  const dContexts = byHeads("dContext", t.dContext);
  const headRows = (name: string) => plan.transient(`${label} ${name} by heads`, [heads, windows.padded, headSize]);
  const tableRows = (name: string) =>
    plan.transient(`${label} ${name} by heads`, [heads, align(relativeRows), headSize]);
  const dQuery = headRows("dQuery");
  const dKey = headRows("dKey");
  const dPositionKey = t.dPositionKey && tableRows("dPositionKey");
  const dPositionQuery = t.dPositionQuery && tableRows("dPositionQuery");
  for (const table of [dPositionKey, dPositionQuery]) table && plan.clear(table);
  for (let head = 0; head < heads; head++) {
    const c2p = positionScores(plan, context, head, query, positionKey);
    const p2c = positionScores(plan, context, head, key, positionQuery);
    const ofQueries = bucketSums(plan, context, positionKey);
    const ofKeys = bucketSums(plan, context, positionQuery);
    const queryBindings = {
      ...scoreBindings(t, context, c2p, p2c),
      ...ofQueries,
      context_in: t.context,
      max_and_sum_in: t.maxAndSum,
      d_context: t.dContext,
      d_query: context.head(dQuery, head),
    };
    const keyBindings = {
      offsets: t.offsets,
      ...(positionQuery && { relative_index: t.relativeIndex! }),
      ...ofKeys,
      d_key: context.head(dKey, head),
      d_value: t.dValue,
    };
    for (let index = 0; index < windows.count; index++) {
      const pairs = () => plan.transient(`${label} pairs`, [windows.window, pairStride(sizes.longestCapacity)]);
      const [weights, dScores] = [pairs(), pairs()];
      const place = [head, index] as const;
      const queried = { ...queryBindings, weights, d_scores: dScores };
      forWindow(plan, "backward_query", context, place, queried, { keys: key, values });
      const keyed = { ...keyBindings, weights_in: weights, d_scores_in: dScores };
      forWindow(plan, "backward_key", context, place, keyed, { queries: query, d_contexts: dContexts });
    }
    positionGradients(plan, context, head, query, dQuery, positionKey, dPositionKey, ofQueries.d_position);
    positionGradients(plan, context, head, key, dKey, positionQuery, dPositionQuery, ofKeys.d_position);
  }
  copyHeads(plan, "merge", dQuery, t.dQuery, tokens, sizes, windows.padded);
  copyHeads(plan, "merge", dKey, t.dKey, tokens, sizes, windows.padded);
  const mergeTable = (from?: Tensor, to?: Tensor) =>
    from && to && copyHeads(plan, "merge", from, to, context.tableRows, sizes, align(relativeRows));
  mergeTable(dPositionKey, t.dPositionKey);
  mergeTable(dPositionQuery, t.dPositionQuery);
}

/** Zeroed sums of dScore by token and bucket, where there is a table. */
function bucketSums(plan: Plan, { sizes, label }: Context, table?: Tensor): Record<string, Tensor> {
  if (!table) return {};
  const sums = plan.transient(`${label} bucket sums`, [align(sizes.tokens.capacity), sizes.relativeRows]);
  plan.clear(sums);
  return { d_position: sums };
}

/** Adds the table's part to the gradient of one head's queries or keys, and to the gradient of the table. */
function positionGradients(
  plan: Plan,
  context: Context,
  head: number,
  x: Tensor,
  dX: Tensor,
  table?: Tensor,
  dTable?: Tensor,
  sums?: Tensor,
): void {
  if (!table || !sums) return;
  const { headSize, relativeRows, tokens } = context.sizes;
  const rowsOfTable = (tensor: Tensor) => context.head(tensor, head, align(relativeRows));
  const common = { inFeatures: headSize, outFeatures: relativeRows };
  const weight = rowsOfTable(table);
  linearBackwardInput(plan, { dy: sums, weight, dx: context.head(dX, head) }, {
    ...common,
    rows: tokens,
    accumulate: true,
    label: `${dX.label} by position`,
  });
  if (!dTable) return;
  linearBackwardWeight(plan, { dy: sums, x: context.head(x, head), dWeight: rowsOfTable(dTable) }, {
    ...common,
    rows: { ...tokens, capacity: sums.shape[0] },
    label: dTable.label,
  });
}
