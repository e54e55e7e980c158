/** Scoring pairs and judging the scores. */
import { packBatch, type TokenizedPair } from "../dataset/batches.ts";
import { type LossKind, type LossWeights, meanLoss, positiveLogit } from "../nn/loss.ts";
import { evaluateBinary, type Metrics } from "./metrics.ts";
import type { Session } from "./session.ts";

/** Logits of the pairs with the given indices, in their order; batches are of like lengths and fill the session. */
export async function scorePairs(
  session: Session,
  tokens: readonly TokenizedPair[],
  indices: readonly number[],
  onProgress: (done: number) => void = () => {},
): Promise<Float32Array[]> {
  const lengthOf = (at: number) => tokens[indices[at]].ids.length;
  const order = indices.map((_, at) => at).sort((a, b) => lengthOf(b) - lengthOf(a));
  const capacity = session.inference;
  function* batches() {
    for (let begin = 0; begin < order.length;) {
      let end = begin;
      for (let room = capacity.tokens; end < order.length && end - begin < capacity.sequences; end++) {
        room -= lengthOf(order[end]);
        if (room < 0) break;
      }
      yield packBatch(tokens, order.slice(begin, end).map((at) => indices[at]));
      begin = end;
      onProgress(begin);
    }
  }
  const scored = await session.score(batches());
  const logits = new Array<Float32Array>(indices.length);
  scored.forEach((row, at) => logits[order[at]] = row);
  return logits;
}

/** Probability of the positive class: softmax of two logits, sigmoid of one. */
export function positiveProbability(logits: ArrayLike<number>): number {
  const z = positiveLogit(logits);
  return z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z));
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
  { tokens, labels, posts, indices, threshold, lossKind, weights }: {
    tokens: readonly TokenizedPair[];
    labels: readonly number[];
    posts: ArrayLike<number>;
    indices: readonly number[];
    threshold: number;
    lossKind: LossKind;
    weights: LossWeights;
  },
): Promise<Evaluation> {
  const logits = await scorePairs(session, tokens, indices);
  const truth = indices.map((i) => labels[i]);
  const probabilities = logits.map(positiveProbability);
  const loss = meanLoss(logits, { labels: truth, posts: indices.map((i) => posts[i]) }, lossKind, weights);
  return { loss, metrics: evaluateBinary(truth, probabilities, threshold), probabilities };
}
