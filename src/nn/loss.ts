/**
 * Classification losses with their gradients, on the device (kernels/loss.wgsl) and on the host. With s the logit of the
 * positive class (of two labels: logit 1 − logit 0), p the probability sigmoid(±s) of a sequence's true class, w the weight
 * of that class and w' of the other one:
 *
 * - cross_entropy: w (1 − ε/2) · −log p + w' ε/2 · −log(1 − p), binary cross-entropy with targets y (1 − ε) + ε/2. Softmax
 *   of two logits is sigmoid of their difference, so that this is the cross-entropy of two labels as well.
 * - focal: w (1 − p)^γ · −log p. Lin et al., "Focal Loss for Dense Object Detection", 2017.
 * - ranking: cross_entropy and, per positive i and negative j of one group (a post's sequences), pairWeight / (number of
 *   such pairs) times max(0, rankMargin − (s_i − s_j)).
 *
 * and, with what a teacher says of a sequence:
 *
 * - distillation: (1 − α) cross_entropy + α T² (−t log sigmoid(s / T) − (1 − t) log(1 − sigmoid(s / T))), t the teacher's
 *   probability at the temperature T. Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, section 2.
 * - mse: (s − t)², t the teacher's score.
 * - margin_mse: per positive i and negative j of one group (a criterion's sequences), pairWeight / (number of such pairs)
 *   times ((s_i − s_j) − (t_i − t_j))², the Margin-MSE of Hofstätter et al., "Improving Efficient Neural Ranking Models with
 *   Cross-Architecture Knowledge Distillation", 2020.
 */
import type { Tensor } from "../gpu/tensor.ts";
import type { Plan, Rows } from "./plan.ts";
import { present } from "./rows.ts";

export type LossKind = "cross_entropy" | "focal" | "ranking" | "distillation" | "mse" | "margin_mse";

/** Those that compare sequences of one group. */
const COMPARING: readonly LossKind[] = ["ranking", "margin_mse"];
/** Those that learn from a teacher. */
const TAUGHT: readonly LossKind[] = ["distillation", "mse", "margin_mse"];

/** The constants of a loss; those that its kind does not have are ignored. */
export interface LossWeights {
  positiveWeight: number;
  negativeWeight: number;
  /** γ */
  gamma: number;
  /** ε */
  smoothing: number;
  /** Of the part that compares sequences. */
  pairWeight: number;
  rankMargin: number;
  /** α */
  softWeight: number;
  /** T */
  temperature: number;
}

/** Plain cross-entropy's. */
export const PLAIN_LOSS: LossWeights = {
  positiveWeight: 1,
  negativeWeight: 1,
  gamma: 0,
  smoothing: 0,
  pairWeight: 0,
  rankMargin: 0,
  softWeight: 0,
  temperature: 1,
};

export interface LossParameters extends Partial<LossWeights> {
  /** Factor of every sequence's loss: 1 / (sequences · micro-batches) for a mean of means. */
  scale: number;
  /** Factor of every compared pair's: 1 / (pairs · micro-batches), 0 where there is no pair. */
  pairScale?: number;
}

/** Words of the `parameters` uniform. */
export const LOSS_WORDS = 9;

/** The words of the `parameters` uniform. */
export function lossUniform({ scale, pairScale = 0, ...weights }: LossParameters): Float32Array<ArrayBuffer> {
  const { positiveWeight, negativeWeight, gamma, smoothing, pairWeight, rankMargin, softWeight, temperature } = {
    ...PLAIN_LOSS,
    ...weights,
  };
  return Float32Array.of(
    scale * (1 - softWeight),
    gamma,
    positiveWeight,
    negativeWeight,
    smoothing / 2,
    pairWeight * pairScale,
    rankMargin,
    scale * softWeight * temperature ** 2,
    1 / temperature,
  );
}

