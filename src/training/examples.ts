/** What an epoch trains on: pairs, and their sequences, one for each chunk of a post. */
import type { EncodedPair, TokenizedPair } from "../dataset/batches.ts";
import type { Pair } from "../dataset/groundtruth.ts";
import {
  type EpochDraw,
  fitsDraw,
  mineNegatives,
  type NegativeSampling,
  sampleNegatives,
} from "../dataset/negatives.ts";
import type { Aggregation } from "../models/chunking.ts";
import { positiveLogit } from "../nn/loss.ts";
import { aggregate } from "./chunking.ts";
import { scoreSequences } from "./evaluate.ts";
import type { Session } from "./session.ts";

/** What the epochs of a fold choose from, and how. */
export interface EpochSource {
  readonly pairs: readonly Pair[];
  readonly tokens: readonly EncodedPair[];
  /** Indices of pairs, in file order. */
  readonly train: readonly number[];
  readonly settings: {
    /** How each epoch draws its negatives; null: it has every pair. */
    readonly negatives: NegativeSampling | null;
    /** How the scores of a post's chunks make that of the pair; null: a pair is one sequence. */
    readonly aggregation: Aggregation | null;
    /** Train on so many chunks of a post at most, those that the model of the epoch before scores highest; null: on all. */
    readonly topChunks: number | null;
    readonly step: { readonly seed: number };
  };
}

/** By index of a pair with more than `topChunks` chunks: those that scored highest, in order. */
export type KeptChunks = Readonly<Record<number, readonly number[]>>;

/** What the model of the epoch before has chosen for an epoch; null: nothing, as for the first. */
export interface EpochChoice {
  keptChunks: KeptChunks | null;
  /** Indices of negative pairs, ascending. */
  hardNegatives: readonly number[] | null;
}

export interface Example {
  /** Index of its pair, which has the label. */
  pair: number;
  tokens: TokenizedPair;
}

/** The pairs that an epoch trains on, by index. */
function epochPairs(source: EpochSource, epoch: number, hardNegatives: EpochChoice["hardNegatives"] = null) {
  const draw = drawOf(source, epoch);
  return draw ? sampleNegatives(source.pairs, source.train, draw, hardNegatives) : source.train;
}

const drawOf = ({ settings: { negatives, step: { seed } } }: EpochSource, epoch: number): EpochDraw | null =>
  negatives && { ...negatives, seed, epoch };

const examplesOf = ({ tokens, settings: { topChunks } }: EpochSource, pair: number): number =>
  Math.min(tokens[pair].chunks.length, topChunks ?? Infinity);

/** The number of examples of an epoch, whatever a model chooses for it. */
export const countExamples = (source: EpochSource, epoch: number): number =>
  epochPairs(source, epoch).reduce((sum, pair) => sum + examplesOf(source, pair), 0);

/**
 * The examples of an epoch, in the order of the pairs and their chunks: all chunks or, of a post that has more than
 * `topChunks`, those kept. Before there is a model that has scored them, these are the first. `tokens` are the epoch's own.
 */
export function epochExamples(
  source: EpochSource,
  epoch: number,
  tokens: readonly EncodedPair[],
  { keptChunks, hardNegatives }: EpochChoice,
): Example[] {
  const { topChunks } = source.settings;
  return epochPairs(source, epoch, hardNegatives).flatMap((pair) => {
    const { chunks } = tokens[pair];
    const used = topChunks === null || chunks.length <= topChunks
      ? chunks
      : keptChunks?.[pair].map((chunk) => chunks[chunk]) ?? chunks.slice(0, topChunks);
    return used.map((tokens) => ({ pair, tokens }));
  });
}

/** What the model as it is now chooses for an epoch. */
export async function chooseEpoch(session: Session, source: EpochSource, epoch: number): Promise<EpochChoice> {
  const { pairs, tokens, train, settings: { negatives, topChunks, aggregation } } = source;
  const minesNegatives = negatives !== null && negatives.hardFraction > 0;
  const long = longPairs(source);
  const scored = minesNegatives ? train : long;
  const logits = await scoreSequences(session, scored.flatMap((pair) => tokens[pair].chunks));
  let end = 0;
  const scores = new Map(scored.map((pair) => {
    return [pair, logits.slice(end, end += tokens[pair].chunks.length).map(positiveLogit)];
  }));
  const scoreOf = (pair: number) => {
    const own = scores.get(pair)!;
    return aggregation === null ? own[0] : aggregate(own, aggregation);
  };
  return {
    keptChunks: topChunks === null
      ? null
      : Object.fromEntries(long.map((pair) => [pair, highestChunks(scores.get(pair)!, topChunks)])),
    hardNegatives: minesNegatives
      ? mineNegatives(pairs, train, drawOf(source, epoch)!, { scoreOf, sizeOf: (pair) => examplesOf(source, pair) })
      : null,
  };
}

/** Pairs of whose chunks only some are trained on. */
const longPairs = ({ tokens, train, settings: { topChunks } }: EpochSource): number[] =>
  train.filter((pair) => tokens[pair].chunks.length > (topChunks ?? Infinity));

/** The places of the highest scores, in order; the earlier of equals. */
const highestChunks = (scores: readonly number[], topChunks: number): number[] =>
  scores.map((_, chunk) => chunk).sort((a, b) => scores[b] - scores[a]).slice(0, topChunks).sort((a, b) => a - b);

/** Whether what was chosen before can be the choice for an epoch of these pairs. */
export function fitsChoice({ keptChunks, hardNegatives }: EpochChoice, source: EpochSource, epoch: number): boolean {
  const { pairs, tokens, train, settings: { negatives, topChunks } } = source;
  const long = longPairs(source);
  const isOf = (pair: number, chunks: readonly number[] | undefined) =>
    chunks?.length === topChunks && new Set(chunks).size === topChunks &&
    chunks!.every((chunk) => chunk < tokens[pair].chunks.length);
  const fitsChunks = keptChunks === null
    ? topChunks === null
    : Object.keys(keptChunks).length === long.length && long.every((pair) => isOf(pair, keptChunks[pair]));
  const sizeOf = (pair: number) => examplesOf(source, pair);
  const fitsNegatives = hardNegatives === null
    ? (negatives?.hardFraction ?? 0) === 0
    : negatives !== null && fitsDraw(hardNegatives, pairs, train, drawOf(source, epoch)!, sizeOf);
  return fitsChunks && fitsNegatives;
}

/**
 * A pair whose post has changed, with as many chunks as it had, so that every epoch has the same number of examples: what a
 * longer post has beyond them is cut off, and for those that a shorter one lacks stand its own.
 */
export const likeChunksOf = ({ chunks, lost }: EncodedPair, changed: EncodedPair): EncodedPair => ({
  chunks: chunks.map((own, chunk) => changed.chunks[chunk] ?? own),
  lost,
});
