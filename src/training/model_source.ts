/** Where a run's model comes from: a Hugging Face folder, a model of the hub, or an architecture and a seed. */
import type { Config } from "../config/schema.ts";
import { checkWeights, initialiseWeights, loadWeights, readModelConfig } from "../models/checkpoint.ts";
import { withChunking } from "../models/chunking.ts";
import { configFromArchitecture } from "../models/config_json.ts";
import { type ModelConfig, withOrigin } from "../models/model_config.ts";
import { withDecision } from "../models/decision.ts";
import { loadFittingTokenizer } from "../dataset/tokenizer.ts";
import { modelFolder } from "../hub/model_folder.ts";
import { parseModelId } from "../hub/model_id.ts";
import type { ParameterStore } from "../nn/parameters.ts";
import { chunkingOf, pairLimits } from "./chunking.ts";
import { downloadReport, type Reporter, silentReporter } from "./reporter.ts";

export interface ModelSource {
  readonly config: ModelConfig;
  readonly tokenizerFolder: string;
  /** The folder of the weights that training starts from; null for a model from scratch. */
  readonly folder: string | null;
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
    const config = configFromArchitecture(architecture, { numLabels, classifierHead: head });
    await loadFittingTokenizer(architecture.tokenizer, config.vocabSize);
    return {
      config: withOverrides(config, configured, null),
      tokenizerFolder: architecture.tokenizer,
      folder: null,
      newHead: null,
      initialise: (parameters) => Promise.resolve(initialiseWeights(parameters, config, seed)),
    };
  }
  const folder = await modelFolder(model.model_name, {
    ...downloadReport(reporter),
    signal,
    accept: (folder) => readModelConfig(folder, { numLabels }),
  });
  const origin = folder === model.model_name ? null : parseModelId(model.model_name)!.repo;
  const stored = await readModelConfig(folder, { numLabels });
  await loadFittingTokenizer(folder, stored.vocabSize);
  const config = withOverrides({ ...stored, classifierHead: head }, configured, origin);
  const initialised = await checkWeights(config, folder);
  return {
    config,
    tokenizerFolder: folder,
    folder,
    newHead: newHead(model.model_name, initialised, numLabels),
    initialise: async (parameters) => void await loadWeights(parameters, config, folder, seed),
  };
}

function newHead(modelName: string, initialised: readonly string[], numLabels: number): string | null {
  if (initialised.length === 0) return null;
  const layers = [...new Set(initialised.map((name) => name.replace(/\.(weight|bias)$/, "")))].join(" and ");
  return `${modelName} has no ${layers} for ${numLabels === 1 ? "1 label" : `${numLabels} labels`}: new, from the seed`;
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
