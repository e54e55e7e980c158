/**
 * The schema of the configuration: every key, its type, its range and its default. The values that a run uses come
 * from `configs/`; the defaults here stand in for keys that a configuration file leaves out, and are the same values.
 */
import { z } from "../packages/zod.ts";
import { address, flag, integer, oneOf, orNull, real, text } from "./fields.ts";
import { HpoSchema } from "./hpo_schema.ts";
import type { Config } from "./settings.ts";

/** Where the pairs are, and how long they may be. */
const DataSchema = z.strictObject({
  groundtruth_csv: text("a file name").default("data/redsm5/groundtruth.csv"),
  criteria_json: text("a file name").default("data/DSM5/criteria.json"),
  annotations_csv: orNull(text("a file name"), "no evidence annotations").default(null),
  teacher_scores: orNull(text("a file name"), "columns of data.groundtruth_csv").default(null),
  max_length: integer({ min: 4 }).default(512),
  chunk_max_len: orNull(integer({ min: 4 }), "posts are cut at their end").default(null),
  chunk_stride: integer({ min: 0 }).default(128),
  pc_topM_enable: flag().default(false),
  pc_topM_M: integer({ min: 1 }).default(8),
  sample_size: orNull(integer({ min: 1 }), "everything").default(null),
  sample_seed: integer({ min: 0, max: 2 ** 32 - 1 }).default(42),
}).superRefine((data, context) => {
  if (data.chunk_max_len === null || data.chunk_stride < data.chunk_max_len) return;
  const message = `must be less than data.chunk_max_len=${data.chunk_max_len}, not ${data.chunk_stride}`;
  context.addIssue({ code: "custom", path: ["chunk_stride"], message });
});

/** How the scores of a post's chunks make that of a pair. */
const DROPOUT = real({ min: 0, below: 1 });

const POSITION_ATTENTION = z.preprocess(
  (value) => typeof value === "string" ? value.split("|") : value,
  z.array(z.enum(["c2p", "p2c"])),
).describe("a list of c2p and p2c");

/** A key of an architecture that is left to what transformers takes for the model type. */
const ofType = <Schema extends z.ZodType>(schema: Schema) => orNull(schema, "as in transformers").default(null);

/**
 * A model from scratch, in the words of Hugging Face's config.json, and the tokenizer that goes with it (default: the
 * demo's). What is null is what transformers takes for this `model_type`; keys that a type does not have are refused
 * where the model is made (src/models/config_json.ts).
 */
const ArchitectureSchema = z.strictObject({
  model_type: text("deberta-v2, bert, roberta or xlm-roberta").default("deberta-v2"),
  tokenizer: text("a folder with a tokenizer").default("${entail:project}/data/demo/model"),
  vocab_size: ofType(integer({ min: 1 })),
  hidden_size: ofType(integer({ min: 1 })),
  num_hidden_layers: ofType(integer({ min: 1 })),
  num_attention_heads: ofType(integer({ min: 1 })),
  intermediate_size: ofType(integer({ min: 1 })),
  hidden_act: text("an activation of transformers").default("gelu"),
  hidden_dropout_prob: DROPOUT.default(0.1),
  attention_probs_dropout_prob: DROPOUT.default(0.1),
  max_position_embeddings: integer({ min: 1 }).default(512),
  type_vocab_size: ofType(integer({ min: 0 })),
  layer_norm_eps: ofType(real({ above: 0 })),
  initializer_range: real({ min: 0 }).default(0.02),
  pad_token_id: ofType(integer({ min: 0 })),
  relative_attention: ofType(flag()),
  max_relative_positions: ofType(integer({ min: -1 })),
  position_buckets: ofType(integer({ min: -1 })),
  norm_rel_ebd: ofType(oneOf(["none", "layer_norm"])),
  share_att_key: ofType(flag()),
  pos_att_type: orNull(POSITION_ATTENTION, "no position terms").default(null),
  position_biased_input: ofType(flag()),
  embedding_size: ofType(integer({ min: 1 })),
  conv_kernel_size: ofType(integer({ min: 0 })),
  conv_groups: ofType(integer({ min: 1 })),
  conv_act: ofType(oneOf(["tanh", "gelu"])),
  pooler_hidden_act: ofType(text("an activation of transformers")),
  pooler_hidden_size: ofType(integer({ min: 1 })),
  pooler_dropout: ofType(DROPOUT),
  classifier_dropout: ofType(DROPOUT),
});

