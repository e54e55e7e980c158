/** Classification losses in float64. */
import type { LossKind, LossParameters } from "../../src/nn/loss.ts";

const softplus = (v: number) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v)));

/** The scaled loss of each sequence and the gradient of their sum with respect to the logits. */
export function lossReference(
  logits: ArrayLike<number>,
  labels: ArrayLike<number>,
  numLabels: number,
  kind: LossKind,
  { scale, gamma = 0, alphaPositive = 1, alphaNegative = 1, positiveWeight = 1 }: LossParameters,
) {
  const losses = new Float64Array(labels.length);
  const dLogits = new Float64Array(logits.length);
  for (let s = 0; s < labels.length; s++) {
    const positive = labels[s] === 1;
    const rise = numLabels === 1 ? logits[s] : logits[2 * s + 1] - logits[2 * s];
    const margin = positive ? rise : -rise;
    const nll = softplus(-margin);
    const p = Math.exp(-nll);
    const q = Math.exp(-softplus(margin));
    let weight = scale;
    if (kind === "weighted_bce" && positive) weight *= positiveWeight;
    if (kind === "focal") weight *= (positive ? alphaPositive : alphaNegative) * q ** gamma;
    losses[s] = weight * nll;
    const slope = -weight * (kind === "focal" ? gamma * p * nll + q : q);
    const dRise = positive ? slope : -slope;
    if (numLabels === 1) dLogits[s] = dRise;
    else dLogits.set([-dRise, dRise], 2 * s);
  }
  return { losses, dLogits };
}
