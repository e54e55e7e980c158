/** The model's parameters by transformers' names, and which tensors of a checkpoint they are loaded from. */
import { EntailError } from "../errors.ts";
import type { ParameterSpec } from "../nn/parameters.ts";
import { collectParameters } from "./collector.ts";
import type { Family } from "./family.ts";
import { headOf } from "./heads/registry.ts";
import type { ModelConfig } from "./model_config.ts";
import { wordWidth } from "./embeddings.ts";
import { isLoraParameter } from "./adapter.ts";
import { familyOf } from "./registry.ts";

/** Whether a parameter belongs to the encoder, which a checkpoint must have: a head may be new. */
const isEncoder = ({ prefix, ownHead }: Family, name: string): boolean =>
  name.startsWith(prefix) && !name.startsWith(ownHead.dense);

/** Whether a parameter belongs to the encoder, not to the head. */
export const isEncoderParameter = (config: Pick<ModelConfig, "modelType">, name: string): boolean =>
  isEncoder(familyOf(config), name);

/**
 * All parameters of encoder and classification head, in transformers' order. Biases and LayerNorms have no weight
 * decay. A frozen backbone is all that stands below the family's prefix, as `base_model` in transformers; with adapters they
 * and the head are trained, and the rest of the encoder is frozen. A table that this configuration has but never reads is
 * not trainable either. A head has few rows to multiply: it stays in full precision.
 */
export function modelParameters(
  config: ModelConfig,
  { freezeBackbone = false }: { freezeBackbone?: boolean } = {},
): ParameterSpec[] {
  const family = familyOf(config);
  const parameters = collectParameters({
    trainable: (name) => {
      if (config.adapter) return isLoraParameter(name) || !isEncoder(family, name);
      return !(freezeBackbone && name.startsWith(family.prefix));
    },
    products: (name) => isEncoder(family, name),
    adapter: config.adapter,
  });
  family.encoderParameters(parameters, config);
  headOf(config).parameters(parameters, config);
  return parameters.specs;
}

/**
 * All parameters of encoder and masked-LM head. The head's last weight is the table of word embeddings. Nothing is
 * trainable: there is no backward for this head.
 */
export function maskedLmParameters(config: ModelConfig): ParameterSpec[] {
  const family = familyOf(config);
  const { dense, norm, bias } = family.maskedLm;
  const parameters = collectParameters({ trainable: () => false, products: (name) => isEncoder(family, name) });
  family.encoderParameters(parameters, config);
  const width = wordWidth(parameters.specs, family.prefix);
  parameters.linear(dense, width, config.hiddenSize);
  parameters.layerNorm(norm, width);
  parameters.add(bias, [config.vocabSize], { decay: false });
  return parameters.specs;
}

/** How the tensors of a checkpoint and the parameters of a model belong together. */
export interface TensorMatch {
  /** The stored tensor of each parameter that the checkpoint has, by parameter name. */
  readonly sources: ReadonlyMap<string, string>;
  /** Head parameters that the checkpoint lacks, or has in another shape: to be initialised. */
  readonly initialised: readonly string[];
  /** Stored tensors that the model does not have, such as a masked-LM head. */
  readonly ignored: readonly string[];
}

/** Names under which a parameter may be stored, the preferred one first. */
function storedNames({ prefix, maskedLm }: Family, name: string): string[] {
  const plain = [name];
  if (name.startsWith(prefix)) plain.push(name.slice(prefix.length));
  const { dense, norm, bias } = maskedLm;
  if ([dense, norm, bias].some((part) => name.startsWith(part))) plain.push(...maskedLm.aliases(name));
  const legacy = plain.filter((candidate) => candidate.includes("LayerNorm.")).map((candidate) =>
    candidate.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
  );
  return [...plain, ...legacy];
}

/**
 * Finds every parameter of a model among the tensors of a checkpoint: with transformers' name, without the prefix of a
 * plain encoder, with either name of a masked-LM head, or with the LayerNorms' old names gamma and beta. `file` names the
 * checkpoint in errors. Throws an `EntailError` of kind "data" if an encoder tensor is missing or a shape differs; a head
 * that need not be `trained` may be one for other labels.
 */
export function matchTensors(
  config: ModelConfig,
  specs: readonly ParameterSpec[],
  stored: ReadonlyMap<string, readonly number[]>,
  file: string,
  { trained = true }: { trained?: boolean } = {},
): TensorMatch {
  const family = familyOf(config);
  const sources = new Map<string, string>();
  const absent: string[] = [];
  for (const { name, shape } of specs) {
    const source = storedNames(family, name).find((candidate) => stored.has(candidate));
    if (source === undefined) {
      absent.push(name);
      continue;
    }
    const found = stored.get(source)!;
    if (found.length !== shape.length || found.some((size, i) => size !== shape[i])) {
      if (!trained && !isEncoder(family, name)) {
        absent.push(name);
        continue;
      }
      throw new EntailError(
        "data",
        `${file}: tensor ${source} has shape [${found.join(", ")}], the model's is [${shape.join(", ")}]`,
      );
    }
    sources.set(name, source);
  }
  const missing = absent.filter((name) => isEncoder(family, name) && !isLoraParameter(name));
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
