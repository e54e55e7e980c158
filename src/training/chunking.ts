/** What a configuration says of posts in chunks, and the score of a pair from those of its chunks. */
import type { Config } from "../config/schema.ts";
import type { PairLimits } from "../dataset/tokenizer.ts";
import type { Aggregation, Chunking } from "../models/chunking.ts";

/**
 * `scores` are logits s, at least one. `max`; `LSE` = log(mean(exp(τ·s)))/τ; `top-m` = mean of the m largest, of all where
 * there are fewer. The score of a single chunk is the pair's, to the bit.
 */
export function aggregate(scores: readonly number[], { aggType, lseTau, topM }: Aggregation): number {
  const largest = scores.reduce((most, score) => Math.max(most, score));
  if (aggType === "max") return largest;
  if (aggType === "LSE") {
    // Relative to the largest, so that nothing overflows.
    const sum = scores.reduce((total, score) => total + Math.exp(lseTau * (score - largest)), 0);
    return largest + Math.log(sum / scores.length) / lseTau;
  }
  const highest = scores.toSorted((a, b) => b - a).slice(0, topM);
  return highest.reduce((sum, score) => sum + score) / highest.length;
}

/** What a configuration says of chunks; null where posts are cut at their end instead. */
export function chunkingOf({ data, evaluation }: Pick<Config, "data" | "evaluation">): Chunking | null {
  if (data.chunk_max_len === null) return null;
  const { agg_type, lse_tau, top_m } = evaluation;
  return { stride: data.chunk_stride, aggType: agg_type, lseTau: lse_tau, topM: top_m };
}

/** How long the sequences of a configuration's pairs may be. */
export const pairLimits = ({ chunk_max_len, chunk_stride, max_length }: Config["data"]): PairLimits =>
  chunk_max_len === null ? { maxLength: max_length } : { maxLength: chunk_max_len, chunkStride: chunk_stride };
