/** Posts that are read in chunks: how they are cut, and how the scores of their chunks make the score of a pair. */
import { EntailError } from "../errors.ts";
import type { ModelConfig } from "./model_config.ts";

const AGGREGATIONS = ["max", "LSE", "top-m"] as const;

/** The score of a pair from those of its chunks: their maximum, a soft maximum, or the mean of the highest. */
export interface Aggregation {
  /** Which of them. */
  readonly aggType: "max" | "LSE" | "top-m";
  /** LSE: from the mean (towards 0) to the maximum (towards infinity). */
  readonly lseTau: number;
  /** top-m: how many of the highest scores. */
  readonly topM: number;
}

/** How posts are read in chunks. */
export interface Chunking extends Aggregation {
  /** Tokens of the post that a chunk shares with the one before it. */
  readonly stride: number;
}

/** What holds where nothing says otherwise: the defaults of configs/. */
export const DEFAULT_CHUNKING: Chunking = { stride: 128, aggType: "LSE", lseTau: 8, topM: 3 };

/** Key of config.json, in which a model says that its posts are read in chunks of `pair_max_length` tokens. */
const PAIR_CHUNKS = "pair_chunks";

/** Records with a model that it reads posts in chunks, so that `predict` does; null: that it does not. */
export function withChunking(config: ModelConfig, chunking: Chunking | null): ModelConfig {
  const { [PAIR_CHUNKS]: _, ...other } = config.other;
  if (chunking === null) return { ...config, other };
  const { stride, aggType, lseTau, topM } = chunking;
  return { ...config, other: { ...other, [PAIR_CHUNKS]: { stride, agg_type: aggType, lse_tau: lseTau, top_m: topM } } };
}

/** How a model reads posts in chunks; null where it does not. Data error, naming `file`, for what nobody can have meant. */
export function recordedChunking({ other }: ModelConfig, file = "config.json"): Chunking | null {
  const recorded = other[PAIR_CHUNKS] as Record<string, unknown> | null | undefined;
  if (recorded === undefined || recorded === null) return null;
  const { stride, agg_type: aggType, lse_tau: lseTau, top_m: topM } = recorded;
  const isWhole = (value: unknown, least: number) => Number.isSafeInteger(value) && (value as number) >= least;
  const isKnown = (AGGREGATIONS as readonly unknown[]).includes(aggType);
  if (isWhole(stride, 0) && isKnown && isWhole(topM, 1) && Number.isFinite(lseTau) && (lseTau as number) > 0) {
    return { stride, aggType, lseTau, topM } as Chunking;
  }
  throw new EntailError(
    "data",
    `${file}: ${PAIR_CHUNKS}: must have stride, agg_type (${AGGREGATIONS.join(", ")}), lse_tau and top_m, not ` +
      JSON.stringify(recorded).slice(0, 100),
  );
}
