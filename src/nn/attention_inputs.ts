/** What attention takes and gives, and what its implementations share. */
import type { Tensor } from "../gpu/tensor.ts";
import type { Rows } from "./plan.ts";

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

/** All tensors of heads. */
export type HeadTensors = { [Name in Exclude<keyof (AttentionInputs & AttentionGradients), Other>]?: Tensor };
type Other = "relativeIndex" | "offsets" | "dropout" | "maxAndSum";

/** Length of the rows in which the backward keeps what it computed of every pair. */
export const pairStride = (longest: number): number => 8 * Math.ceil(longest / 8);
