/**
 * The model's configuration: Hugging Face's config.json of model type "deberta-v2" (DeBERTa-v2 and -v3), with the
 * defaults of transformers' `DebertaV2Config` for absent keys, and what entail records beside them.
 */
import { EntailError, type ErrorKind } from "../errors.ts";

export const CLASSIFIER_HEADS = ["pooler_linear", "linear", "mean_pooling", "max_pooling"] as const;
export type ClassifierHead = typeof CLASSIFIER_HEADS[number];

/** Terms of disentangled attention: content to position, position to content. */
export type PositionTerm = "c2p" | "p2c";

export interface DebertaConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly intermediateSize: number;
  readonly hiddenAct: "gelu";
  readonly hiddenDropoutProb: number;
  readonly attentionProbsDropoutProb: number;
  /** Rows of the absolute position table; a limit to the length of sequences only with `positionBiasedInput`. */
  readonly maxPositionEmbeddings: number;
  readonly typeVocabSize: number;
  readonly initializerRange: number;
  readonly layerNormEps: number;
  readonly relativeAttention: boolean;
  /** As configured; below 1 it means `maxPositionEmbeddings`: see `maxRelativePositions()`. */
  readonly maxRelativePositions: number;
  /** Logarithmic buckets in each direction; below 1 distances are used as they are. */
  readonly positionBuckets: number;
  readonly normRelEbd: "none" | "layer_norm";
  readonly shareAttKey: boolean;
  readonly posAttType: readonly PositionTerm[];
  /** Whether absolute positions are added to the input. */
  readonly positionBiasedInput: boolean;
  /** The token whose embedding is zero at first and gets no gradient; null: none. */
  readonly padTokenId: number | null;
  readonly poolerDropout: number;
  readonly poolerHiddenAct: "gelu";
  /** Dropout before the classifier; null means `hiddenDropoutProb`: see `classifierDropout()`. */
  readonly clsDropout: number | null;
  /** Label names by class index; as many as there are logits. */
  readonly labels: readonly string[];
  /** Entail's: what pools the hidden states. */
  readonly classifierHead: ClassifierHead;
  /** Entail's: a pair is positive from this probability on. */
  readonly positiveThreshold: number;
  /** Keys that entail does not use and hands on when it saves. */
  readonly other: Readonly<Record<string, unknown>>;
}

export const headSize = (config: DebertaConfig): number => config.hiddenSize / config.numAttentionHeads;

/** The largest distance that has an embedding, or a bucket, of its own. */
export const maxRelativePositions = (config: DebertaConfig): number =>
  config.maxRelativePositions < 1 ? config.maxPositionEmbeddings : config.maxRelativePositions;

/** Distances (or buckets of them) in each direction; the table of relative embeddings has twice as many rows. */
export const positionSpan = (config: DebertaConfig): number =>
  config.positionBuckets > 0 ? config.positionBuckets : maxRelativePositions(config);

/**
 * What every term of the attention scores is multiplied with: 1/√(head size · number of terms). As in transformers, the
 * terms of `pos_att_type` count even where `relative_attention` is off.
 */
export const attentionScale = (config: DebertaConfig): number =>
  1 / Math.sqrt(headSize(config) * (1 + config.posAttType.length));

/** Whether the scores have this term. */
export const hasPositionTerm = (config: DebertaConfig, term: PositionTerm): boolean =>
  config.relativeAttention && config.posAttType.includes(term);

export const classifierDropout = (config: DebertaConfig): number => config.clsDropout ?? config.hiddenDropoutProb;

/** Keys that this file reads or replaces; all others are handed on. */
const KNOWN_KEYS = new Set([
  ...["model_type", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"],
  ...["hidden_act", "hidden_dropout_prob", "attention_probs_dropout_prob", "max_position_embeddings"],
  ...["type_vocab_size", "initializer_range", "layer_norm_eps", "relative_attention", "max_relative_positions"],
  ...["position_buckets", "norm_rel_ebd", "share_att_key", "pos_att_type", "position_biased_input", "pad_token_id"],
  ...["pooler_dropout", "pooler_hidden_act", "pooler_hidden_size", "cls_dropout", "num_labels", "id2label", "label2id"],
  ...["embedding_size", "conv_kernel_size", "attention_head_size", "classifier_head", "positive_threshold"],
  // Of the saved file, not of the model: written anew.
  ...["architectures", "dtype", "torch_dtype", "transformers_version", "_name_or_path"],
]);

/**
 * A config.json, parsed. `file` names it in errors.
 * Throws an `EntailError` of kind "data" for other model types, wrong values and options that are not supported.
 */
export function parseConfig(json: unknown, file: string): DebertaConfig {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new EntailError("data", `${file}: not a model configuration: expected an object`);
  }
  const object = json as Record<string, unknown>;
  if (object.model_type !== "deberta-v2") {
    throw new EntailError(
      "data",
      "model_type" in object
        ? `${file}: model_type ${JSON.stringify(object.model_type)} is not supported (supported: "deberta-v2")`
        : `${file}: model_type is missing (supported: "deberta-v2")`,
    );
  }
  return configFrom(object, { kind: "data", prefix: `${file}: ` });
}

