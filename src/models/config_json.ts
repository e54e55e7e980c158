/**
 * The model's configuration as Hugging Face's config.json: read with the defaults of transformers for absent keys, written
 * so that transformers loads it. A head that transformers does not have is saved as a type of its own, which no stock
 * class takes for its family's.
 */
import { EntailError } from "../errors.ts";
import { fieldReader, type Source } from "./config_fields.ts";
import type { Family } from "./family.ts";
import { CLASSIFIER_HEADS, headOf } from "./heads/registry.ts";
import type { ModelConfig } from "./model_config.ts";
import { familyOf, familyOfType, MODEL_TYPES } from "./registry.ts";

/** In front of `model_type` where the head is none of transformers. */
const OWN_TYPE = "entail-";

/** File in a folder whose head transformers does not have, with its classes: what `trust_remote_code=True` loads. */
export const MODELLING_FILE = "modeling_entail.py";

const classesOf = ({ className }: Family) => ({
  AutoConfig: `Entail${className}Config`,
  AutoModelForSequenceClassification: `Entail${className}ForSequenceClassification`,
});

/**
 * A config.json, parsed. `file` names it in errors. `numLabels` are those of the task that the model is to be trained for.
 * Throws an `EntailError` of kind "data" for other model types, wrong values and options that are not supported.
 */
export function parseConfig(json: unknown, file: string, { numLabels }: { numLabels?: number } = {}): ModelConfig {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new EntailError("data", `${file}: not a model configuration: expected an object`);
  }
  const object = json as Record<string, unknown>;
  const { model_type: type } = object;
  const isOwn = typeof type === "string" && type.startsWith(OWN_TYPE);
  const family = familyOfType(isOwn ? type.slice(OWN_TYPE.length) : type);
  if (!family) {
    const supported = `(supported: ${MODEL_TYPES.map((name) => `"${name}"`).join(", ")})`;
    throw new EntailError(
      "data",
      "model_type" in object
        ? `${file}: model_type ${JSON.stringify(type)} is not supported ${supported}`
        : `${file}: model_type is missing ${supported}`,
    );
  }
  if (isOwn && object.classifier_head === undefined) {
    throw new EntailError("data", `${file}: classifier_head: is missing, which a model of type ${type} must name`);
  }
  return configFrom(family, object, { kind: "data", prefix: `${file}: ` }, numLabels);
}

/**
 * The configuration of a model from scratch: `architecture` has the names of config.json and comes from
 * `model.architecture`, which errors (of kind "usage") name.
 */
export function configFromArchitecture(
  architecture: Readonly<Record<string, unknown>>,
  { numLabels, classifierHead, vocabSize }: { numLabels: number; classifierHead: string; vocabSize?: number },
): ModelConfig {
  const { model_type: type = "deberta-v2", tokenizer: _tokenizer, ...rest } = architecture;
  const family = familyOfType(type);
  if (!family) {
    throw new EntailError(
      "usage",
      `model.architecture.model_type must be one of ${MODEL_TYPES.join(", ")}, not ${JSON.stringify(type)}`,
    );
  }
  // A null stands for the default, as in an override that takes a value back.
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null));
  const config = configFrom(
    family,
    { ...given, ...(vocabSize === undefined ? {} : { vocab_size: vocabSize }), num_labels: numLabels },
    { kind: "usage", prefix: "model.architecture." },
  );
  const [foreign] = Object.keys(config.other);
  if (foreign !== undefined) {
    throw new EntailError("usage", `model.architecture.${foreign}: model_type ${type} has no such key; leave it null`);
  }
  return { ...config, classifierHead };
}

/**
 * The object to save as config.json. transformers loads a `pooler_linear` model as the family's
 * `…ForSequenceClassification`; the other heads, which it does not have, with the folder's modelling file or not at all.
 */
export function writeConfig(config: ModelConfig): Record<string, unknown> {
  const family = familyOf(config);
  return {
    ...config.other,
    ...typeKeys(config, family),
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
    pad_token_id: config.padTokenId,
    ...family.writeConfig(config),
    id2label: Object.fromEntries(config.labels.map((label, index) => [index, label])),
    label2id: Object.fromEntries(config.labels.map((label, index) => [label, index])),
    classifier_head: config.classifierHead,
    positive_threshold: config.positiveThreshold,
  };
}

