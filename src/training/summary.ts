/** What the folds of a run come to together: summary.json. */
import { crossFit, type Decision, type DecisionSettings, isChosen, partOfPost } from "../evaluation/decision.ts";
import { BOOTSTRAP, bootstrapIntervals, type Intervals } from "../evaluation/intervals.ts";
import {
  type JudgedPair,
  meanStd,
  measure,
  METRIC_NAMES,
  type MetricName,
  type Metrics,
} from "../evaluation/metrics.ts";
import type { Prediction } from "./predictions.ts";

/** What a fold's training has come to, beside its predictions. */
export interface FoldFacts {
  /** Its number. */
  fold: number;
  /** The one with the highest F1. */
  best_epoch: number;
  /** Optimizer steps that updated nothing, because fp16 overflowed. */
  skipped_steps: number;
  /** Mean over its validation pairs. */
  loss: number;
  /** What its pairs are decided by. */
  decision: Decision;
}

/** A fold and the metrics of its validation pairs. */
export type FoldSummary = FoldFacts & { metrics: Metrics };

/** How good decisions are. */
export interface Verdict<Fold> {
  /** Each fold. */
  folds: Fold[];
  /** Over folds. The standard deviation is the population's (NumPy's default). */
  mean: Record<MetricName, number>;
  /** See `mean`. */
  std: Record<MetricName, number>;
  /** Over the validation pairs of all folds together. */
  overall: Metrics;
  /** By the criterion's id. */
  per_criterion: Record<string, Metrics>;
  /** Percentile bootstrap over posts, of the metrics above. */
  intervals: {
    level: number;
    resamples: number;
    seed: number;
    folds: Record<string, Intervals>;
    overall: Intervals;
    per_criterion: Record<string, Intervals>;
  };
}

/** What summary.json holds. */
export interface Summary extends Verdict<FoldSummary> {
  /** Temperatures or thresholds were chosen on the very pairs that they are judged on here, which flatters. */
  in_sample: boolean;
  /**
   * What does not flatter, where `in_sample`: each fold decided by what is chosen on the other folds. Of a single fold,
   * each fifth of its posts by what is chosen on the rest; null for a single post.
   */
  cross_fitted: CrossFittedVerdict | null;
}

/** How good decisions are that were not chosen on the pairs that they judge. */
export type CrossFittedVerdict =
  & Verdict<{ fold: number; metrics: Metrics; decision: Decision | null }>
  & { over: "folds" | "posts" };

/** A prediction and the fold that it belongs to. */
export type RunPrediction = Prediction & { fold: number };

export interface SummaryOptions {
  settings: DecisionSettings;
  /** Of the resamples of the bootstrap. */
  seed: number;
}

/** The summary of folds and their validation predictions. */
export function summarise(
  folds: readonly FoldFacts[],
  predictions: readonly RunPrediction[],
  { settings, seed }: SummaryOptions,
): Summary {
  const verdict = verdictOn(predictions, folds, seed);
  const inSample = isChosen(settings);
  return {
    ...verdict,
    in_sample: inSample,
    cross_fitted: inSample ? crossFittedVerdict(predictions, { settings, seed }) : null,
  };
}

/** The predictions with decisions that were not chosen on them: those of `cross_fitted`, else as they are. */
export function crossFittedPredictions(
  predictions: readonly RunPrediction[],
  settings: DecisionSettings,
): readonly RunPrediction[] {
  return isChosen(settings) ? crossFitRun(predictions, settings)?.judged ?? predictions : predictions;
}

function crossFitRun(predictions: readonly RunPrediction[], settings: DecisionSettings) {
  const folds = new Set(predictions.map(({ fold }) => fold));
  const over = folds.size > 1 ? "folds" : "posts";
  const fitted = crossFit(predictions, over === "folds" ? ({ fold }) => fold : partOfPost(predictions), settings);
  return fitted.decisions.size > 1 ? { over, ...fitted } as const : null;
}

function crossFittedVerdict(
  predictions: readonly RunPrediction[],
  { settings, seed }: SummaryOptions,
): CrossFittedVerdict | null {
  const fitted = crossFitRun(predictions, settings);
  if (fitted === null) return null;
  const folds = [...new Set(predictions.map(({ fold }) => fold))].map((fold) => {
    return { fold, decision: fitted.over === "folds" ? fitted.decisions.get(fold)! : null };
  });
  return { over: fitted.over, ...verdictOn(fitted.judged, folds, seed) };
}

function verdictOn<Facts extends { fold: number }>(
  predictions: readonly (RunPrediction & JudgedPair)[],
  facts: readonly Facts[],
  seed: number,
): Verdict<Facts & { metrics: Metrics }> {
  const ofFold = Map.groupBy(predictions, ({ fold }) => fold);
  const ofCriterion = [...Map.groupBy(predictions, ({ criterionId }) => criterionId)].sort(([a], [b]) =>
    a < b ? -1 : 1
  );
  const folds = facts.map((fact) => ({ ...fact, metrics: measure(ofFold.get(fact.fold) ?? []) }));
  const spread = METRIC_NAMES.map((name) => [name, meanStd(folds.map(({ metrics }) => metrics[name]))] as const);
  const intervalsOf = (pairs: readonly RunPrediction[]) => bootstrapIntervals(pairs, { seed });
  return {
    folds,
    mean: Object.fromEntries(spread.map(([name, { mean }]) => [name, mean])) as Record<MetricName, number>,
    std: Object.fromEntries(spread.map(([name, { std }]) => [name, std])) as Record<MetricName, number>,
    overall: measure(predictions),
    per_criterion: Object.fromEntries(ofCriterion.map(([id, pairs]) => [id, measure(pairs)])),
    intervals: {
      ...BOOTSTRAP,
      seed,
      folds: Object.fromEntries(facts.map(({ fold }) => [fold, intervalsOf(ofFold.get(fold) ?? [])])),
      overall: intervalsOf(predictions),
      per_criterion: Object.fromEntries(ofCriterion.map(([id, pairs]) => [id, intervalsOf(pairs)])),
    },
  };
}