/**
 * The configuration of a model from scratch: `architecture` has the names of config.json and comes from
 * `model.architecture`, which errors (of kind "usage") name.
 */
export function configFromArchitecture(
  architecture: Readonly<Record<string, unknown>>,
  { numLabels, classifierHead, vocabSize }: { numLabels: number; classifierHead: ClassifierHead; vocabSize?: number },
): DebertaConfig {
  const { model_type: type = "deberta-v2", tokenizer: _tokenizer, ...rest } = architecture;
  if (type !== "deberta-v2") {
    throw new EntailError("usage", `model.architecture.model_type must be "deberta-v2", not ${JSON.stringify(type)}`);
  }
  // A null stands for the default, as in an override that takes a value back.
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null));
  const config = configFrom(
    { ...given, ...(vocabSize === undefined ? {} : { vocab_size: vocabSize }), num_labels: numLabels },
    { kind: "usage", prefix: "model.architecture." },
  );
  return { ...config, classifierHead };
}

/**
 * The object to save as config.json. transformers loads a `pooler_linear` model as
 * `DebertaV2ForSequenceClassification`; of the other heads, which it does not have, it can load the encoder.
 */
export function writeConfig(config: DebertaConfig): Record<string, unknown> {
  return {
    ...config.other,
    architectures: [
      config.classifierHead === "pooler_linear" ? "DebertaV2ForSequenceClassification" : "DebertaV2Model",
    ],
    model_type: "deberta-v2",
    dtype: "float32",
    vocab_size: config.vocabSize,
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.numHiddenLayers,
    num_attention_heads: config.numAttentionHeads,
    intermediate_size: config.intermediateSize,
    hidden_act: config.hiddenAct,
    hidden_dropout_prob: config.hiddenDropoutProb,
    attention_probs_dropout_prob: config.attentionProbsDropoutProb,
    max_position_embeddings: config.maxPositionEmbeddings,
    type_vocab_size: config.typeVocabSize,
    initializer_range: config.initializerRange,
    layer_norm_eps: config.layerNormEps,
    relative_attention: config.relativeAttention,
    max_relative_positions: config.maxRelativePositions,
    position_buckets: config.positionBuckets,
    norm_rel_ebd: config.normRelEbd,
    share_att_key: config.shareAttKey,
    pos_att_type: [...config.posAttType],
    position_biased_input: config.positionBiasedInput,
    pad_token_id: config.padTokenId,
    pooler_dropout: config.poolerDropout,
    pooler_hidden_act: config.poolerHiddenAct,
    pooler_hidden_size: config.hiddenSize,
    ...(config.clsDropout === null ? {} : { cls_dropout: config.clsDropout }),
    id2label: Object.fromEntries(config.labels.map((label, index) => [index, label])),
    label2id: Object.fromEntries(config.labels.map((label, index) => [label, index])),
    classifier_head: config.classifierHead,
    positive_threshold: config.positiveThreshold,
  };
}

interface Source {
  readonly kind: ErrorKind;
  /** Stands before the key in errors. */
  readonly prefix: string;
}

function configFrom(json: Record<string, unknown>, source: Source): DebertaConfig {
  const read = fieldReader(json, source);
  const hiddenSize = read.integer("hidden_size", 1536, { min: 1 });
  const numAttentionHeads = read.integer("num_attention_heads", 24, { min: 1 });
  if (hiddenSize % numAttentionHeads !== 0) {
    throw read.error("hidden_size", `${hiddenSize} is not a multiple of num_attention_heads, ${numAttentionHeads}`);
  }
  read.only("embedding_size", hiddenSize, "hidden_size");
  read.only("pooler_hidden_size", hiddenSize, "hidden_size");
  read.only("attention_head_size", hiddenSize / numAttentionHeads, "hidden_size / num_attention_heads");
  if (read.integer("conv_kernel_size", 0, { min: 0 }) > 0) {
    throw read.error("conv_kernel_size", "a convolution layer is not supported yet: it must be 0 or absent");
  }
  const vocabSize = read.integer("vocab_size", 128100, { min: 1 });
  const padTokenId = json.pad_token_id === null ? null : read.integer("pad_token_id", 0, {});
  if (padTokenId !== null && (padTokenId < 0 || padTokenId >= vocabSize)) {
    throw read.error("pad_token_id", `${padTokenId} is not a token of the vocabulary of ${vocabSize}`);
  }
  return {
    vocabSize,
    hiddenSize,
    numHiddenLayers: read.integer("num_hidden_layers", 24, { min: 1 }),
    numAttentionHeads,
    intermediateSize: read.integer("intermediate_size", 6144, { min: 1 }),
    hiddenAct: read.word("hidden_act", "gelu", ["gelu"]),
    hiddenDropoutProb: read.rate("hidden_dropout_prob", 0.1),
    attentionProbsDropoutProb: read.rate("attention_probs_dropout_prob", 0.1),
    maxPositionEmbeddings: read.integer("max_position_embeddings", 512, { min: 1 }),
    typeVocabSize: read.integer("type_vocab_size", 0, { min: 0 }),
    initializerRange: read.number("initializer_range", 0.02, (value) => value >= 0, "a number >= 0"),
    layerNormEps: read.number("layer_norm_eps", 1e-7, (value) => value > 0, "a number > 0"),
    relativeAttention: read.flag("relative_attention", false),
    maxRelativePositions: read.integer("max_relative_positions", -1, {}),
    positionBuckets: read.integer("position_buckets", -1, {}),
    normRelEbd: read.word("norm_rel_ebd", "none", ["none", "layer_norm"]),
    shareAttKey: read.flag("share_att_key", false),
    posAttType: read.positionTerms("pos_att_type"),
    positionBiasedInput: read.flag("position_biased_input", true),
    padTokenId,
    poolerDropout: read.rate("pooler_dropout", 0),
    poolerHiddenAct: read.word("pooler_hidden_act", "gelu", ["gelu"]),
    clsDropout: (json.cls_dropout ?? null) === null ? null : read.rate("cls_dropout", 0),
    labels: read.labels(),
    classifierHead: read.word("classifier_head", "pooler_linear", CLASSIFIER_HEADS),
    positiveThreshold: read.number("positive_threshold", 0.5, (value) => value >= 0 && value <= 1, "in [0, 1]"),
    other: Object.fromEntries(Object.entries(json).filter(([key]) => !KNOWN_KEYS.has(key))),
  };
}

