/** Scoring pairs and judging the scores. */
import { packBatch, type TokenizedPair } from "../dataset/batches.ts";
import { postNumbers } from "../dataset/groundtruth.ts";
import { probabilityOf } from "../evaluation/calibration.ts";
import {
  crossFit,
  decide,
  type Decision,
  type DecisionSettings,
  fitDecision,
  isChosen,
  partOfPost,
} from "../evaluation/decision.ts";
import { measure, type Metrics } from "../evaluation/metrics.ts";
import { type LossKind, type LossWeights, meanLoss, positiveLogit } from "../nn/loss.ts";
import type { Prediction } from "./predictions.ts";
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
export const positiveProbability = (logits: ArrayLike<number>): number => probabilityOf(positiveLogit(logits));

export interface Evaluation {
  loss: number;
  /** Of decisions that may have been chosen on these very pairs. */
  metrics: Metrics;
  decision: Decision;
  /** The F1 of decisions chosen on other posts of these pairs than they judge; null where nothing is chosen. */
  crossFittedF1: number | null;
  /** Each pair with its probability and what is decided about it, in the order given. */
  predictions: Prediction[];
}

/** Loss and metrics of the pairs with the given indices. What `settings` leave open is chosen on them. */
export async function evaluatePairs(
  session: Session,
  { tokens, pairs, indices, settings, decision, lossKind, weights }: {
    tokens: readonly TokenizedPair[];
    pairs: readonly { postId: string; criterionId: string; label: number }[];
    indices: readonly number[];
    settings: DecisionSettings;
    /** What was chosen before; absent: it is chosen here. */
    decision?: Decision;
    lossKind: LossKind;
    weights: LossWeights;
  },
): Promise<Evaluation> {
  const logits = await scorePairs(session, tokens, indices);
  const scored = indices.map((index, i) => {
    const { postId, criterionId, label } = pairs[index];
    return { postId, criterionId, label, score: positiveLogit(logits[i]) };
  });
  const labels = scored.map(({ label }) => label);
  const taken = decision ?? fitDecision(scored, settings);
  const predictions = scored.map((pair) => decide(pair, taken));
  const crossFitted = isChosen(settings) ? crossFit(scored, partOfPost(scored), settings).judged : null;
  return {
    loss: meanLoss(logits, { labels, posts: postNumbers(scored) }, lossKind, weights),
    metrics: measure(predictions),
    decision: taken,
    crossFittedF1: crossFitted && measure(crossFitted).f1,
    predictions,
  };
}
