/** Scoring pairs and judging the scores. */
import { type EncodedPair, packBatch, type TokenizedPair } from "../dataset/batches.ts";
import { groupNumbers } from "../dataset/groundtruth.ts";
import {
  crossFit,
  decide,
  type Decision,
  type DecisionSettings,
  fitDecision,
  isChosen,
  partOfPost,
} from "../evaluation/decision.ts";
import { macroMeans, measure, type Metrics } from "../evaluation/metrics.ts";
import type { Aggregation } from "../models/chunking.ts";
import { type LossKind, type LossWeights, meanLoss, positiveLogit } from "../nn/loss.ts";
import { aggregate } from "./chunking.ts";
import type { Prediction } from "./predictions.ts";
import type { Session } from "./session.ts";

/** Logits of sequences, in their order; batches are of like lengths and fill the session. */
export async function scoreSequences(
  session: Session,
  sequences: readonly TokenizedPair[],
  onProgress: (done: number) => void = () => {},
): Promise<Float32Array[]> {
  const lengthOf = (at: number) => sequences[at].ids.length;
  const order = sequences.map((_, at) => at).sort((a, b) => lengthOf(b) - lengthOf(a));
  const capacity = session.inference;
  function* batches() {
    for (let begin = 0; begin < order.length;) {
      let end = begin;
      for (let room = capacity.tokens; end < order.length && end - begin < capacity.sequences; end++) {
        room -= lengthOf(order[end]);
        if (room < 0) break;
      }
      yield packBatch(sequences, order.slice(begin, end));
      begin = end;
      onProgress(begin);
    }
  }
  const scored = await session.score(batches());
  const logits = new Array<Float32Array>(sequences.length);
  scored.forEach((row, at) => logits[order[at]] = row);
  return logits;
}

/** What a model says of a pair. */
export interface PairScore {
  /** Of the chunk that scores highest, the first of equals. */
  logits: Float32Array;
  /** The log-odds of the positive class, over all chunks. */
  score: number;
}

/** The scores of pairs, in their order. Pairs of one chunk need no aggregation. */
export async function scorePairs(
  session: Session,
  pairs: readonly EncodedPair[],
  aggregation: Aggregation | null,
  onProgress: (done: number) => void = () => {},
): Promise<PairScore[]> {
  const sequences = pairs.flatMap(({ chunks }) => chunks);
  const logits = await scoreSequences(session, sequences, (done) => {
    onProgress(Math.floor(done * pairs.length / sequences.length));
  });
  let end = 0;
  return pairs.map(({ chunks }) => {
    const rows = logits.slice(end, end += chunks.length);
    const scores = rows.map(positiveLogit);
    const best = scores.indexOf(scores.reduce((most, score) => Math.max(most, score)));
    return { logits: rows[best] ?? rows[0], score: aggregation === null ? scores[0] : aggregate(scores, aggregation) };
  });
}

export interface Evaluation {
  loss: number;
  /** Of decisions that may have been chosen on these very pairs. */
  metrics: Metrics;
  decision: Decision;
  /** The F1 of decisions chosen on other posts of these pairs than they judge; null where nothing is chosen. */
  crossFittedF1: number | null;
  /** What is known besides, of those decisions, or of the same where nothing is chosen. */
  secondary: { macro_f1: number; macro_pr_auc: number | null; ece: number | null };
  /** Each pair with its probability and what is decided about it, in the order given. */
  predictions: Prediction[];
}

/** Loss and metrics of the pairs with the given indices. What `settings` leave open is chosen on them. */
export async function evaluatePairs(
  session: Session,
  { tokens, pairs, indices, aggregation, settings, decision, lossKind, weights }: {
    tokens: readonly EncodedPair[];
    pairs: readonly { postId: string; criterionId: string; label: number }[];
    indices: readonly number[];
    aggregation: Aggregation | null;
    settings: DecisionSettings;
    /** What was chosen before; absent: it is chosen here. */
    decision?: Decision;
    lossKind: LossKind;
    weights: LossWeights;
  },
): Promise<Evaluation> {
  const scores = await scorePairs(session, indices.map((index) => tokens[index]), aggregation);
  const scored = indices.map((index, i) => {
    const { postId, criterionId, label } = pairs[index];
    return { postId, criterionId, label, score: scores[i].score };
  });
  const labels = scored.map(({ label }) => label);
  const taken = decision ?? fitDecision(scored, settings);
  const predictions = scored.map((pair) => decide(pair, taken));
  const crossFitted = isChosen(settings) ? crossFit(scored, partOfPost(scored), settings).judged : null;
  const metrics = measure(predictions);
  const unflattered = crossFitted === null ? metrics : measure(crossFitted);
  return {
    loss: meanLoss(
      scored.map(({ score }) => score),
      { labels, groups: groupNumbers(scored, "postId") },
      lossKind,
      weights,
    ),
    metrics,
    decision: taken,
    crossFittedF1: crossFitted && unflattered.f1,
    secondary: { ...macroMeans(crossFitted ?? predictions), ece: unflattered.ece },
    predictions,
  };
}
