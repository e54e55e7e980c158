/** What a configuration means in numbers: what it asks for in vain, sizes of batches, settings of a fold. */
import { type Config, parseConfigText } from "../config/config.ts";
import type { EncodedPair } from "../dataset/batches.ts";
import type { ModelConfig } from "../models/model_config.ts";
import { adapterScale } from "../models/adapter.ts";
import { dropoutRates, longestSequence } from "../models/model.ts";
import type { Gpu } from "../gpu/device.ts";
import { elementBytes } from "../gpu/dtype.ts";
import type { BatchCapacity } from "../nn/batch.ts";
import { type Precision, storageOf } from "../nn/plan.ts";
import { chunkingOf, pairLimits } from "./chunking.ts";
import { decisionSettings, decisionsInVain } from "./decisions.ts";
import type { FoldSettings } from "./fold.ts";
import { LOSSES, lossKeysInVain, lossWeights } from "./losses.ts";
import { choosePrecision } from "./precision.ts";
import type { RunData } from "./run_data.ts";
import type { SessionOptions } from "./session.ts";
import type { StepSettings } from "./step.ts";

/** What a configuration asks for in vain, or without what it needs. A line for people about each. */
export function settingsInVain(config: Config): string[] {
  const { gpu, data, model, training, evaluation, reproducibility } = config;
  const { use_torch_compile, fused_adamw } = training.optimization;
  const { recompute, layerwise_lr_decay, neg_per_pos, xpost_neg_frac, hard_neg_frac, num_epochs, max_steps } = training;
  return [
    !use_torch_compile &&
    (gpu.tune === "off"
      ? "training.optimization.use_torch_compile=false has no effect: a step is always recorded once and replayed"
      : `training.optimization.use_torch_compile=false: gpu.tune=${gpu.tune} is left out`),
    !fused_adamw && "training.optimization.fused_adamw=false has no effect: the update is always one kernel",
    !reproducibility.deterministic &&
    "reproducibility.deterministic=false has no effect: the same seed always gives the same bits",
    data.pc_topM_enable && data.chunk_max_len === null &&
    "data.pc_topM_enable=true has no effect: posts are not cut into chunks; set data.chunk_max_len",
    ...Object.entries({ xpost_neg_frac, hard_neg_frac }).map(([key, share]) =>
      neg_per_pos === null && share !== 0 && `training.${key}=${share} has no effect without training.neg_per_pos`
    ),
    neg_per_pos !== null && hard_neg_frac !== 0 && num_epochs === 1 && max_steps === null &&
    `training.hard_neg_frac=${hard_neg_frac} has no effect in a single epoch: it goes by the model of the epoch before`,
    model.freeze_backbone && recompute === true &&
    "training.recompute=true has no effect with model.freeze_backbone=true: nothing is kept of the encoder",
    model.freeze_backbone && layerwise_lr_decay !== 1 &&
    `training.layerwise_lr_decay=${layerwise_lr_decay} has no effect with model.freeze_backbone=true`,
    data.teacher_scores !== null && !LOSSES[model.loss_type].teaching &&
    `data.teacher_scores has no effect with model.loss_type=${model.loss_type}`,
    model.loss_type === "margin_mse" && evaluation.threshold_mode !== "per_class" &&
    `model.loss_type=margin_mse leaves the level of each criterion's scores open: evaluation.threshold_mode=per_class finds it`,
    ...lossKeysInVain(model, parseConfigText("{}", "defaults").model),
    ...loraKeysInVain(config, parseConfigText("{}", "defaults")),
    ...decisionsInVain(config),
  ].filter((line) => line !== false);
}

/** Where no trial has adapters either. */
function loraKeysInVain({ model: { lora }, hpo }: Config, { model: { lora: defaults } }: Config): string[] {
  if (lora.r !== null || Object.values(hpo.search_space).some(({ key }) => key === "model.lora.r")) return [];
  return Object.entries(lora).filter(([key, value]) => value !== defaults[key as keyof typeof defaults])
    .map(([key, value]) => `model.lora.${key}=${value} has no effect without model.lora.r`);
}

/** The most that a batch of `batchSize` sequences of these pairs can hold, each as long as `longestOf` says. */
export function batchCapacity(
  tokens: readonly EncodedPair[],
  batchSize: number,
  longestOf: (length: number, index: number) => number = (length) => length,
): BatchCapacity {
  const lengths = tokens.flatMap(({ chunks }, index) => chunks.map(({ ids }) => longestOf(ids.length, index)));
  lengths.sort((a, b) => b - a);
  const largest = lengths.slice(0, batchSize);
  return { tokens: largest.reduce((sum, length) => sum + length, 0), sequences: largest.length, longest: lengths[0] };
}

/** The longest sequence is rounded up to so many tokens: other pairs are likely to fit then. */
const LENGTHS = 64;

/** Of a batch that is scored: more of them would gain nothing. */
const MOST_SEQUENCES = 4096;