/** Adapters that are trained instead of the encoder. */
const LoraSchema = z.strictObject({
  r: orNull(integer({ min: 1 }), "no adapters, the encoder is trained itself").default(null),
  alpha: real({ above: 0 }).default(32),
  dropout: DROPOUT.default(0.1),
  targets: oneOf(["qkv", "qkvd"]).default("qkvd"),
  bits: oneOf(["none", "8bit", "4bit"]).default("none"),
  save: oneOf(["merged", "adapter"]).default("merged"),
});

/** The encoder, its head and its loss. */
const ModelSchema = z.strictObject({
  model_name: orNull(text("a Hugging Face folder or hub id"), "from scratch, by model.architecture").default(
    "microsoft/deberta-v3-base",
  ),
  num_labels: integer({ min: 1, max: 2 }).default(2),
  classifier_head: oneOf([
    "pooler_linear",
    "linear",
    "mean_pooling",
    "max_pooling",
    "attention_pooling",
    "mlp1",
    "mlp2",
  ]).default("pooler_linear"),
  classifier_dropout: orNull(DROPOUT, "as the model's config.json says").default(null),
  hidden_dropout: orNull(DROPOUT, "as the model's config.json says").default(null),
  attention_dropout: orNull(DROPOUT, "as the model's config.json says").default(null),
  loss_type: oneOf(["ce", "bce", "weighted_bce", "focal", "cb_focal", "bce+rank", "distillation", "mse", "margin_mse"])
    .default("focal"),
  focal_gamma: real({ min: 0 }).default(2),
  focal_alpha: z.union([real({ min: 0, max: 1 }), z.literal("none"), z.null()])
    .describe("a number in [0, 1], null (from the class frequencies) or none").default(null),
  cb_beta: real({ above: 0, below: 1 }).default(0.999),
  pos_weight_scale: real({ above: 0 }).default(3),
  rank_margin: real({ min: 0 }).default(0.2),
  rank_weight: real({ min: 0 }).default(0.5),
  label_smoothing: real({ min: 0, below: 1 }).default(0),
  distill_alpha: real({ min: 0, max: 1 }).default(0.5),
  distill_temperature: real({ above: 0 }).default(1),
  positive_threshold: real({ min: 0, max: 1 }).default(0.5),
  freeze_backbone: flag().default(false),
  lora: LoraSchema.prefault({}),
  architecture: orNull(ArchitectureSchema.describe("a mapping of Hugging Face's config.json names")).default(null),
}).superRefine((model, context) => {
  const { architecture, lora } = model;
  if (lora.r !== null && (model.freeze_backbone || model.model_name === null)) {
    const message = model.freeze_backbone
      ? "must be null with model.freeze_backbone=true: adapters train a part of the backbone"
      : "must be null with model.model_name=null: adapters need a model that is trained already";
    context.addIssue({ code: "custom", path: ["lora", "r"], message });
  }
  if (lora.r !== null && lora.save === "adapter" && model.classifier_head !== "pooler_linear") {
    const message =
      `must be merged with model.classifier_head=${model.classifier_head}: peft knows pooler_linear alone`;
    context.addIssue({ code: "custom", path: ["lora", "save"], message });
  }
  if (model.model_name !== null && architecture !== null) {
    context.addIssue({
      code: "custom",
      path: ["architecture"],
      message: "is for a model from scratch; add model.model_name=null, or leave it out",
    });
  }
  if (model.model_name === null && architecture === null) {
    context.addIssue({
      code: "custom",
      path: ["architecture"],
      message: "is needed for a model from scratch (model.model_name=null)",
    });
  }
});

/** How a step computes. `use_bf16` is the reference's switch: it makes `precision` bf16. */
const OptimizationSchema = z.strictObject({
  precision: oneOf(["auto", "fp32", "fp16", "bf16"]).default("auto"),
  use_bf16: flag().default(false),
  use_torch_compile: flag().default(true),
  fused_adamw: flag().default(true),
}).superRefine((optimization, context) => {
  if (optimization.use_bf16 && optimization.precision !== "auto" && optimization.precision !== "bf16") {
    context.addIssue({
      code: "custom",
      path: ["use_bf16"],
      message: `must be false with training.optimization.precision=${optimization.precision}`,
    });
  }
}).transform((optimization) => optimization.use_bf16 ? { ...optimization, precision: "bf16" as const } : optimization);