/** Typed access to keys; every error names the key, what is allowed and what stands there. */
function fieldReader(json: Readonly<Record<string, unknown>>, { kind, prefix }: Source) {
  const error = (key: string, message: string) => new EntailError(kind, `${prefix}${key}: ${message}`);
  const unfit = (key: string, allowed: string) => error(key, `must be ${allowed}, not ${JSON.stringify(json[key])}`);
  const number = (key: string, fallback: number, fits: (value: number) => boolean, allowed: string): number => {
    const value = json[key] === undefined ? fallback : json[key];
    if (typeof value !== "number" || !Number.isFinite(value) || !fits(value)) throw unfit(key, allowed);
    return value;
  };
  return {
    error,
    number,
    integer(key: string, fallback: number, { min }: { min?: number }): number {
      const fits = (value: number) => Number.isSafeInteger(value) && (min === undefined || value >= min);
      return number(key, fallback, fits, min === undefined ? "an integer" : `an integer >= ${min}`);
    },
    rate: (key: string, fallback: number): number =>
      number(key, fallback, (value) => value >= 0 && value < 1, "a number in [0, 1)"),
    flag(key: string, fallback: boolean): boolean {
      const value = json[key] === undefined ? fallback : json[key];
      if (typeof value !== "boolean") throw unfit(key, "true or false");
      return value;
    },
    word<Word extends string>(key: string, fallback: Word, words: readonly Word[]): Word {
      const value = json[key] === undefined ? fallback : json[key];
      if (!words.includes(value as Word)) {
        throw unfit(
          key,
          words.length === 1 ? `"${words[0]}" (no other is supported yet)` : `one of ${words.join(", ")}`,
        );
      }
      return value as Word;
    },
    /** A key that, if present, must say what the supported models have anyway. */
    only(key: string, value: number, meaning: string): void {
      const given = json[key] ?? value;
      if (given !== value) {
        throw unfit(key, `${value} (${meaning}; another value is not supported yet)`);
      }
    },
    positionTerms(key: string): PositionTerm[] {
      const value = json[key] ?? [];
      const terms = typeof value === "string" ? value.toLowerCase().split("|").map((term) => term.trim()) : value;
      if (!Array.isArray(terms) || !terms.every((term) => term === "c2p" || term === "p2c")) {
        throw unfit(key, 'a list of c2p and p2c (or a text like "p2c|c2p")');
      }
      return [...new Set(terms as PositionTerm[])];
    },
    labels(): string[] {
      const count = (json.num_labels ?? null) === null ? null : this.integer("num_labels", 2, { min: 1 });
      const names = json.id2label ?? null;
      if (names !== null && (typeof names !== "object" || Array.isArray(names))) {
        throw unfit("id2label", "an object from class indices to names");
      }
      const entries = Object.entries(names ?? {});
      // As in transformers, a count that contradicts the names wins.
      if (names === null || (count !== null && count !== entries.length)) {
        return Array.from({ length: count ?? 2 }, (_, index) => `LABEL_${index}`);
      }
      const labels = entries.map((_, index) => (names as Record<string, unknown>)[index]);
      if (labels.length === 0 || !labels.every((label) => typeof label === "string")) {
        throw unfit("id2label", "an object from the class indices 0, 1, … to names");
      }
      return labels as string[];
    },
  };
}
