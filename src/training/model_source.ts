/** Where a run's model comes from: a Hugging Face folder, or an architecture and a seed. */
import type { Config } from "../config/schema.ts";
import {
  checkWeights,
  initialiseWeights,
  loadWeights,
  readModelConfig,
  requireModelFolder,
} from "../deberta/checkpoint.ts";
import {
  CLASSIFIER_HEADS,
  type ClassifierHead,
  configFromArchitecture,
  type DebertaConfig,
  withOrigin,
} from "../deberta/config.ts";
import { loadFittingTokenizer } from "../dataset/tokenizer.ts";
import { EntailError } from "../errors.ts";
import type { ParameterStore } from "../nn/parameters.ts";

export interface ModelSource {
  readonly config: DebertaConfig;
  readonly tokenizerFolder: string;
  /** Uploads the parameters that training starts from; those that no file has come from the seed. */
  initialise(parameters: ParameterStore): Promise<void>;
}

/** Reads and checks what `model.*` names. Throws usage or data errors, before anything is allocated. */
export async function openModelSource({ model, data, seed }: Config): Promise<ModelSource> {
  const head = model.classifier_head as ClassifierHead;
  if (!CLASSIFIER_HEADS.includes(head)) {
    throw new EntailError(
      "usage",
      `model.classifier_head: ${head} is not available yet; use one of ${CLASSIFIER_HEADS.join(", ")}`,
    );
  }
  if (model.model_name === null) {
    const architecture = model.architecture!;
    await loadFittingTokenizer(architecture.tokenizer, architecture.vocab_size);
    const config = configFromArchitecture(architecture, { numLabels: model.num_labels, classifierHead: head });
    return {
      config: withOverrides(config, model, data.max_length),
      tokenizerFolder: architecture.tokenizer,
      initialise: (parameters) => Promise.resolve(initialiseWeights(parameters, config, seed)),
    };
  }
  const folder = await requireModelFolder(model.model_name);
  const stored = await readModelConfig(folder);
  await loadFittingTokenizer(folder, stored.vocabSize);
  const labels = stored.labels.length === model.num_labels
    ? stored.labels
    : Array.from({ length: model.num_labels }, (_, index) => `LABEL_${index}`);
  const config = withOverrides({ ...stored, labels, classifierHead: head }, model, data.max_length);
  await checkWeights(config, folder);
  return {
    config,
    tokenizerFolder: folder,
    initialise: async (parameters) => void await loadWeights(parameters, config, folder, seed),
  };
}

/** Dropouts and threshold of the configuration; a null dropout leaves the model's own. */
function withOverrides(config: DebertaConfig, model: Config["model"], maxLength: number): DebertaConfig {
  const overridden = {
    ...config,
    hiddenDropoutProb: model.hidden_dropout ?? config.hiddenDropoutProb,
    attentionProbsDropoutProb: model.attention_dropout ?? config.attentionProbsDropoutProb,
    clsDropout: model.classifier_dropout ?? config.clsDropout,
    positiveThreshold: model.positive_threshold,
  };
  return withOrigin(overridden, maxLength, model.model_name);
}