/** The training loop. */
const TrainingSchema = z.strictObject({
  batch_size: integer({ min: 1 }).default(16),
  eval_batch_size: integer({ min: 1 }).default(32),
  learning_rate: real({ min: 0 }).default(2e-5),
  num_epochs: integer({ min: 1 }).default(100),
  max_steps: orNull(integer({ min: 1 }), "num_epochs decides").default(null),
  early_stopping_patience: orNull(integer({ min: 1 }), "never stop early").default(20),
  weight_decay: real({ min: 0 }).default(0.01),
  warmup_ratio: real({ min: 0, max: 1 }).default(0.1),
  scheduler_type: oneOf(["linear", "cosine", "cosine_with_restarts", "constant"]).default("linear"),
  gradient_accumulation_steps: integer({ min: 1 }).default(1),
  target_effective_batch_size: orNull(integer({ min: 1 }), "batch_size x gradient_accumulation_steps").default(null),
  max_grad_norm: orNull(real({ min: 0 }), "no clipping").default(1),
  shuffle: flag().default(true),
  neg_per_pos: orNull(integer({ min: 1 }), "every pair in every epoch").default(null),
  xpost_neg_frac: real({ min: 0, max: 1 }).default(0),
  hard_neg_frac: real({ min: 0, max: 1 }).default(0),
  layerwise_lr_decay: real({ above: 0, max: 1 }).default(1),
  recompute: z.union([z.literal("auto"), flag()]).describe("auto, true or false").default("auto"),
  num_workers: z.preprocess((value) => value === "auto" ? null : value, integer({ min: 0 }).nullable())
    .describe("an integer >= 0, or null (chosen for this machine)").default(null),
  optimization: OptimizationSchema.prefault({}),
});

/**
 * Augmentation of evidence sentences: `prob` is the probability that a word is replaced, of each word that has
 * candidates, anew in every epoch.
 */
const AugmentationSchema = z.strictObject({
  enable: flag().default(false),
  prob: real({ min: 0, max: 1 }).default(0.3),
  method: oneOf(["synonym", "contextual"]).default("synonym"),
  model_name: orNull(text("a Hugging Face folder or hub id of a masked language model"), "none").default(
    "google-bert/bert-base-uncased",
  ),
});

/** From scores to decisions. What is not fixed is chosen on a fold's validation pairs. */
const EvaluationSchema = z.strictObject({
  agg_type: oneOf(["max", "LSE", "top-m"]).default("LSE"),
  lse_tau: real({ above: 0 }).default(8),
  top_m: integer({ min: 1 }).default(3),
  calibration: oneOf(["none", "temperature"]).default("none"),
  threshold_mode: oneOf(["fixed", "global", "per_class"]).default("fixed"),
  threshold_global_init: real({ min: 0, max: 1 }).default(0.5),
});

/** The whole configuration. */
export const ConfigSchema = z.strictObject({
  experiment_name: text().default("entail"),
  seed: integer({ min: 0, max: 2 ** 32 - 1 }).default(42),
  output_dir: text("a folder name").default("outputs/${experiment_name}"),
  checkpoint_dir: text("a folder name").default("${output_dir}/checkpoints"),
  resume: z.union([z.literal("auto"), flag()]).describe("auto, true or false").default("auto"),
  overwrite: flag().default(false),
  data: DataSchema.prefault({}),
  model: ModelSchema.prefault({}),
  training: TrainingSchema.prefault({}),
  augmentation: AugmentationSchema.prefault({}),
  evaluation: EvaluationSchema.prefault({}),
  kfold: z.strictObject({
    n_splits: integer({ min: 2 }).default(5),
    group_by_post: flag().default(true),
  }).prefault({}),
  reproducibility: z.strictObject({ deterministic: flag().default(true) }).prefault({}),
  mlflow: z.strictObject({
    tracking_uri: address("a folder or URI").default("${oc.env:MLFLOW_TRACKING_URI,file:mlflow-store}"),
    experiment_name: text().default("${experiment_name}"),
    enable: flag().default(true),
  }).prefault({}),
  gpu: z.strictObject({
    backend: oneOf(["deno", "dawn", "auto"]).default("${oc.env:ENTAIL_BACKEND,deno}" as "deno"),
    power_preference: orNull(oneOf(["high-performance", "low-power"]), "the system's choice").default(
      "high-performance",
    ),
    allow_software: flag().default(true),
    workspace_mb: integer({ min: 1 }).default(256),
    tune: oneOf(["off", "quick", "max"]).default("off"),
  }).prefault({}),
  hpo: HpoSchema.prefault({}),
});

export type { Config } from "./settings.ts";

/** Compiles only where the schema and the types of settings.ts are the same. */
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never;
true satisfies Same<z.output<typeof ConfigSchema>, Config>;
