/** What the folds of a run come to together: summary.json. */
import { evaluateBinary, meanStd, type Metrics, perCriterion } from "./metrics.ts";
import type { Prediction } from "./predictions.ts";

/** The metrics that are averaged over folds. */
export const SUMMARY_METRICS = ["f1", "precision", "recall", "accuracy", "auc"] as const;

export interface FoldSummary {
  fold: number;
  best_epoch: number;
  /** Optimizer steps that updated nothing, because fp16 overflowed. */
  skipped_steps: number;
  loss: number;
  metrics: Metrics;
}

export interface Summary {
  folds: FoldSummary[];
  /** Over folds. The standard deviation is the population's (NumPy's default). */
  mean: Record<typeof SUMMARY_METRICS[number], number>;
  std: Record<typeof SUMMARY_METRICS[number], number>;
  /** Over the validation pairs of all folds together. */
  overall: Metrics;
  per_criterion: Record<string, Metrics>;
}

/** Mean, deviation, overall and per-criterion metrics of folds and their validation predictions. */
export function summariseFolds(
  folds: readonly { metrics: Metrics }[],
  predictions: readonly Prediction[],
  threshold: number,
): Omit<Summary, "folds"> {
  const spread = SUMMARY_METRICS.map((name) => {
    return [name, meanStd(folds.map(({ metrics }) => metrics[name]))] as const;
  });
  const labels = predictions.map(({ label }) => label);
  const probabilities = predictions.map(({ probability }) => probability);
  const criteria = perCriterion(predictions.map(({ criterionId }) => criterionId), labels, probabilities, threshold);
  return {
    mean: Object.fromEntries(spread.map(([name, { mean }]) => [name, mean])) as Summary["mean"],
    std: Object.fromEntries(spread.map(([name, { std }]) => [name, std])) as Summary["std"],
    overall: evaluateBinary(labels, probabilities, threshold),
    per_criterion: Object.fromEntries([...criteria].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}
