/** Scoring pairs and judging the scores. */
import { type EncodedPair, packBatch, type TokenizedPair } from "../dataset/batches.ts";
import type { Aggregation } from "../deberta/chunking.ts";
import type { LossKind } from "../nn/loss.ts";
import { aggregate } from "./chunking.ts";
import { evaluateBinary, type Metrics } from "./metrics.ts";
import type { Session } from "./session.ts";
import type { LossWeights } from "./step.ts";

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
  /** The logit of the positive class against the other, over all chunks. */
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

/** The logit of the positive class against the other: of one logit itself, of two the difference. */
export const positiveLogit = (logits: ArrayLike<number>): number =>
  logits.length === 1 ? logits[0] : logits[1] - logits[0];

/** Probability of the positive class from its logit: its sigmoid, which is the softmax of two logits too. */
export const positiveProbability = (z: number): number =>
  z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z));

/** The training loss of one pair from its score z, on the host, in float64: the formulas of kernels/loss.wgsl. */
export function pairLoss(z: number, label: number, kind: LossKind, weights: LossWeights): number {
  const signed = label === 1 ? z : -z;
  // −log p of the true class, and p itself, without cancellation.
  const negLog = signed >= 0 ? Math.log1p(Math.exp(-signed)) : -signed + Math.log1p(Math.exp(signed));
  if (kind === "weighted_bce") return (label === 1 ? weights.positiveWeight : 1) * negLog;
  if (kind !== "focal") return negLog;
  const alpha = label === 1 ? weights.alphaPositive : weights.alphaNegative;
  return alpha * (-Math.expm1(-negLog)) ** weights.gamma * negLog;
}

export interface Evaluation {
  loss: number;
  metrics: Metrics;
  /** Probability of each pair, in the order given. */
  probabilities: number[];
}

/** Loss and metrics of the pairs with the given indices. */
export async function evaluatePairs(
  session: Session,
  { tokens, labels, indices, aggregation, threshold, lossKind, weights }: {
    tokens: readonly EncodedPair[];
    labels: readonly number[];
    indices: readonly number[];
    aggregation: Aggregation | null;
    threshold: number;
    lossKind: LossKind;
    weights: LossWeights;
  },
): Promise<Evaluation> {
  const scored = await scorePairs(session, indices.map((i) => tokens[i]), aggregation);
  const truth = indices.map((i) => labels[i]);
  const probabilities = scored.map(({ score }) => positiveProbability(score));
  const total = scored.reduce((sum, { score }, i) => sum + pairLoss(score, truth[i], lossKind, weights), 0);
  return { loss: total / scored.length, metrics: evaluateBinary(truth, probabilities, threshold), probabilities };
}
