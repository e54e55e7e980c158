/** How a checkpoint decides about its logits: what was chosen on its validation pairs, as its config.json carries it. */
import { EntailError } from "../errors.ts";
import type { ModelConfig } from "./model_config.ts";

/** Keys of config.json that are entail's, beside `positive_threshold`. */
const TEMPERATURE = "calibration_temperature";
const CRITERION_THRESHOLDS = "criterion_thresholds";

export interface CarriedDecision {
  /** The probability is the sigmoid of the log-odds divided by this. */
  temperature: number;
  /** Positive from this probability on; thresholds of single criteria, by their text, go before it. */
  threshold: number;
  criterionThresholds: Readonly<Record<string, number>>;
}

/** What was chosen when the model was trained; null where nothing was. Data error for what no choice can be. */
export function carriedDecision({ other, positiveThreshold }: ModelConfig): CarriedDecision | null {
  const { [TEMPERATURE]: temperature, [CRITERION_THRESHOLDS]: thresholds = {} } = other;
  if (temperature === undefined) return null;
  const isShare = (value: unknown) => typeof value === "number" && value >= 0 && value <= 1;
  if (!(typeof temperature === "number" && temperature > 0 && temperature < Infinity)) {
    throw new EntailError("data", `config.json: ${TEMPERATURE}: must be a number above 0`);
  }
  if (typeof thresholds !== "object" || thresholds === null || !Object.values(thresholds).every(isShare)) {
    throw new EntailError("data", `config.json: ${CRITERION_THRESHOLDS}: must map texts to numbers in [0, 1]`);
  }
  return { temperature, threshold: positiveThreshold, criterionThresholds: thresholds as Record<string, number> };
}

/** The configuration of a model that decides so; null takes what was chosen for another training away. */
export function withDecision(config: ModelConfig, decision: CarriedDecision | null): ModelConfig {
  const { [TEMPERATURE]: _, [CRITERION_THRESHOLDS]: __, ...other } = config.other;
  if (decision === null) return { ...config, other };
  const { temperature, threshold, criterionThresholds } = decision;
  const own = Object.keys(criterionThresholds).length === 0 ? {} : { [CRITERION_THRESHOLDS]: criterionThresholds };
  return { ...config, positiveThreshold: threshold, other: { ...other, [TEMPERATURE]: temperature, ...own } };
}
