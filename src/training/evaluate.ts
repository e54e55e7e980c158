/** Scoring pairs and judging the scores. */
import { packBatch, type TokenizedPair } from "../dataset/batches.ts";
import type { LossKind } from "../nn/loss.ts";
import { evaluateBinary, type Metrics } from "./metrics.ts";
import type { Session } from "./session.ts";
import type { LossWeights } from "./step.ts";

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
  const z = logits.length === 1 ? logits[0] : logits[1] - logits[0];
  return z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z));
}

/** The training loss of one pair on the host, in float64: the formulas of kernels/loss.wgsl. */
export function pairLoss(logits: ArrayLike<number>, label: number, kind: LossKind, weights: LossWeights): number {
  const z = logits.length === 1 ? logits[0] : logits[1] - logits[0];
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
  { tokens, labels, indices, threshold, lossKind, weights }: {
    tokens: readonly TokenizedPair[];
    labels: readonly number[];
    indices: readonly number[];
    threshold: number;
    lossKind: LossKind;
    weights: LossWeights;
  },
): Promise<Evaluation> {
  const logits = await scorePairs(session, tokens, indices);
  const truth = indices.map((i) => labels[i]);
  const probabilities = logits.map(positiveProbability);
  const total = logits.reduce((sum, row, i) => sum + pairLoss(row, truth[i], lossKind, weights), 0);
  return { loss: total / logits.length, metrics: evaluateBinary(truth, probabilities, threshold), probabilities };
}
