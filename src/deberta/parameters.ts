/** The model's parameters by transformers' names, and which tensors of a checkpoint they are loaded from. */
import { EntailError } from "../errors.ts";
import type { ParameterSpec } from "../nn/parameters.ts";
import { type DebertaConfig, hasPositionTerm, positionSpan } from "./config.ts";

/** What every encoder tensor's name begins with in a checkpoint of a whole model. */
const BACKBONE = "deberta.";

export const isBackbone = (name: string): boolean => name.startsWith(BACKBONE);

/** Name prefix of encoder layer `index`, e.g. "deberta.encoder.layer.3". */
export const layerPrefix = (index: number): string => `${BACKBONE}encoder.layer.${index}`;

/** Collects parameters; those of the encoder are not trainable when it is frozen. */
function collectParameters({ hiddenSize }: DebertaConfig, freezeBackbone: boolean) {
  const specs: ParameterSpec[] = [];
  const add = (name: string, shape: readonly number[], { decay = true, used = true, product = false } = {}) => {
    specs.push({ name, shape, decay, trainable: used && !(freezeBackbone && isBackbone(name)), product });
  };
  return {
    specs,
    add,
    linear(name: string, rows: number, columns: number) {
      // A head has few rows to multiply: it stays in full precision.
      add(`${name}.weight`, [rows, columns], { product: isBackbone(name) });
      add(`${name}.bias`, [rows], { decay: false });
    },
    layerNorm(name: string, used = true) {
      add(`${name}.weight`, [hiddenSize], { decay: false, used });
      add(`${name}.bias`, [hiddenSize], { decay: false, used });
    },
  };
}

/**
 * All parameters of encoder and classification head, in transformers' order. Biases and LayerNorms have no weight
 * decay; the encoder is not trainable when it is frozen, nor is a table that this configuration has but never reads
 * (PyTorch leaves its gradient empty, and AdamW then passes over it).
 */
export function debertaParameters(
  config: DebertaConfig,
  { freezeBackbone = false }: { freezeBackbone?: boolean } = {},
): ParameterSpec[] {
  const { hiddenSize, classifierHead, labels } = config;
  const parameters = collectParameters(config, freezeBackbone);
  addEncoder(parameters, config);
  if (classifierHead === "pooler_linear") parameters.linear("pooler.dense", hiddenSize, hiddenSize);
  parameters.linear("classifier", labels.length, hiddenSize);
  return parameters.specs;
}

/** Where the head of a masked language model stands in `DebertaV2ForMaskedLM`, and in one that is not `legacy`. */
export const LM_HEAD = "cls.predictions";
const LM_HEAD_NOT_LEGACY = "lm_predictions.lm_head";

/**
 * All parameters of encoder and masked-LM head. The head's last weight is the table of word embeddings. Nothing is
 * trainable: there is no backward for this head.
 */
export function maskedLmParameters(config: DebertaConfig): ParameterSpec[] {
  const { hiddenSize, vocabSize } = config;
  const parameters = collectParameters(config, true);
  addEncoder(parameters, config);
  parameters.linear(`${LM_HEAD}.transform.dense`, hiddenSize, hiddenSize);
  parameters.layerNorm(`${LM_HEAD}.transform.LayerNorm`);
  parameters.add(`${LM_HEAD}.bias`, [vocabSize], { decay: false });
  return parameters.specs.map((spec) => ({ ...spec, trainable: false }));
}

