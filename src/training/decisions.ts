/** What a run decides by: from its configuration, into its checkpoints, and out of them again. */
import type { Config } from "../config/schema.ts";
import { type CarriedDecision, carriedDecision, withDecision } from "../models/decision.ts";
import type { ModelConfig } from "../models/model_config.ts";
import type { Decision, DecisionSettings } from "../evaluation/decision.ts";

/** What a configuration says of decisions. */
export const decisionSettings = ({ model, evaluation }: Pick<Config, "model" | "evaluation">): DecisionSettings => ({
  calibration: evaluation.calibration,
  thresholdMode: evaluation.threshold_mode,
  positiveThreshold: model.positive_threshold,
  globalInit: evaluation.threshold_global_init,
});

/** A line for people about each setting that another one keeps from having an effect. */
export function decisionsInVain({ model, evaluation }: Pick<Config, "model" | "evaluation">): string[] {
  const { threshold_mode: mode, threshold_global_init: init } = evaluation;
  return [
    mode === "global" && model.positive_threshold !== 0.5 &&
    "model.positive_threshold has no effect: evaluation.threshold_mode=global chooses the threshold",
    mode !== "global" && init !== 0.5 &&
    `evaluation.threshold_global_init has no effect: it is for evaluation.threshold_mode=global, not ${mode}`,
  ].filter((line) => line !== false);
}

/** Criteria of a run, some perhaps many times. */
type Criteria = readonly { criterionId: string; criterion: string }[];

/** The configuration of a checkpoint that carries a decision: by the texts of criteria, which is what `predict` has. */
export function carryDecision(
  config: ModelConfig,
  { temperature, threshold, criterion_thresholds }: Decision,
  pairs: Criteria,
): ModelConfig {
  const texts = new Map(pairs.map(({ criterionId, criterion }) => [criterionId, criterion]));
  const byText = Object.entries(criterion_thresholds ?? {}).map(([id, own]) => [texts.get(id)!, own]);
  return withDecision(config, { temperature, threshold, criterionThresholds: Object.fromEntries(byText) });
}

/** The decision that a checkpoint carries, by the ids that its run gives to criteria; undefined where it has none. */
export function decisionOf(config: ModelConfig, pairs: Criteria): Decision | undefined {
  const carried = carriedDecision(config);
  if (carried === null) return undefined;
  const { temperature, threshold, criterionThresholds } = carried;
  const own = new Map<string, number>();
  for (const { criterionId, criterion } of pairs) {
    if (Object.hasOwn(criterionThresholds, criterion)) own.set(criterionId, criterionThresholds[criterion]);
  }
  const byId = [...own].sort(([a], [b]) => a < b ? -1 : 1);
  return { temperature, threshold, criterion_thresholds: own.size === 0 ? null : Object.fromEntries(byId) };
}

/** Whether a pair is positive, 0 or 1. */
export function carriedPrediction(
  { threshold, criterionThresholds }: CarriedDecision,
  criterion: string,
  probability: number,
): number {
  const needed = Object.hasOwn(criterionThresholds, criterion) ? criterionThresholds[criterion] : threshold;
  return probability >= needed ? 1 : 0;
}
