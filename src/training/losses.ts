/** The losses by `model.loss_type`: which kind of kernels/loss.wgsl each is, and its constants. */
import type { Config } from "../config/schema.ts";
import { type LossKind, type LossWeights, PLAIN_LOSS } from "../nn/loss.ts";

type ModelSettings = Config["model"];

/** How often each class occurs in the training split. */
interface ClassCounts {
  positives: number;
  negatives: number;
}

/** What a loss learns from a teacher. */
interface Teaching {
  /** The column that it reads where a file has both. */
  readonly reads: "soft_label" | "teacher_score";
  /** What the kernel gets of the teacher's log-odds of the positive class, which are infinite for a soft label of 0 or 1. */
  target(score: number, model: ModelSettings): number;
}

interface Loss<Key extends keyof ModelSettings = keyof ModelSettings> {
  readonly kind: LossKind;
  /** The keys of `model` that only some losses have, of those that this one has. */
  readonly keys: readonly Key[];
  /** What the pairs of a micro-batch have in common that it compares; absent: it compares none. */
  readonly comparesWithin?: "postId" | "criterionId";
  readonly teaching?: Teaching;
  weights(model: Pick<ModelSettings, Key>, counts: ClassCounts): Partial<LossWeights>;
}

const loss = <const Key extends keyof ModelSettings>(loss: Loss<Key>): Loss => loss as unknown as Loss;

const SMOOTHED = loss({
  kind: "cross_entropy",
  keys: ["label_smoothing"],
  weights: ({ label_smoothing }) => ({ smoothing: label_smoothing }),
});

const SCORES: Teaching = { reads: "teacher_score", target: (score) => score };

export const LOSSES: Readonly<Record<ModelSettings["loss_type"], Loss>> = {
  ce: SMOOTHED,
  bce: SMOOTHED,
  weighted_bce: loss({
    kind: "cross_entropy",
    keys: ["label_smoothing"],
    weights: ({ label_smoothing }, { positives, negatives }) => ({
      smoothing: label_smoothing,
      positiveWeight: negatives / positives,
    }),
  }),
  focal: loss({
    kind: "focal",
    keys: ["focal_gamma", "focal_alpha"],
    weights: ({ focal_gamma, focal_alpha }, counts) => ({ gamma: focal_gamma, ...focalAlpha(focal_alpha, counts) }),
  }),
  cb_focal: loss({
    kind: "focal",
    keys: ["focal_gamma", "cb_beta"],
    weights: ({ focal_gamma, cb_beta }, counts) => ({ gamma: focal_gamma, ...classBalanced(cb_beta, counts) }),
  }),
  "bce+rank": loss({
    kind: "ranking",
    keys: ["pos_weight_scale", "rank_margin", "rank_weight", "label_smoothing"],
    comparesWithin: "postId",
    weights: ({ pos_weight_scale, rank_margin, rank_weight, label_smoothing }) => ({
      positiveWeight: pos_weight_scale,
      smoothing: label_smoothing,
      pairWeight: rank_weight,
      rankMargin: rank_margin,
    }),
  }),
  distillation: loss({
    kind: "distillation",
    keys: ["distill_alpha", "distill_temperature"],
    teaching: {
      reads: "soft_label",
      target: (score, { distill_temperature }) => 1 / (1 + Math.exp(-score / distill_temperature)),
    },
    weights: ({ distill_alpha, distill_temperature }) => ({
      softWeight: distill_alpha,
      temperature: distill_temperature,
    }),
  }),
  mse: loss({ kind: "mse", keys: [], teaching: SCORES, weights: () => ({}) }),
  /**
   * The query that Hofstätter et al.'s pairs share is here the criterion, which is asked of all posts: their margins leave one
   * number for each criterion open, which `evaluation.threshold_mode=per_class` then chooses. Margins within a post would
   * leave one for each post, and no threshold could make up for it; micro-batches also have fewer of them.
   */
  margin_mse: loss({
    kind: "margin_mse",
    keys: [],
    comparesWithin: "criterionId",
    teaching: SCORES,
    weights: () => ({ pairWeight: 1 }),
  }),
};

/** The losses that learn from a teacher, by name. */
export const TAUGHT_LOSSES: readonly string[] = Object.entries(LOSSES).filter(([, { teaching }]) => teaching)
  .map(([name]) => name);

/** What the loss reads of a teacher's scores of pairs, their log-odds. */
export const teacherTargets = (model: ModelSettings, scores: Float64Array): Float32Array<ArrayBuffer> =>
  Float32Array.from(scores, (score) => LOSSES[model.loss_type].teaching!.target(score, model));

/** The keys of `model` that only some losses have. */
export const LOSS_KEYS: readonly (keyof ModelSettings)[] = [
  ...new Set(Object.values(LOSSES).flatMap(({ keys }) => keys)),
];

/** The losses that have a key of `model`, by name. */
export const lossesWith = (key: keyof ModelSettings): string[] =>
  Object.entries(LOSSES).filter(([, { keys }]) => keys.includes(key)).map(([name]) => name);

function focalAlpha(alpha: ModelSettings["focal_alpha"], { positives, negatives }: ClassCounts): Partial<LossWeights> {
  if (alpha === "none") return {};
  const positiveWeight = alpha ?? negatives / (positives + negatives);
  return { positiveWeight, negativeWeight: alpha === null ? positives / (positives + negatives) : 1 - alpha };
}

/**
 * Weights in the ratio of (1 − β) / (1 − βⁿ), n the number of a class, of a sum of 2. Cui et al., "Class-Balanced Loss Based
 * on Effective Number of Samples", 2019. A class that does not occur counts as one that occurs once.
 */
function classBalanced(beta: number, { positives, negatives }: ClassCounts): Partial<LossWeights> {
  const inverse = (count: number) => (1 - beta) / -Math.expm1(Math.max(count, 1) * Math.log(beta));
  const [positive, negative] = [inverse(positives), inverse(negatives)];
  return {
    positiveWeight: 2 * positive / (positive + negative),
    negativeWeight: 2 * negative / (positive + negative),
  };
}

/** The constants of a configuration's loss, for training pairs that have these labels. */
export function lossWeights(model: ModelSettings, trainLabels: readonly number[]): LossWeights {
  const positives = trainLabels.reduce((sum, label) => sum + label, 0);
  const counts = { positives, negatives: trainLabels.length - positives };
  return { ...PLAIN_LOSS, ...LOSSES[model.loss_type].weights(model, counts) };
}

/** The keys of other losses than the configured one that were given another value than their default, told why in vain. */
export function lossKeysInVain(model: ModelSettings, defaults: ModelSettings): string[] {
  const own = LOSSES[model.loss_type].keys;
  return LOSS_KEYS.filter((key) => !own.includes(key) && model[key] !== defaults[key])
    .map((key) => `model.${key}=${model[key]} has no effect with model.loss_type=${model.loss_type}`);
}
