/**
 * One vector per sequence out of the hidden states of its tokens: their mean, weighted by the softmax over the sequence of
 * their products with a learnt query. Yang et al., "Hierarchical Attention Networks for Document Classification", 2016,
 * without the layer between.
 */
import { linearGrid } from "../gpu/program.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Plan, Rows } from "./plan.ts";
import { addPartials } from "./reduce.ts";
import { quadGrid, ROW, rowWalk } from "./rows.ts";
import { appendChosen } from "./variants.ts";

const KERNEL = "attention_pooling";
/** Invocations of a workgroup that walks quads. */
const THREADS = 32;

export interface AttentionPoolingSizes {
  tokens: Rows;
  sequences: Rows;
  columns: number;
}

/** For entry points that walk no rows. */
const noWalk = (columns: number) => ({ COLUMNS: columns, LANES: 1, LANE_BITS: 0, SUBGROUPS: 0, THREADS });

/**
 * pooled f32 [sequences, columns] from x [tokens, columns] and query f32 [columns]; `offsets` u32 [sequences + 1]. Writes
 * `weights` f32 [tokens], which the backward needs.
 */
export function attentionPoolForward(
  plan: Plan,
  { x, query, offsets, weights, pooled }: {
    x: Tensor;
    query: Tensor;
    offsets: Tensor;
    weights: Tensor;
    pooled: Tensor;
  },
  { tokens, sequences, columns }: AttentionPoolingSizes,
): void {
  const scores = plan.transient("pooling scores", [tokens.capacity]);
  appendChosen(plan, ROW, { kernel: "attention pooling", columns, dtype: x.dtype }, (on, variant) => {
    const { constants, grid } = rowWalk(variant, tokens, columns);
    on.dispatch({
      kernel: KERNEL,
      entry: "score",
      constants,
      bindings: { rows: tokens.uniform, x, query, scores },
      grid,
      label: "attention pooling scores",
    });
  });
  plan.dispatch({
    kernel: KERNEL,
    entry: "weigh",
    constants: noWalk(columns),
    bindings: { rows: sequences.uniform, offsets, scores, weights },
    grid: (sizes) => linearGrid(sequences.count(sizes)),
    label: "attention pooling weights",
  });
  weightedSums(plan, { x, offsets, factors: weights, sums: pooled }, { sequences, columns });
}

/** sums [sequences, columns]: of factor · x over the tokens of each sequence. */
function weightedSums(
  plan: Plan,
  { x, offsets, factors, sums }: { x: Tensor; offsets: Tensor; factors: Tensor; sums: Tensor },
  { sequences, columns }: Pick<AttentionPoolingSizes, "sequences" | "columns">,
): void {
  plan.dispatch({
    kernel: KERNEL,
    entry: "pool",
    constants: noWalk(columns),
    bindings: { rows: sequences.uniform, x, offsets, factors, sums },
    grid: quadGrid(sequences, columns, THREADS),
    label: `attention pooling ${sums.label}`,
  });
}

/** Adds to dQuery [columns] and, where it is given, writes all of dx [tokens, columns]; `sequenceOf` u32 [tokens]. */
export function attentionPoolBackward(
  plan: Plan,
  { x, query, offsets, sequenceOf, weights, pooled, dPooled, dQuery, dx }: {
    x: Tensor;
    query: Tensor;
    offsets: Tensor;
    sequenceOf: Tensor;
    weights: Tensor;
    pooled: Tensor;
    dPooled: Tensor;
    dQuery: Tensor;
    dx?: Tensor;
  },
  { tokens, sequences, columns }: AttentionPoolingSizes,
): void {
  const dScores = plan.transient("d pooling scores", [tokens.capacity]);
  const perToken = { rows: tokens.uniform, sequence_of: sequenceOf, factors: weights, d_scores: dScores };
  appendChosen(plan, ROW, { kernel: "attention pooling backward", columns, dtype: x.dtype }, (on, variant) => {
    const { constants, grid } = rowWalk(variant, tokens, columns);
    on.dispatch({
      kernel: KERNEL,
      entry: "d_score",
      constants,
      bindings: { ...perToken, x, pooled, d_pooled: dPooled },
      grid,
      label: "attention pooling d scores",
    });
  });
  const partials = plan.transient("d query by sequence", [sequences.capacity, columns]);
  weightedSums(plan, { x, offsets, factors: dScores, sums: partials }, { sequences, columns });
  addPartials(plan, { partials, into: dQuery }, { rows: sequences, columns, group: 1 });
  if (!dx) return;
  plan.dispatch({
    kernel: KERNEL,
    entry: "d_input",
    constants: noWalk(columns),
    bindings: { ...perToken, query, d_pooled: dPooled, dx },
    grid: quadGrid(tokens, columns, THREADS),
    label: "attention pooling d input",
  });
}
