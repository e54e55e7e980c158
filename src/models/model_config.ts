/** What the configuration of a model says in every family: what trainer, scorer, heads and checkpoints read. */
import { EntailError } from "../errors.ts";

export interface ModelConfig {
  /** transformers' name of the family, the key of its registration. */
  readonly modelType: string;
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly intermediateSize: number;
  readonly hiddenAct: "gelu";
  readonly hiddenDropoutProb: number;
  readonly attentionProbsDropoutProb: number;
  /** Rows of the table of absolute positions; how long a sequence may be is the family's `longestSequence`. */
  readonly maxPositionEmbeddings: number;
  /** Kinds of segments that have an embedding. */
  readonly typeVocabSize: number;
  readonly initializerRange: number;
  readonly layerNormEps: number;
  /** The token whose embedding is zero at first and gets no gradient; null: none. */
  readonly padTokenId: number | null;
  /** Dropout before the classifier; null means `hiddenDropoutProb`: see `classifierDropout()`. */
  readonly classifierDropout: number | null;
  /** Label names by class index; as many as there are logits. */
  readonly labels: readonly string[];
  /** Entail's: the head on the hidden states, by its name in heads/registry.ts. */
  readonly classifierHead: string;
  /** Entail's: a pair is positive from this probability on. */
  readonly positiveThreshold: number;
  /** Keys that entail does not use and hands on when it saves. */
  readonly other: Readonly<Record<string, unknown>>;
}

export const headSize = (config: ModelConfig): number => config.hiddenSize / config.numAttentionHeads;

export const classifierDropout = (config: ModelConfig): number => config.classifierDropout ?? config.hiddenDropoutProb;

/** Keys of config.json that are entail's: tokens of a pair at most as the model was trained, and what it started from. */
const PAIR_MAX_LENGTH = "pair_max_length";
const BASE_MODEL = "_name_or_path";

/** Tokens of a pair at most, as the model was trained; null where nothing says. */
export function pairMaxLength({ other }: ModelConfig): number | null {
  const recorded = other[PAIR_MAX_LENGTH];
  return Number.isSafeInteger(recorded) && (recorded as number) > 0 ? recorded as number : null;
}

/** The hub id of the model that training started from; null where it was none. */
export const baseModel = ({ other }: ModelConfig): string | null => (other[BASE_MODEL] as string | undefined) ?? null;

const HUB_ID = /^[A-Za-z0-9][\w.-]*\/[\w.-]+$/;

/** Records with a model how long its pairs may be, so that `predict` cuts alike, and the hub id that it came from. */
export function withOrigin<Config extends ModelConfig>(config: Config, maxLength: number, name: string | null): Config {
  const base = name !== null && HUB_ID.test(name) ? { [BASE_MODEL]: name } : {};
  return { ...config, other: { ...config.other, [PAIR_MAX_LENGTH]: maxLength, ...base } };
}

/** Keys of config.json that are entail's: what was chosen on the validation pairs, beside `positive_threshold`. */
const TEMPERATURE = "calibration_temperature";
const CRITERION_THRESHOLDS = "criterion_thresholds";

/** How a checkpoint decides about its logits. */
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
