/** Classification losses in float64, by the targets and the two probabilities, as they are written in PyTorch. */
import { type LossKind, type LossParameters, PLAIN_LOSS } from "../../src/nn/loss.ts";

const softplus = (v: number) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v)));

export interface Judged {
  logits: ArrayLike<number>;
  labels: ArrayLike<number>;
  posts: ArrayLike<number>;
}

/** The scaled loss and its gradient with respect to the logits. */
export function lossReference({ logits, labels, posts }: Judged, kind: LossKind, parameters: LossParameters) {
  const { scale, pairScale = 0, ...given } = parameters;
  const { positiveWeight, negativeWeight, gamma, smoothing, rankWeight, rankMargin } = { ...PLAIN_LOSS, ...given };
  const count = labels.length;
  const numLabels = logits.length / count;
  const scores = Array.from(labels, (_, i) => numLabels === 1 ? logits[i] : logits[2 * i + 1] - logits[2 * i]);
  const slopes = new Float64Array(count);
  let loss = 0;
  for (let i = 0; i < count; i++) {
    // -log p and p of the positive class, -log q and q of the negative one.
    const [nlp, nlq] = [softplus(-scores[i]), softplus(scores[i])];
    const [p, q] = [Math.exp(-nlp), Math.exp(-nlq)];
    if (kind === "focal") {
      const [weight, nll, own, rest, sign, restLog] = labels[i] === 1
        ? [positiveWeight, nlp, p, q, 1, nlq]
        : [negativeWeight, nlq, q, p, -1, nlp];
      const factor = scale * weight * Math.exp(-gamma * restLog);
      loss += factor * nll;
      slopes[i] = -sign * factor * (gamma * own * nll + rest);
    } else {
      const target = labels[i] * (1 - smoothing) + smoothing / 2;
      loss += scale * (positiveWeight * target * nlp + negativeWeight * (1 - target) * nlq);
      slopes[i] = scale * (-positiveWeight * target * q + negativeWeight * (1 - target) * p);
    }
  }
  for (let i = 0; kind === "ranking" && i < count; i++) {
    for (let j = 0; j < count; j++) {
      const gap = rankMargin - (scores[i] - scores[j]);
      if (labels[i] !== 1 || labels[j] !== 0 || posts[i] !== posts[j] || gap <= 0) continue;
      loss += rankWeight * pairScale * gap;
      slopes[i] -= rankWeight * pairScale;
      slopes[j] += rankWeight * pairScale;
    }
  }
  const dLogits = Float64Array.from(logits, (_, at) => {
    if (numLabels === 1) return slopes[at];
    return at % 2 === 1 ? slopes[at >> 1] : -slopes[at >> 1];
  });
  return { loss, dLogits };
}
