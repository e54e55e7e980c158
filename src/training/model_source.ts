/** Where a run's model comes from: a Hugging Face folder, a model of the hub, or an architecture and a seed. */
import { resolve } from "node:path";
import type { Config } from "../config/schema.ts";
import { EntailError } from "../errors.ts";
import type { Adapter, WeightsFolder } from "../models/adapter.ts";
import { checkWeights, initialiseWeights, loadWeights } from "../models/checkpoint.ts";
import { withChunking } from "../models/chunking.ts";
import { configFromArchitecture } from "../models/config_json.ts";
import { type ModelConfig, withLabels, withOrigin } from "../models/model_config.ts";
import { withDecision } from "../models/decision.ts";
import { loadFittingTokenizer } from "../dataset/tokenizer.ts";
import { type ModelId, parseModelId } from "../hub/model_id.ts";
import type { ParameterStore } from "../nn/parameters.ts";
import { openCheckpoint } from "./checkpoint_folder.ts";
import { chunkingOf, pairLimits } from "./chunking.ts";
import { downloadReport, type Reporter, silentReporter } from "./reporter.ts";

export interface ModelSource {
  readonly config: ModelConfig;
  readonly tokenizerFolder: string;
  /** The weights that training starts from; null for a model from scratch. */
  readonly weights: WeightsFolder | null;
  /** A line about the layers of the head that begin at random; null: none do, or all of the model does. */
  readonly newHead: string | null;
  /** Uploads the parameters that training starts from; those that no file has come from the seed. */
  initialise(parameters: ParameterStore): Promise<void>;
}

/**
 * Reads and checks what `model.*` names, downloading it if need be. Throws usage or data errors, before anything is
 * allocated.
 */
export async function openModelSource(
  configured: Config,
  { reporter = silentReporter, signal }: { reporter?: Reporter; signal?: AbortSignal } = {},
): Promise<ModelSource> {
  const { model, seed } = configured;
  const { num_labels: numLabels } = model;
  const head = model.classifier_head;
  if (model.model_name === null) {
    const architecture = model.architecture!;
    const config = configFromArchitecture({ ...architecture }, { numLabels, classifierHead: head });
    await loadFittingTokenizer(architecture.tokenizer, config.vocabSize);
    return {
      config: withOverrides(config, configured, null),
      tokenizerFolder: architecture.tokenizer,
      weights: null,
      newHead: null,
      initialise: (parameters) => Promise.resolve(initialiseWeights(parameters, config, seed)),
    };
  }
  const { weights, config: stored, tokenizerFolder } = await openCheckpoint(model.model_name, {
    ...downloadReport(reporter),
    signal,
    numLabels,
  });
  const isFolder = weights === model.model_name || typeof weights !== "string" && weights.adapter === model.model_name;
  const id = isFolder ? null : parseModelId(model.model_name)!;
  await loadFittingTokenizer(tokenizerFolder, stored.vocabSize);
  const adapter = adapterOf(model, { weights, id });
  const labelled = withLabels({ ...stored, adapter, classifierHead: head }, numLabels);
  const config = withOverrides(labelled, configured, id?.repo ?? null);
  const initialised = await checkWeights(config, weights);
  return {
    config,
    tokenizerFolder,
    weights,
    newHead: newHead(model.model_name, initialised, numLabels),
    initialise: async (parameters) => void await loadWeights(parameters, config, weights, seed),
  };
}

function newHead(modelName: string, initialised: readonly string[], numLabels: number): string | null {
  if (initialised.length === 0) return null;
  const layers = [...new Set(initialised.map((name) => name.replace(/\.(weight|bias)$/, "")))].join(" and ");
  return `${modelName} has no ${layers} for ${numLabels === 1 ? "1 label" : `${numLabels} labels`}: new, from the seed`;
}

/** The adapters that a configuration asks for; undefined: none. Usage error where others could not find their base. */
function adapterOf(
  { model_name, lora }: Config["model"],
  { weights, id }: { weights: WeightsFolder; id: ModelId | null },
): Adapter | undefined {
  const { r: rank, ...rest } = lora;
  if (rank === null) return undefined;
  if (rest.save === "adapter" && typeof weights !== "string") {
    throw new EntailError(
      "usage",
      `model.lora.save: must be merged where model.model_name is itself an adapter, as ${model_name} is`,
    );
  }
  const revision = id === null || id.revision === "main" ? null : id.revision;
  return { rank, ...rest, base: { weights, name: id === null ? resolve(model_name!) : id.repo, revision } };
}

/**
 * Dropouts, threshold, lengths and chunks of the configuration; a null dropout leaves the model's own. `origin` is its hub
 * id, if any.
 */
function withOverrides(config: ModelConfig, configured: Config, origin: string | null): ModelConfig {
  const { model, data } = configured;
  const overridden = {
    ...config,
    hiddenDropoutProb: model.hidden_dropout ?? config.hiddenDropoutProb,
    attentionProbsDropoutProb: model.attention_dropout ?? config.attentionProbsDropoutProb,
    classifierDropout: model.classifier_dropout ?? config.classifierDropout,
    positiveThreshold: model.positive_threshold,
  };
  const read = withOrigin(withDecision(overridden, null), pairLimits(data).maxLength, origin);
  return withChunking(read, chunkingOf(configured));
}