/**
 * Writes dLogits [sequences, numLabels], multiplied by the loss scale in `scaler` (see scaler.ts), and adds the scaled
 * loss of the batch to `lossSum` [1], in the order of the sequences. u32 [sequences]: `labels`, 0 or 1, and `groups`; f32
 * [sequences]: `teacher`, probabilities for "distillation", else scores; the last two only some kinds read. `parameters`: a
 * uniform that holds `lossUniform(…)`.
 */
export function lossForwardBackward(
  plan: Plan,
  { logits, labels, groups, teacher, parameters, scaler, dLogits, lossSum }: {
    logits: Tensor;
    labels: Tensor;
    groups: Tensor;
    teacher: Tensor;
    parameters: Tensor;
    scaler: Tensor;
    dLogits: Tensor;
    lossSum: Tensor;
  },
  { sequences, numLabels, kind }: { sequences: Rows; numLabels: 1 | 2; kind: LossKind },
): void {
  const losses = plan.transient("losses", [sequences.capacity]);
  const constants = { KIND: kind, LABELS: numLabels };
  const rows = sequences.uniform;
  const read = {
    groups: COMPARING.includes(kind) ? groups : undefined,
    teacher: TAUGHT.includes(kind) ? teacher : undefined,
  };
  plan.dispatch({
    kernel: "loss",
    entry: "per_sequence",
    constants,
    bindings: present({ rows, parameters, scaler, logits, labels, ...read, dLogits, losses }),
    grid: (sizes) => [Math.ceil(sequences.count(sizes) / 32)],
  });
  plan.dispatch({
    kernel: "loss",
    entry: "add_losses",
    constants,
    bindings: { rows, losses, lossSum },
    grid: () => [1],
  });
}

/** s: the logit of the positive class against that of the negative one. */
export const positiveLogit = (logits: ArrayLike<number>): number =>
  logits.length === 1 ? logits[0] : logits[1] - logits[0];

/** −log sigmoid(m) without cancellation. */
const negativeLog = (m: number): number => Math.max(-m, 0) + Math.log1p(Math.exp(-Math.abs(m)));

/**
 * The mean loss on the host, in float64, of what has these scores s and labels: sequences, or pairs of several. Of the kinds
 * that learn from a teacher it is cross_entropy, as the labels alone judge.
 */
export function meanLoss(
  scores: readonly number[],
  { labels, groups }: { labels: ArrayLike<number>; groups: ArrayLike<number> },
  kind: LossKind,
  weights: LossWeights,
): number {
  const own = scores.reduce((sum, score, i) => sum + sequenceLoss(score, labels[i] === 1, kind, weights), 0);
  const mean = own / scores.length;
  if (kind !== "ranking") return mean;
  const pairs = comparedPairs(labels, groups);
  const gaps = pairs.map(([i, j]) => Math.max(0, weights.rankMargin - (scores[i] - scores[j])));
  return mean + weights.pairWeight * gaps.reduce((sum, gap) => sum + gap, 0) / Math.max(pairs.length, 1);
}

function sequenceLoss(
  score: number,
  positive: boolean,
  kind: LossKind,
  { positiveWeight, negativeWeight, gamma, smoothing }: LossWeights,
): number {
  const margin = positive ? score : -score;
  const nll = negativeLog(margin);
  const [weight, other] = positive ? [positiveWeight, negativeWeight] : [negativeWeight, positiveWeight];
  if (kind === "focal") return weight * Math.exp(-gamma * negativeLog(-margin)) * nll;
  return weight * (1 - smoothing / 2) * nll + other * (smoothing / 2) * negativeLog(-margin);
}

/** Every positive with every negative of its group, as places in the two lists. */
export function comparedPairs(labels: ArrayLike<number>, groups: ArrayLike<number>): [number, number][] {
  const negatives = new Map<number, number[]>();
  for (let j = 0; j < labels.length; j++) {
    if (labels[j] === 1) continue;
    const found = negatives.get(groups[j]);
    if (found) found.push(j);
    else negatives.set(groups[j], [j]);
  }
  const pairs: [number, number][] = [];
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] !== 1) continue;
    for (const j of negatives.get(groups[i]) ?? []) pairs.push([i, j]);
  }
  return pairs;
}
