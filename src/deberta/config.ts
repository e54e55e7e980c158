/**
 * The model's configuration: Hugging Face's config.json of model type "deberta-v2" (DeBERTa-v2 and -v3), with the
 * defaults of transformers' `DebertaV2Config` for absent keys, and what entail records beside them. A head that
 * transformers does not have is saved as a type of its own, which no stock class takes for DeBERTa-v2.
 */
import { EntailError } from "../errors.ts";
import { fieldReader, type Source } from "./config_fields.ts";

export const CLASSIFIER_HEADS = ["pooler_linear", "linear", "mean_pooling", "max_pooling"] as const;
export type ClassifierHead = typeof CLASSIFIER_HEADS[number];

/** The head of `DebertaV2ForSequenceClassification`; the others need the modelling file that is saved with them. */
export const isStockHead = (head: ClassifierHead): boolean => head === "pooler_linear";

const STOCK_TYPE = "deberta-v2";
const OWN_TYPE = "entail-deberta-v2";

/** File in a folder whose head transformers does not have, with its classes: what `trust_remote_code=True` loads. */
export const MODELLING_FILE = "modeling_entail_deberta_v2.py";
const OWN_CLASS = "EntailDebertaV2ForSequenceClassification";
const AUTO_MAP = Object.fromEntries(
  Object.entries({ AutoConfig: "EntailDebertaV2Config", AutoModelForSequenceClassification: OWN_CLASS })
    .map(([auto, own]) => [auto, `${MODELLING_FILE.replace(/\.py$/, "")}.${own}`]),
);

/** Terms of disentangled attention: content to position, position to content. */
const POSITION_TERMS = ["c2p", "p2c"] as const;
export type PositionTerm = typeof POSITION_TERMS[number];

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

/** Keys of config.json that are entail's: tokens of a pair at most as the model was trained, and what it started from. */
const PAIR_MAX_LENGTH = "pair_max_length";
const BASE_MODEL = "_name_or_path";

/** Tokens of a pair at most, as the model was trained; null where nothing says. */
export function pairMaxLength({ other }: DebertaConfig): number | null {
  const recorded = other[PAIR_MAX_LENGTH];
  return Number.isSafeInteger(recorded) && (recorded as number) > 0 ? recorded as number : null;
}

/** The hub id of the model that training started from; null where it was none. */
export const baseModel = ({ other }: DebertaConfig): string | null => (other[BASE_MODEL] as string | undefined) ?? null;

const HUB_ID = /^[A-Za-z0-9][\w.-]*\/[\w.-]+$/;

