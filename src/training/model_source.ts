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
  const head = model.classifier_head;
  if (model.model_name === null) {
    const architecture = model.architecture!;
    const config = configFromArchitecture(architecture, { numLabels: model.num_labels, classifierHead: head });
    await loadFittingTokenizer(architecture.tokenizer, config.vocabSize);
    return {
      config: withOverrides(config, configured, null),
      tokenizerFolder: architecture.tokenizer,
      folder: null,
      initialise: (parameters) => Promise.resolve(initialiseWeights(parameters, config, seed)),
    };
  }
  const folder = await modelFolder(model.model_name, {
    ...downloadReport(reporter),
    signal,
    accept: readModelConfig,
  });
  const origin = folder === model.model_name ? null : parseModelId(model.model_name)!.repo;
  const stored = await readModelConfig(folder);
  await loadFittingTokenizer(folder, stored.vocabSize);
  const labels = stored.labels.length === model.num_labels
    ? stored.labels
    : Array.from({ length: model.num_labels }, (_, index) => `LABEL_${index}`);
  const config = withOverrides({ ...stored, labels, classifierHead: head }, configured, origin);
  await checkWeights(config, folder);
  return {
    config,
    tokenizerFolder: folder,
    folder,
    initialise: async (parameters) => void await loadWeights(parameters, config, folder, seed),
  };
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