function addEncoder({ add, linear, layerNorm }: ReturnType<typeof collectParameters>, config: DebertaConfig): void {
  const { hiddenSize, intermediateSize } = config;
  const embeddings = `${BACKBONE}embeddings`;
  add(`${embeddings}.word_embeddings.weight`, [config.vocabSize, hiddenSize]);
  if (config.positionBiasedInput) {
    add(`${embeddings}.position_embeddings.weight`, [config.maxPositionEmbeddings, hiddenSize]);
  }
  if (config.typeVocabSize > 0) {
    add(`${embeddings}.token_type_embeddings.weight`, [config.typeVocabSize, hiddenSize]);
  }
  layerNorm(`${embeddings}.LayerNorm`);

  for (let i = 0; i < config.numHiddenLayers; i++) {
    const layer = layerPrefix(i);
    const attention = `${layer}.attention.self`;
    linear(`${attention}.query_proj`, hiddenSize, hiddenSize);
    linear(`${attention}.key_proj`, hiddenSize, hiddenSize);
    linear(`${attention}.value_proj`, hiddenSize, hiddenSize);
    if (!config.shareAttKey) {
      if (hasPositionTerm(config, "c2p")) linear(`${attention}.pos_key_proj`, hiddenSize, hiddenSize);
      if (hasPositionTerm(config, "p2c")) linear(`${attention}.pos_query_proj`, hiddenSize, hiddenSize);
    }
    linear(`${layer}.attention.output.dense`, hiddenSize, hiddenSize);
    layerNorm(`${layer}.attention.output.LayerNorm`);
    linear(`${layer}.intermediate.dense`, intermediateSize, hiddenSize);
    linear(`${layer}.output.dense`, hiddenSize, intermediateSize);
    layerNorm(`${layer}.output.LayerNorm`);
  }

  const used = config.relativeAttention && config.posAttType.length > 0;
  if (config.relativeAttention) {
    add(`${BACKBONE}encoder.rel_embeddings.weight`, [2 * positionSpan(config), hiddenSize], { used });
  }
  if (config.normRelEbd === "layer_norm") layerNorm(`${BACKBONE}encoder.LayerNorm`, used);
}

/** How the tensors of a checkpoint and the parameters of a model belong together. */
export interface TensorMatch {
  /** The stored tensor of each parameter that the checkpoint has, by parameter name. */
  readonly sources: ReadonlyMap<string, string>;
  /** Head parameters that the checkpoint lacks: to be initialised. */
  readonly initialised: readonly string[];
  /** Stored tensors that the model does not have, such as a masked-LM head. */
  readonly ignored: readonly string[];
}

/** Names under which a parameter may be stored, the preferred one first. */
function storedNames(name: string): string[] {
  const plain = [name];
  if (isBackbone(name)) plain.push(name.slice(BACKBONE.length));
  if (name.startsWith(LM_HEAD)) {
    plain.push(name.replace(/^cls\.predictions(\.transform)?/, LM_HEAD_NOT_LEGACY));
    if (name.endsWith("predictions.bias")) plain.push(`${LM_HEAD}.decoder.bias`);
  }
  const legacy = plain.filter((candidate) => candidate.includes("LayerNorm.")).map((candidate) =>
    candidate.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
  );
  return [...plain, ...legacy];
}

/**
 * Finds every parameter among the tensors of a checkpoint: with transformers' name, without the "deberta." of a plain
 * encoder, with either name of a masked-LM head, or with the LayerNorms' old names gamma and beta. `file` names the checkpoint in errors.
 * Throws an `EntailError` of kind "data" if an encoder tensor is missing or a shape differs.
 */
export function matchTensors(
  specs: readonly ParameterSpec[],
  stored: ReadonlyMap<string, readonly number[]>,
  file: string,
): TensorMatch {
  const sources = new Map<string, string>();
  const absent: string[] = [];
  for (const { name, shape } of specs) {
    const source = storedNames(name).find((candidate) => stored.has(candidate));
    if (source === undefined) {
      absent.push(name);
      continue;
    }
    const found = stored.get(source)!;
    if (found.length !== shape.length || found.some((size, i) => size !== shape[i])) {
      throw new EntailError(
        "data",
        `${file}: tensor ${source} has shape [${found.join(", ")}], the model's is [${shape.join(", ")}]`,
      );
    }
    sources.set(name, source);
  }
  const missing = absent.filter(isBackbone);
  if (missing.length > 0) {
    const more = missing.length > 1 ? ` (and ${missing.length - 1} more)` : "";
    throw new EntailError(
      "data",
      `${file}: tensor ${missing[0]} is missing${more}; config.json describes another model`,
    );
  }
  const taken = new Set(sources.values());
  return { sources, initialised: absent, ignored: [...stored.keys()].filter((name) => !taken.has(name)) };
}
