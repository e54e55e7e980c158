/** Classification losses in float64, by the targets and the two probabilities, as they are written in PyTorch. */
import { type LossKind, type LossParameters, PLAIN_LOSS } from "../../src/nn/loss.ts";

const softplus = (v: number) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v)));

export interface Judged {
  logits: ArrayLike<number>;
  labels: ArrayLike<number>;
  groups: ArrayLike<number>;
  /** Probabilities for "distillation", else scores. */
  teacher: ArrayLike<number>;
}

/** The scaled loss and its gradient with respect to the logits. */
export function lossReference({ logits, labels, groups, teacher }: Judged, kind: LossKind, parameters: LossParameters) {
  const { scale, pairScale = 0, ...given } = parameters;
  const { positiveWeight, negativeWeight, gamma, smoothing, pairWeight, rankMargin, softWeight, temperature } = {
    ...PLAIN_LOSS,
    ...given,
  };
  const count = labels.length;
  const numLabels = logits.length / count;
  const scores = Array.from(labels, (_, i) => numLabels === 1 ? logits[i] : logits[2 * i + 1] - logits[2 * i]);
  const slopes = new Float64Array(count);
  let loss = 0;
  for (let i = 0; i < count; i++) {
    // -log p and p of the positive class, -log q and q of the negative one.
    const [nlp, nlq] = [softplus(-scores[i]), softplus(scores[i])];
    const [p, q] = [Math.exp(-nlp), Math.exp(-nlq)];
    if (kind === "mse") {
      loss += scale * (scores[i] - teacher[i]) ** 2;
      slopes[i] = 2 * scale * (scores[i] - teacher[i]);
    } else if (kind === "focal") {
      const [weight, nll, own, rest, sign, restLog] = labels[i] === 1
        ? [positiveWeight, nlp, p, q, 1, nlq]
        : [negativeWeight, nlq, q, p, -1, nlp];
      const factor = scale * weight * Math.exp(-gamma * restLog);
      loss += factor * nll;
      slopes[i] = -sign * factor * (gamma * own * nll + rest);
    } else if (kind !== "margin_mse") {
      const target = labels[i] * (1 - smoothing) + smoothing / 2;
      const hard = scale * (1 - softWeight);
      loss += hard * (positiveWeight * target * nlp + negativeWeight * (1 - target) * nlq);
      slopes[i] = hard * (-positiveWeight * target * q + negativeWeight * (1 - target) * p);
    }
    if (kind === "distillation") {
      const [soft, cool] = [scale * softWeight * temperature ** 2, scores[i] / temperature];
      loss += soft * (teacher[i] * softplus(-cool) + (1 - teacher[i]) * softplus(cool));
      const rise = (1 - teacher[i]) * Math.exp(-softplus(-cool)) - teacher[i] * Math.exp(-softplus(cool));
      slopes[i] += soft / temperature * rise;
    }
  }
  for (let i = 0; (kind === "ranking" || kind === "margin_mse") && i < count; i++) {
    for (let j = 0; j < count; j++) {
      if (labels[i] !== 1 || labels[j] !== 0 || groups[i] !== groups[j]) continue;
      const rise = scores[i] - scores[j];
      const gap = kind === "ranking" ? Math.max(rankMargin - rise, 0) : rise - (teacher[i] - teacher[j]);
      const slope = kind === "ranking" ? -Math.sign(gap) : 2 * gap;
      loss += pairWeight * pairScale * (kind === "ranking" ? gap : gap ** 2);
      slopes[i] += pairWeight * pairScale * slope;
      slopes[j] -= pairWeight * pairScale * slope;
    }
  }
  const dLogits = Float64Array.from(logits, (_, at) => {
    if (numLabels === 1) return slopes[at];
    return at % 2 === 1 ? slopes[at >> 1] : -slopes[at >> 1];
  });
  return { loss, dLogits };
}
