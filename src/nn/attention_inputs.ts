/** What attention takes and gives, and what its implementations share. */
import type { Tensor } from "../gpu/tensor.ts";
import { indexUniform } from "./index_uniform.ts";
import type { Plan, Rows } from "./plan.ts";

export interface AttentionSizes {
  heads: number;
  headSize: number;
  /** Rows of the position tables; 0 without relative attention. */
  relativeRows: number;
  /** The batch's tokens. */
  tokens: Rows;
  /** The most tokens a sequence may have: what the relative index was made for. */
  longestCapacity: number;
  /** Factor of the scores: one over the square root of head size times the terms of a score. */
  scale: number;
  /** Number of this dropout site. */
  site: number;
  label?: string;
}

export interface AttentionInputs {
  /** [tokens, heads · headSize], like `key` and `value`. */
  query: Tensor;
  key: Tensor;
  value: Tensor;
  /** [relativeRows, heads · headSize]: present for the content-to-position term. */
  positionKey?: Tensor;
  /** [relativeRows, heads · headSize]: present for the position-to-content term. */
  positionQuery?: Tensor;
  /** [2 · longestCapacity − 1], from `createRelativeIndex`; needed with either table. */
  relativeIndex?: Tensor;
  /** [sequences + 1] */
  offsets: Tensor;
  /** The dropout uniform of the probabilities; absent where nothing is dropped. */
  dropout?: Tensor;
  /** [tokens, heads · headSize]: written by the forward. */
  context: Tensor;
  /** [tokens, heads, 2]: the highest score of a row and Σ exp(score − highest); written by the forward. */
  maxAndSum: Tensor;
}

export interface AttentionGradients {
  dContext: Tensor;
  /** Written, like `dKey` and `dValue`. */
  dQuery: Tensor;
  dKey: Tensor;
  dValue: Tensor;
  /** [relativeRows, heads · headSize]: written, not added to; present where the table is. */
  dPositionKey?: Tensor;
  dPositionQuery?: Tensor;
}

/** A range of heads that share transients. */
export interface HeadGroup {
  first: number;
  count: number;
}

/** Length of the rows in which the backward keeps what it computed of every pair. */
export const pairStride = (longest: number): number => 8 * Math.ceil(longest / 8);

/** Words with one dropout bit for each key of a query. */
export const maskWords = (longest: number): number => Math.ceil(longest / 32);

/** Appends the drawing of the dropout bits, [tokens, heads of the group, words]; nothing where nothing is dropped. */
export function dropoutBits(
  plan: Plan,
  { dropout, offsets }: AttentionInputs,
  { heads, tokens, longestCapacity, site, label = "attention" }: AttentionSizes,
  group: HeadGroup,
): Tensor | undefined {
  if (!dropout) return undefined;
  const lanes = plan.gpu.kind === "software" ? 8 : 64;
  const mask = plan.transient(`${label} dropout bits`, [tokens.capacity, group.count, maskWords(longestCapacity)]);
  plan.dispatch({
    kernel: "attention_mask",
    entry: "draw",
    label: `${label} dropout bits`,
    constants: {
      HEADS: heads,
      GROUP_HEADS: group.count,
      LONGEST: longestCapacity,
      LANES: lanes,
      SITE: site,
    },
    bindings: { first_head: indexUniform(plan.gpu, group.first), dropout, offsets, mask },
    grid: ({ longest, sequences }) => [Math.ceil(longest / lanes), group.count * maskWords(longest), sequences],
  });
  return mask;
}
