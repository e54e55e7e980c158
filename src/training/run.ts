/** Everything that the folds of a run share: pairs, tokens, folds, the model's session, the settings. */
import type { EvidenceOfPairs } from "../augmentation/evidence.ts";
import type { Config } from "../config/schema.ts";
import type { TokenizedPair } from "../dataset/batches.ts";
import { checkFolds, stratifiedGroupKFold, stratifiedKFold } from "../dataset/folds.ts";
import { loadGroundtruth, type Pair } from "../dataset/groundtruth.ts";
import { tokenizePairs } from "../dataset/tokenize.ts";
import { loadTokenizer } from "../dataset/tokenizer.ts";
import { classifierDropout, type DebertaConfig } from "../deberta/config.ts";
import { EntailError } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
import type { BatchCapacity } from "../nn/batch.ts";
import { checkAugmentationKeys } from "./augmentation.ts";
import type { FoldSettings } from "./fold.ts";
import type { ModelSource } from "./model_source.ts";
import type { Reporter } from "./reporter.ts";
import type { SessionOptions } from "./session.ts";
import type { LossWeights } from "./step.ts";

export interface RunData {
  readonly pairs: readonly Pair[];
  readonly tokens: readonly TokenizedPair[];
  /** Validation fold of each pair. */
  readonly folds: readonly number[];
  readonly nSplits: number;
  /** With augmentation: pairs that may become longer in training, up to `data.max_length`. */
  readonly evidence?: EvidenceOfPairs;
}

/** Says no to what a configuration may name but this version does not do, or cannot without another key. */
export function checkAvailable(config: Config): void {
  const { gpu } = config;
  checkAugmentationKeys(config);
  if (gpu.backend !== "deno") {
    throw new EntailError("usage", `gpu.backend: ${gpu.backend} is not available yet; set gpu.backend=deno`);
  }
}

/** Loads and tokenizes the pairs and assigns the folds. */
export async function loadRunData(config: Config, model: ModelSource, reporter: Reporter): Promise<RunData> {
  const { data, kfold, training } = config;
  const pairs = await loadGroundtruth({
    groundtruthCsv: data.groundtruth_csv,
    criteriaJson: data.criteria_json,
    sampleSize: data.sample_size,
    sampleSeed: data.sample_seed,
  });
  const labels = pairs.map((pair) => pair.label);
  const options = { nSplits: kfold.n_splits, seed: config.seed, shuffle: true } as const;
  const folds = kfold.group_by_post
    ? stratifiedGroupKFold(labels, pairs.map((pair) => pair.postId), options)
    : stratifiedKFold(labels, options);
  checkFolds(folds, labels, kfold.n_splits);
  const tokens = await tokenizeFor(model, pairs, {
    maxLength: data.max_length,
    numWorkers: training.num_workers,
    onProgress: (done, total) => reporter.progress("tokenizing", done, total),
  });
  return { pairs, tokens, folds, nSplits: kfold.n_splits };
}

/** Tokenizes pairs with the model's tokenizer, after checking that the model has an embedding for each of its ids. */
export async function tokenizeFor(
  { config, tokenizerFolder }: Pick<ModelSource, "config" | "tokenizerFolder">,
  pairs: readonly { post: string; criterion: string }[],
  options: { maxLength: number; numWorkers?: number | null; onProgress?: (done: number, total: number) => void },
): Promise<TokenizedPair[]> {
  const { vocabSize } = await loadTokenizer(tokenizerFolder);
  if (vocabSize > config.vocabSize) {
    throw new EntailError(
      "data",
      `${tokenizerFolder}: the tokenizer has ${vocabSize} tokens, the model's vocab_size is ${config.vocabSize}; they do not belong together`,
    );
  }
  if (config.positionBiasedInput && options.maxLength > config.maxPositionEmbeddings) {
    throw new EntailError(
      "usage",
      `data.max_length: is ${options.maxLength}, but the model has only ${config.maxPositionEmbeddings} positions`,
    );
  }
  return await tokenizePairs(pairs, { folder: tokenizerFolder, ...options });
}

