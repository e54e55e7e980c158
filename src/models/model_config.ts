/** What the configuration of a model says in every family: what trainer, scorer, heads and checkpoints read. */
import type { Adapter } from "./adapter.ts";

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
  /** The adapters that are trained instead of the encoder; absent: none. Not of config.json. */
  readonly adapter?: Adapter;
  /** Keys that entail does not use and hands on when it saves. */
  readonly other: Readonly<Record<string, unknown>>;
}

export const headSize = (config: ModelConfig): number => config.hiddenSize / config.numAttentionHeads;

export const classifierDropout = (config: ModelConfig): number => config.classifierDropout ?? config.hiddenDropoutProb;

/** The configuration with so many labels; names are made up where it has another number of them. */
export const withLabels = (config: ModelConfig, count: number): ModelConfig =>
  config.labels.length === count
    ? config
    : { ...config, labels: Array.from({ length: count }, (_, index) => `LABEL_${index}`) };

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