/**
 * Room for scoring `batchSize` of the longest sequences at once, fewer where the widest activation of that many would not
 * fit into one binding, and as many shorter ones as fill it: logits do not depend on what else is in a batch.
 */
export function scoringCapacity(
  gpu: Gpu,
  config: ModelConfig,
  pairs: readonly EncodedPair[],
  batchSize: number,
  precision: Precision,
): BatchCapacity {
  const wanted = batchCapacity(pairs, batchSize);
  const longest = Math.max(
    wanted.longest,
    Math.min(LENGTHS * Math.ceil(wanted.longest / LENGTHS), longestSequence(config)),
  );
  const rowBytes = (width: number) => width * elementBytes(storageOf(precision, width));
  const widest = Math.max(rowBytes(config.intermediateSize), rowBytes(config.hiddenSize));
  const fitting = Math.floor(gpu.maxBindingBytes / widest);
  const tokens = Math.max(longest, Math.min(wanted.tokens, fitting));
  const lengths = pairs.flatMap(({ chunks }) => chunks.map(({ ids }) => ids.length)).sort((a, b) => a - b);
  let [sequences, room] = [0, tokens];
  while (sequences < Math.min(lengths.length, MOST_SEQUENCES) && room >= lengths[sequences]) {
    room -= lengths[sequences++];
  }
  return { tokens, sequences, longest };
}

/** What the session for a run's folds must hold; with a `tokenBudget`, micro-batches have so many tokens at most. */
export function trainingOptions(
  gpu: Gpu,
  config: Config,
  model: ModelConfig,
  { pairs, tokens, evidence, growth }: RunData,
  tokenBudget: number | null = null,
): SessionOptions {
  const { maxLength } = pairLimits(config.data);
  /** What training may make of a sequence; where a post has several chunks, the last may come to be a whole one. */
  const longestOf = (length: number, index: number): number => {
    const more = growth?.get(pairs[index].criterionId) ?? 0;
    const isOpen = evidence?.has(index) || more > 0 && tokens[index].chunks.length > 1;
    return isOpen ? maxLength : Math.min(maxLength, length + more);
  };
  const precision = choosePrecision(gpu, config.training.optimization.precision);
  const { batchSize } = splitOf(config);
  const capacity = batchCapacity(tokens, batchSize, longestOf);
  return {
    inference: scoringCapacity(gpu, model, tokens, config.training.eval_batch_size, precision),
    precision,
    training: {
      capacity: { ...capacity, tokens: Math.min(capacity.tokens, tokenBudget ?? Infinity) },
      lossKind: LOSSES[config.model.loss_type].kind,
      freezeEncoder: config.model.freeze_backbone,
      layerRates: config.training.layerwise_lr_decay !== 1,
    },
  };
}

/** With a target, a batch is a whole step, which is dealt into micro-batches, and the mean of its loss is over its pairs. */
function splitOf(
  { training }: Config,
): Pick<FoldSettings, "batchSize" | "accumulation"> & Pick<StepSettings, "meanOf"> {
  const { target_effective_batch_size: target, batch_size, gradient_accumulation_steps } = training;
  return target === null
    ? { batchSize: batch_size, accumulation: gradient_accumulation_steps, meanOf: "micro-batches" }
    : { batchSize: target, accumulation: 1, meanOf: "sequences" };
}

/** The settings of a fold whose training pairs have these labels; `tokenBudget` is that of `openFittingSession`. */
export function foldSettings(
  config: Config,
  model: ModelConfig,
  trainLabels: readonly number[],
  tokenBudget: number | null = null,
): FoldSettings {
  const { training } = config;
  const { meanOf, ...split } = splitOf(config);
  const { kind, comparesWithin } = LOSSES[config.model.loss_type];
  return {
    ...split,
    tokenBudget,
    shuffle: training.shuffle,
    negatives: training.neg_per_pos === null ? null : {
      perPositive: training.neg_per_pos,
      crossPostFraction: training.xpost_neg_frac,
      hardFraction: training.hard_neg_frac,
    },
    learningRate: training.learning_rate,
    warmupRatio: training.warmup_ratio,
    scheduler: training.scheduler_type,
    epochs: training.num_epochs,
    maxSteps: training.max_steps,
    patience: training.early_stopping_patience,
    decision: decisionSettings(config),
    aggregation: chunkingOf(config),
    topChunks: config.data.chunk_max_len !== null && config.data.pc_topM_enable ? config.data.pc_topM_M : null,
    lossKind: kind,
    compareWithin: comparesWithin ?? null,
    step: {
      seed: config.seed,
      dropout: dropoutRates(model),
      adapter: model.adapter && { dropout: model.adapter.dropout, scale: adapterScale(model.adapter) },
      loss: lossWeights(config.model, trainLabels),
      weightDecay: training.weight_decay,
      layerDecay: training.layerwise_lr_decay,
      maxGradNorm: training.max_grad_norm ?? 0,
      meanOf,
    },
  };
}