/** Records with a model how long its pairs may be, so that `predict` cuts alike, and the hub id that it came from. */
export function withOrigin(config: DebertaConfig, maxLength: number, name: string | null): DebertaConfig {
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
export function carriedDecision({ other, positiveThreshold }: DebertaConfig): CarriedDecision | null {
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
export function withDecision(config: DebertaConfig, decision: CarriedDecision | null): DebertaConfig {
  const { [TEMPERATURE]: _, [CRITERION_THRESHOLDS]: __, ...other } = config.other;
  if (decision === null) return { ...config, other };
  const { temperature, threshold, criterionThresholds } = decision;
  const own = Object.keys(criterionThresholds).length === 0 ? {} : { [CRITERION_THRESHOLDS]: criterionThresholds };
  return { ...config, positiveThreshold: threshold, other: { ...other, [TEMPERATURE]: temperature, ...own } };
}

export const classifierDropout = (config: DebertaConfig): number => config.clsDropout ?? config.hiddenDropoutProb;

/** Keys that this file reads or replaces; all others are handed on. */
const KNOWN_KEYS = new Set([
  ...["model_type", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"],
  ...["hidden_act", "hidden_dropout_prob", "attention_probs_dropout_prob", "max_position_embeddings"],
  ...["type_vocab_size", "initializer_range", "layer_norm_eps", "relative_attention", "max_relative_positions"],
  ...["position_buckets", "norm_rel_ebd", "share_att_key", "pos_att_type", "position_biased_input", "pad_token_id"],
  ...["pooler_dropout", "pooler_hidden_act", "pooler_hidden_size", "cls_dropout", "num_labels", "id2label", "label2id"],
  ...["embedding_size", "conv_kernel_size", "attention_head_size", "classifier_head", "positive_threshold"],
  // Of the saved file or of what it was trained for before, not of the model: written anew, or left out.
  ...["architectures", "auto_map", "dtype", "torch_dtype", "transformers_version", "_name_or_path"],
  ...["problem_type", "sentence_transformers", "sbert_ce_default_activation_function"],
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
  if (object.model_type !== STOCK_TYPE && object.model_type !== OWN_TYPE) {
    throw new EntailError(
      "data",
      "model_type" in object
        ? `${file}: model_type ${JSON.stringify(object.model_type)} is not supported (supported: "${STOCK_TYPE}")`
        : `${file}: model_type is missing (supported: "${STOCK_TYPE}")`,
    );
  }
  if (object.model_type === OWN_TYPE && object.classifier_head === undefined) {
    throw new EntailError("data", `${file}: classifier_head: is missing, which a model of type ${OWN_TYPE} must name`);
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
  const { model_type: type = STOCK_TYPE, tokenizer: _tokenizer, ...rest } = architecture;
  if (type !== STOCK_TYPE) {
    throw new EntailError(
      "usage",
      `model.architecture.model_type must be "${STOCK_TYPE}", not ${JSON.stringify(type)}`,
    );
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
 * `DebertaV2ForSequenceClassification`; the other heads, which it does not have, with the folder's modelling file or
 * not at all.
 */
export function writeConfig(config: DebertaConfig): Record<string, unknown> {
  const type = isStockHead(config.classifierHead)
    ? { architectures: ["DebertaV2ForSequenceClassification"], model_type: STOCK_TYPE }
    : { architectures: [OWN_CLASS], model_type: OWN_TYPE, auto_map: AUTO_MAP };
  return {
    ...config.other,
    ...type,
    dtype: "float32",
    vocab_size: config.vocabSize,
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.numHiddenLayers,
    num_attention_heads: config.numAttentionHeads,
    intermediate_size: config.intermediateSize,
    hidden_act: config.hiddenAct,
    hidden_dropout_prob: config.hiddenDropoutProb,
    attention_probs_dropout_prob: config.attentionProbsDropoutProb,
    ...positionKeys(config),
    type_vocab_size: config.typeVocabSize,
    initializer_range: config.initializerRange,
    layer_norm_eps: config.layerNormEps,
    relative_attention: config.relativeAttention,
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

/**
 * Without absolute positions `max_position_embeddings` only stands in for an absent `max_relative_positions`; but
 * sentence-transformers cuts pairs there. A model of longer pairs says the same with both keys.
 */
function positionKeys(config: DebertaConfig): Record<string, number> {
  const longest = pairMaxLength(config) ?? 0;
  const keep = config.positionBiasedInput || longest <= config.maxPositionEmbeddings;
  return {
    max_position_embeddings: keep ? config.maxPositionEmbeddings : longest,
    max_relative_positions: keep ? config.maxRelativePositions : maxRelativePositions(config),
  };
}

/** Sizes beyond those of any model, which a damaged or hostile file may have: refused before anything is planned. */
const MOST = { layers: 256, width: 1 << 14, inner: 1 << 16, positions: 1 << 20, tokens: 1 << 24 } as const;

function configFrom(json: Record<string, unknown>, source: Source): DebertaConfig {
  const read = fieldReader(json, source);
  const hiddenSize = read.integer("hidden_size", 1536, { min: 1, max: MOST.width });
  const numAttentionHeads = read.integer("num_attention_heads", 24, { min: 1, max: MOST.width });
  if (hiddenSize % numAttentionHeads !== 0) {
    throw read.error("hidden_size", `${hiddenSize} is not a multiple of num_attention_heads, ${numAttentionHeads}`);
  }
  read.only("embedding_size", hiddenSize, "hidden_size");
  read.only("pooler_hidden_size", hiddenSize, "hidden_size");
  read.only("attention_head_size", hiddenSize / numAttentionHeads, "hidden_size / num_attention_heads");
  if (read.integer("conv_kernel_size", 0, { min: 0, max: MOST.positions }) > 0) {
    throw read.error("conv_kernel_size", "a convolution layer is not supported yet: it must be 0 or absent");
  }
  const vocabSize = read.integer("vocab_size", 128100, { min: 1, max: MOST.tokens });
  const padTokenId = json.pad_token_id === null ? null : read.integer("pad_token_id", 0, { max: MOST.tokens });
  if (padTokenId !== null && (padTokenId < 0 || padTokenId >= vocabSize)) {
    throw read.error("pad_token_id", `${padTokenId} is not a token of the vocabulary of ${vocabSize}`);
  }
  return {
    vocabSize,
    hiddenSize,
    numHiddenLayers: read.integer("num_hidden_layers", 24, { min: 1, max: MOST.layers }),
    numAttentionHeads,
    intermediateSize: read.integer("intermediate_size", 6144, { min: 1, max: MOST.inner }),
    hiddenAct: read.word("hidden_act", "gelu", ["gelu"]),
    hiddenDropoutProb: read.rate("hidden_dropout_prob", 0.1),
    attentionProbsDropoutProb: read.rate("attention_probs_dropout_prob", 0.1),
    maxPositionEmbeddings: read.integer("max_position_embeddings", 512, { min: 1, max: MOST.positions }),
    typeVocabSize: read.integer("type_vocab_size", 0, { min: 0, max: MOST.positions }),
    initializerRange: read.number("initializer_range", 0.02, (value) => value >= 0, "a number >= 0"),
    layerNormEps: read.number("layer_norm_eps", 1e-7, (value) => value > 0, "a number > 0"),
    relativeAttention: read.flag("relative_attention", false),
    maxRelativePositions: read.integer("max_relative_positions", -1, { max: MOST.positions }),
    positionBuckets: read.integer("position_buckets", -1, { max: MOST.positions }),
    normRelEbd: read.word("norm_rel_ebd", "none", ["none", "layer_norm"]),
    shareAttKey: read.flag("share_att_key", false),
    posAttType: read.words("pos_att_type", POSITION_TERMS),
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