/** The most that a batch of `batchSize` of these sequences can hold; those of `growing` may get `maxLength` tokens. */
export function batchCapacity(
  tokens: readonly TokenizedPair[],
  batchSize: number,
  growing?: { pairs: { has(index: number): boolean }; maxLength: number },
): BatchCapacity {
  const lengths = tokens.map(({ ids }, index) => growing?.pairs.has(index) ? growing.maxLength : ids.length);
  lengths.sort((a, b) => b - a);
  const largest = lengths.slice(0, batchSize);
  return { tokens: largest.reduce((sum, length) => sum + length, 0), sequences: largest.length, longest: lengths[0] };
}

/**
 * Room for scoring up to `batchSize` sequences at once, fewer where the widest activation of that many would not fit
 * into one binding: logits do not depend on what else is in a batch.
 */
export function scoringCapacity(
  gpu: Gpu,
  config: DebertaConfig,
  tokens: readonly TokenizedPair[],
  batchSize: number,
): BatchCapacity {
  const wanted = batchCapacity(tokens, batchSize);
  const fitting = Math.floor(gpu.maxBindingBytes / (4 * Math.max(config.intermediateSize, config.hiddenSize)));
  return { ...wanted, tokens: Math.max(wanted.longest, Math.min(wanted.tokens, fitting)) };
}

/** What the session for a run's folds must hold. */
export function trainingOptions(
  gpu: Gpu,
  config: Config,
  model: DebertaConfig,
  { tokens, evidence }: RunData,
): SessionOptions {
  const growing = evidence && { pairs: evidence, maxLength: config.data.max_length };
  return {
    inference: scoringCapacity(gpu, model, tokens, config.training.eval_batch_size),
    training: {
      capacity: batchCapacity(tokens, config.training.batch_size, growing),
      lossKind: config.model.loss_type,
      freezeEncoder: config.model.freeze_backbone,
    },
  };
}

/**
 * The settings of a fold whose training pairs have these labels. The batch is that of `openFittingSession`, which has
 * put `target_effective_batch_size` into numbers.
 */
export function foldSettings(config: Config, model: DebertaConfig, trainLabels: readonly number[]): FoldSettings {
  const { training } = config;
  return {
    batchSize: training.batch_size,
    accumulation: training.gradient_accumulation_steps,
    shuffle: training.shuffle,
    learningRate: training.learning_rate,
    warmupRatio: training.warmup_ratio,
    scheduler: training.scheduler_type,
    epochs: training.num_epochs,
    maxSteps: training.max_steps,
    patience: training.early_stopping_patience,
    threshold: config.model.positive_threshold,
    lossKind: config.model.loss_type,
    step: {
      seed: config.seed,
      dropout: {
        hidden: model.hiddenDropoutProb,
        attention: model.attentionProbsDropoutProb,
        pooler: model.poolerDropout,
        classifier: classifierDropout(model),
      },
      loss: lossWeights(config.model, trainLabels),
      weightDecay: training.weight_decay,
      maxGradNorm: training.max_grad_norm ?? 0,
    },
  };
}

/** Class weights from the configuration and, where it leaves them to the data, from the training labels. */
export function lossWeights(
  { focal_gamma, focal_alpha }: Pick<Config["model"], "focal_gamma" | "focal_alpha">,
  trainLabels: readonly number[],
): LossWeights {
  const positives = trainLabels.reduce((sum, label) => sum + label, 0);
  const negatives = trainLabels.length - positives;
  const [alphaPositive, alphaNegative] = focal_alpha === "none"
    ? [1, 1]
    : focal_alpha === null
    ? [negatives / trainLabels.length, positives / trainLabels.length]
    : [focal_alpha, 1 - focal_alpha];
  return { gamma: focal_gamma, alphaPositive, alphaNegative, positiveWeight: negatives / positives };
}
