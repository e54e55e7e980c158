/** What an epoch trains on: the pairs' sequences, one for each chunk of a post. */
import type { EncodedPair, TokenizedPair } from "../dataset/batches.ts";
import { positiveLogit } from "../nn/loss.ts";
import { scoreSequences } from "./evaluate.ts";
import type { Session } from "./session.ts";

export interface Example {
  /** Index of its pair, which has the label. */
  pair: number;
  tokens: TokenizedPair;
}

/** By index of a pair with more than `topChunks` chunks: those that scored highest, in order. */
export type KeptChunks = Readonly<Record<number, readonly number[]>>;

/**
 * The examples of an epoch, in the order of the pairs and their chunks: all chunks or, of a post that has more than
 * `topChunks`, those kept. Before there is a model that has scored them, these are the first.
 */
export function epochExamples(
  train: readonly number[],
  tokens: readonly EncodedPair[],
  topChunks: number | null,
  kept: KeptChunks | null,
): Example[] {
  return train.flatMap((pair) => {
    const { chunks } = tokens[pair];
    const used = topChunks === null || chunks.length <= topChunks
      ? chunks
      : kept?.[pair].map((chunk) => chunks[chunk]) ?? chunks.slice(0, topChunks);
    return used.map((tokens) => ({ pair, tokens }));
  });
}

/** The number of examples of an epoch. */
export const countExamples = (
  train: readonly number[],
  tokens: readonly EncodedPair[],
  topChunks: number | null,
): number => train.reduce((sum, pair) => sum + Math.min(tokens[pair].chunks.length, topChunks ?? Infinity), 0);

/** The chunks that the model as it is now scores highest, the earlier of equals. */
export async function highestChunks(
  session: Session,
  train: readonly number[],
  tokens: readonly EncodedPair[],
  topChunks: number,
): Promise<KeptChunks> {
  const long = train.filter((pair) => tokens[pair].chunks.length > topChunks);
  const logits = await scoreSequences(session, long.flatMap((pair) => tokens[pair].chunks));
  let end = 0;
  return Object.fromEntries(long.map((pair) => {
    const scores = logits.slice(end, end += tokens[pair].chunks.length).map(positiveLogit);
    const order = scores.map((_, chunk) => chunk).sort((a, b) => scores[b] - scores[a]);
    return [pair, order.slice(0, topChunks).sort((a, b) => a - b)];
  }));
}

/** Whether chunks that were kept before can be those of these pairs. */
export function fitsPairs(
  kept: KeptChunks | null,
  train: readonly number[],
  tokens: readonly EncodedPair[],
  topChunks: number | null,
): boolean {
  const long = topChunks === null ? [] : train.filter((pair) => tokens[pair].chunks.length > topChunks);
  const isOf = (pair: number, chunks: readonly number[] | undefined) =>
    chunks?.length === topChunks && new Set(chunks).size === topChunks &&
    chunks!.every((chunk) => chunk < tokens[pair].chunks.length);
  return kept === null
    ? topChunks === null
    : Object.keys(kept).length === long.length && long.every((pair) => isOf(pair, kept[pair]));
}

/**
 * A pair whose post has changed, with as many chunks as it had, so that every epoch has the same number of examples: what a
 * longer post has beyond them is cut off, and for those that a shorter one lacks stand its own.
 */
export const likeChunksOf = ({ chunks, lost }: EncodedPair, changed: EncodedPair): EncodedPair => ({
  chunks: chunks.map((own, chunk) => changed.chunks[chunk] ?? own),
  lost,
});