function typeKeys(config: ModelConfig, family: Family): Record<string, unknown> {
  if (headOf(config).isStock) {
    return { architectures: [`${family.className}ForSequenceClassification`], model_type: family.modelType };
  }
  const classes = classesOf(family);
  const module = MODELLING_FILE.replace(/\.py$/, "");
  return {
    architectures: [classes.AutoModelForSequenceClassification],
    model_type: `${OWN_TYPE}${family.modelType}`,
    auto_map: Object.fromEntries(Object.entries(classes).map(([auto, own]) => [auto, `${module}.${own}`])),
  };
}

/** Of the saved file or of what it was trained for before, not of the model: written anew, or left out. */
const NOT_HANDED_ON = new Set([
  ...["model_type", "architectures", "auto_map", "dtype", "torch_dtype", "transformers_version", "_name_or_path"],
  ...["problem_type", "sentence_transformers", "sbert_ce_default_activation_function", "label2id"],
]);

/** Sizes beyond those of any model, which a damaged or hostile file may have: refused before anything is planned. */
const MOST = { layers: 256, width: 1 << 14, inner: 1 << 16, positions: 1 << 20, tokens: 1 << 24 } as const;

function configFrom(
  family: Family,
  json: Record<string, unknown>,
  source: Source,
  numLabels?: number,
): ModelConfig {
  const read = fieldReader(json, source);
  const { defaults } = family;
  const hiddenSize = read.integer("hidden_size", defaults.hidden_size, { min: 1, max: MOST.width });
  const heads = defaults.num_attention_heads;
  const numAttentionHeads = read.integer("num_attention_heads", heads, { min: 1, max: MOST.width });
  if (hiddenSize % numAttentionHeads !== 0) {
    throw read.error("hidden_size", `${hiddenSize} is not a multiple of num_attention_heads, ${numAttentionHeads}`);
  }
  const vocabSize = read.integer("vocab_size", defaults.vocab_size, { min: 1, max: MOST.tokens });
  const padTokenId = read.integerOrNull("pad_token_id", defaults.pad_token_id, { max: MOST.tokens });
  if (padTokenId !== null && (padTokenId < 0 || padTokenId >= vocabSize)) {
    throw read.error("pad_token_id", `${padTokenId} is not a token of the vocabulary of ${vocabSize}`);
  }
  const layers = defaults.num_hidden_layers;
  const shared: ModelConfig = {
    modelType: family.modelType,
    vocabSize,
    hiddenSize,
    numHiddenLayers: read.integer("num_hidden_layers", layers, { min: 1, max: MOST.layers }),
    numAttentionHeads,
    intermediateSize: read.integer("intermediate_size", defaults.intermediate_size, { min: 1, max: MOST.inner }),
    hiddenAct: read.word("hidden_act", "gelu", ["gelu"]),
    hiddenDropoutProb: read.rate("hidden_dropout_prob", 0.1),
    attentionProbsDropoutProb: read.rate("attention_probs_dropout_prob", 0.1),
    maxPositionEmbeddings: read.integer("max_position_embeddings", 512, { min: 1, max: MOST.positions }),
    typeVocabSize: read.integer("type_vocab_size", defaults.type_vocab_size, { min: 0, max: MOST.positions }),
    initializerRange: read.number("initializer_range", 0.02, (value) => value >= 0, "a number >= 0"),
    layerNormEps: read.number("layer_norm_eps", defaults.layer_norm_eps, (value) => value > 0, "a number > 0"),
    padTokenId,
    classifierDropout: null,
    labels: read.labels(numLabels),
    classifierHead: read.word("classifier_head", "pooler_linear", CLASSIFIER_HEADS),
    positiveThreshold: read.number("positive_threshold", 0.5, (value) => value >= 0 && value <= 1, "in [0, 1]"),
    other: {},
  };
  const config = family.readConfig(read, shared);
  const other = Object.entries(read.rest()).filter(([key]) => !NOT_HANDED_ON.has(key));
  return { ...config, other: Object.fromEntries(other) };
}
