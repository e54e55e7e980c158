/**
 * The configuration of a run as TypeScript sees it: what `ConfigSchema` lets through, key by key. Defaults and more words
 * about each key stand in configs/.
 */

/** A value of a parameter, or one that a condition wants. */
export type Scalar = string | number | boolean | null;

/** `data`: where the pairs are, and how long they may be. */
export interface DataSettings {
  /** CSV: post_id, post, DSM5_symptom, groundtruth. */
  groundtruth_csv: string;
  /** JSON: id and text of each criterion. */
  criteria_json: string;
  /** CSV of evidence sentences; null: none. */
  annotations_csv: string | null;
  /** A file of scores for losses that learn from a teacher; null: columns of `groundtruth_csv`. */
  teacher_scores: string | null;
  /** Tokens of a pair at most; longer posts are cut. */
  max_length: number;
  /** Instead of `max_length`: tokens of the chunks that longer posts are read in; null: they are cut. */
  chunk_max_len: number | null;
  /** Tokens that a chunk shares with the one before it. */
  chunk_stride: number;
  /** Train on some chunks of a post only: the highest of the epoch before. */
  pc_topM_enable: boolean;
  /** On how many. */
  pc_topM_M: number;
  /** Use only so many pairs; null: all. */
  sample_size: number | null;
  /** Which ones. */
  sample_seed: number;
}

/** `model.architecture`: a model from scratch, in the words of Hugging Face's config.json; null: as in transformers. */
export interface ArchitectureSettings {
  /** deberta-v2, bert, roberta or xlm-roberta. */
  model_type: string;
  /** A folder with a tokenizer. */
  tokenizer: string;
  /** Rows of the table of word embeddings. */
  vocab_size: number | null;
  /** Width of the hidden states. */
  hidden_size: number | null;
  /** Layers of the encoder. */
  num_hidden_layers: number | null;
  /** Heads of attention. */
  num_attention_heads: number | null;
  /** Width of the feed-forward network. */
  intermediate_size: number | null;
  /** Its activation. */
  hidden_act: string;
  /** Dropout of hidden states. */
  hidden_dropout_prob: number;
  /** Dropout of attention's probabilities. */
  attention_probs_dropout_prob: number;
  /** Positions that the model knows, for families with absolute ones. */
  max_position_embeddings: number;
  /** Types of segments. */
  type_vocab_size: number | null;
  /** Epsilon of LayerNorm. */
  layer_norm_eps: number | null;
  /** Standard deviation of initial weights. */
  initializer_range: number;
  /** Id of the padding token. */
  pad_token_id: number | null;
  /** DeBERTa: relative positions. */
  relative_attention: boolean | null;
  /** DeBERTa: the farthest distance; -1: `max_position_embeddings`. */
  max_relative_positions: number | null;
  /** DeBERTa: buckets of distances; -1: none. */
  position_buckets: number | null;
  /** DeBERTa: LayerNorm of the relative embeddings. */
  norm_rel_ebd: "none" | "layer_norm" | null;
  /** DeBERTa: positions share the projections of contents. */
  share_att_key: boolean | null;
  /** DeBERTa: the position terms of attention. */
  pos_att_type: ("c2p" | "p2c")[] | null;
  /** DeBERTa: absolute positions are added to the input. */
  position_biased_input: boolean | null;
  /** DeBERTa: width of the embeddings. */
  embedding_size: number | null;
  /** DeBERTa: width of the convolution beside the first layer; 0: none. */
  conv_kernel_size: number | null;
  /** DeBERTa: groups of the convolution. */
  conv_groups: number | null;
  /** DeBERTa: activation of the convolution. */
  conv_act: "tanh" | "gelu" | null;
  /** DeBERTa: activation of the pooler. */
  pooler_hidden_act: string | null;
  /** DeBERTa: width of the pooler. */
  pooler_hidden_size: number | null;
  /** DeBERTa: dropout before the pooler. */
  pooler_dropout: number | null;
  /** Dropout before the classifier. */
  classifier_dropout: number | null;
}

/** `model.lora`: adapters that are trained beside a frozen encoder (Hu et al. 2021, arXiv:2106.09685). */
export interface LoraSettings {
  /** Rank; null: no adapters. */
  r: number | null;
  /** The adapters' output is multiplied by alpha / r. */
  alpha: number;
  /** Dropout of the adapters' input. */
  dropout: number;
  /** The projections of attention, or its dense layer too. */
  targets: "qkv" | "qkvd";
  /** How frozen weights are held in training. */
  bits: "none" | "8bit" | "4bit";
  /** Checkpoints are whole models, or folders that `peft` loads. */
  save: "merged" | "adapter";
}

/** `model`: the encoder, its head and its loss. */
export interface ModelSettings {
  /** A Hugging Face folder or hub id; null: from scratch, by `architecture`. */
  model_name: string | null;
  /** 2 (softmax) or 1 (sigmoid). */
  num_labels: number;
  /** What makes logits of the last hidden states. */
  classifier_head:
    | "pooler_linear"
    | "linear"
    | "mean_pooling"
    | "max_pooling"
    | "attention_pooling"
    | "mlp1"
    | "mlp2";
  /** Dropout before the classifier; null: the model's own. */
  classifier_dropout: number | null;
  /** Dropout of hidden states; null: the model's own. */
  hidden_dropout: number | null;
  /** Dropout of attention's probabilities; null: the model's own. */
  attention_dropout: number | null;
  /** The loss; the last three learn from a teacher. */
  loss_type:
    | "ce"
    | "bce"
    | "weighted_bce"
    | "focal"
    | "cb_focal"
    | "bce+rank"
    | "distillation"
    | "mse"
    | "margin_mse";
  /** focal, cb_focal: the exponent (Lin et al. 2017, arXiv:1708.02002). */
  focal_gamma: number;
  /** focal: weight of positives; null: from class frequencies. */
  focal_alpha: number | "none" | null;
  /** cb_focal: beta of the effective numbers (Cui et al. 2019, arXiv:1901.05555). */
  cb_beta: number;
  /** bce+rank: weight of positives. */
  pos_weight_scale: number;
  /** bce+rank: by which a positive should outscore the negatives of its post, in logits. */
  rank_margin: number;
  /** bce+rank: weight of that part. */
  rank_weight: number;
  /** ce, bce, weighted_bce, bce+rank: targets are y (1 - e) + e/2. */
  label_smoothing: number;
  /** distillation: share of the teacher's soft labels (Hinton et al. 2015, arXiv:1503.02531). */
  distill_alpha: number;
  /** distillation: what both scores are divided by. */
  distill_temperature: number;
  /** A pair is positive from this probability on. */
  positive_threshold: number;
  /** Train the head only. */
  freeze_backbone: boolean;
  /** Adapters. */
  lora: LoraSettings;
  /** A model from scratch; null: none. */
  architecture: ArchitectureSettings | null;
}

/** `training.optimization`: how a step computes. */
export interface OptimizationSettings {
  /** Of storage; `auto` goes by the adapter. */
  precision: "auto" | "fp32" | "fp16" | "bf16";
  /** The same as precision bf16. */
  use_bf16: boolean;
  /** false: `gpu.tune` is off. */
  use_torch_compile: boolean;
  /** No effect: it always is. */
  fused_adamw: boolean;
}

/** `training`: the training loop. */
export interface TrainingSettings {
  /** Pairs of a micro-batch. */
  batch_size: number;
  /** Pairs of a batch without gradients. */
  eval_batch_size: number;
  /** At the end of the warm-up. */
  learning_rate: number;
  /** Epochs at most. */
  num_epochs: number;
  /** Optimizer steps at most, and the schedule's length; null: `num_epochs` decides. */
  max_steps: number | null;
  /** Epochs without a better F1 after which training ends; null: never. */
  early_stopping_patience: number | null;
  /** AdamW's (Loshchilov and Hutter 2019, arXiv:1711.05101); not for biases and LayerNorms. */
  weight_decay: number;
  /** Share of all steps. */
  warmup_ratio: number;
  /** The schedule of transformers' `get_scheduler`. */
  scheduler_type: "linear" | "cosine" | "cosine_with_restarts" | "constant";
  /** Micro-batches of an optimizer step. */
  gradient_accumulation_steps: number;
  /** Compute a layer's activations again in the backward instead of keeping them; `auto`: where the memory is short. */
  recompute: "auto" | boolean;
  /** Instead of the two sizes: pairs of an optimizer step, dealt by tokens to fit the memory; null: the two. */
  target_effective_batch_size: number | null;
  /** Gradients are clipped to this norm; null: not. */
  max_grad_norm: number | null;
  /** false: the order of the pairs. */
  shuffle: boolean;
  /** Negatives of an epoch per positive, drawn anew in each; null: all pairs. */
  neg_per_pos: number | null;
  /** Share of them from other posts. */
  xpost_neg_frac: number;
  /** Share of them that the model of the epoch before scores highest. */
  hard_neg_frac: number;
  /** The learning rate of each layer is that of the layer above times this. */
  layerwise_lr_decay: number;
  /** Tokenizer workers; null: chosen for this machine. */
  num_workers: number | null;
  /** How a step computes. */
  optimization: OptimizationSettings;
}

/** `augmentation`: replacing words in the evidence of positive training pairs. */
export interface AugmentationSettings {
  /** Whether to. */
  enable: boolean;
  /** Probability of replacing a word that has candidates. */
  prob: number;
  /** By WordNet's synonyms, or by what a masked language model would put there. */
  method: "synonym" | "contextual";
  /** contextual: the masked language model, a folder or hub id. */
  model_name: string | null;
}

/** `evaluation`: from scores to decisions. */
export interface EvaluationSettings {
  /** The score of a post from its chunks': the maximum, a soft one, or the mean of the highest. */
  agg_type: "max" | "LSE" | "top-m";
  /** LSE: log(mean(exp(tau s))) / tau. */
  lse_tau: number;
  /** top-m: so many of the highest. */
  top_m: number;
  /** Whether a temperature is chosen on validation pairs (Guo et al. 2017, arXiv:1706.04599). */
  calibration: "none" | "temperature";
  /** Whether thresholds are chosen on validation pairs, one for all criteria or one for each. */
  threshold_mode: "fixed" | "global" | "per_class";
  /** global: of thresholds with equal F1 the nearest to this one is taken. */
  threshold_global_init: number;
}

/** `kfold`: the folds. */
export interface KfoldSettings {
  /** Their number, at least 2. */
  n_splits: number;
  /** All pairs of a post in one fold. */
  group_by_post: boolean;
}

/** `reproducibility`. */
export interface ReproducibilitySettings {
  /** No effect: the same seed on the same adapter always gives the same bits. */
  deterministic: boolean;
}

/** `mlflow`: where runs are recorded. */
export interface MlflowSettings {
  /** A folder (file:…) or the address of a server. */
  tracking_uri: string;
  /** The experiment that runs go to. */
  experiment_name: string;
  /** Whether to record. */
  enable: boolean;
}

/** `gpu`: the device. */
export interface GpuSettings {
  /** Deno's own WebGPU, or Dawn where its package is installed. */
  backend: "deno" | "dawn" | "auto";
  /** Which of several; null: the system's choice. */
  power_preference: "high-performance" | "low-power" | null;
  /** Use a software adapter when there is no GPU. */
  allow_software: boolean;
  /** MiB that attention may take beyond what is linear in the tokens. */
  workspace_mb: number;
  /** Whether to measure which kernels are the fastest here. */
  tune: "off" | "quick" | "max";
}

/** One parameter of a search space. */
export interface SearchParameter {
  /** The configuration key that it sets. */
  key: string;
  /** What it is drawn as. */
  type: "float" | "int" | "categorical";
  /** float, int: the lowest value. */
  low: number | null;
  /** float, int: the highest value. */
  high: number | null;
  /** float, int: whether its logarithm is uniform. */
  log: boolean;
  /** float, int: the distance between values; null: continuous, or 1. */
  step: number | null;
  /** categorical: the values. */
  choices: Scalar[] | null;
  /** Sampled only where other parameters, or configuration keys, have these values; null: always. */
  when: Record<string, Scalar | Scalar[]> | null;
}

/** `hpo.hpo_mode`: what a trial trains. */
export interface HpoModeSettings {
  /** All folds, or one. */
  mode: "kfold" | "single_split";
  /** Share of the posts that single_split holds out. */
  validation_fraction: number;
}

/** `hpo.pruner`. */
export interface PrunerSettings {
  /** Which pruner. */
  type: "hyperband" | "successive_halving" | "median" | "none";
  /** hyperband, successive_halving: what becomes of a rung's trials. */
  reduction_factor: number;
  /** Epochs (kfold: folds) before a trial can be pruned. */
  min_resource: number;
  /** Those of a full trial. */
  max_resource: number | "auto";
  /** The first so many trials are never pruned. */
  bootstrap_count: number;
  /** Epochs between two reports. */
  report_interval: number;
}

/** `hpo.sampler`. */
export interface SamplerSettings {
  /** Which sampler. */
  type: "tpe" | "random";
  /** null: another study every time. */
  seed: number | null;
  /** Random trials before TPE starts. */
  n_startup_trials: number;
  /** Model the parameters jointly. */
  multivariate: boolean;
  /** multivariate, by groups of parameters that occur together. */
  group: boolean;
  /** Count running trials as bad ones. */
  constant_liar: boolean;
}

/** `hpo`: a study. */
export interface HpoSettings {
  /** Finished trials that end it. */
  n_trials: number;
  /** A storage URL; null: in memory. */
  storage: string | null;
  /** An existing study is continued. */
  study_name: string;
  /** Of the mean best F1. */
  direction: "maximize" | "minimize";
  /** How often a trial whose process died is tried again. */
  retry_failed: number;
  /** What a trial trains. */
  hpo_mode: HpoModeSettings;
  /** The pruner. */
  pruner: PrunerSettings;
  /** The sampler. */
  sampler: SamplerSettings;
  /** The parameters by name. */
  search_space: Record<string, SearchParameter>;
}

/** The checked configuration: every key is there, every interpolation is resolved. */
export interface Config {
  /** Names the output folder, the study and the experiment. */
  experiment_name: string;
  /** Of initial weights, dropout, shuffling and folds. */
  seed: number;
  /** The run's folder. */
  output_dir: string;
  /** The folder of its checkpoints. */
  checkpoint_dir: string;
  /** Whether to go on with the run that is there. */
  resume: "auto" | boolean;
  /** Whether to remove it and start anew. */
  overwrite: boolean;
  /** The pairs. */
  data: DataSettings;
  /** The model. */
  model: ModelSettings;
  /** The training loop. */
  training: TrainingSettings;
  /** Augmentation of evidence. */
  augmentation: AugmentationSettings;
  /** From scores to decisions. */
  evaluation: EvaluationSettings;
  /** The folds. */
  kfold: KfoldSettings;
  /** What is the same in every run. */
  reproducibility: ReproducibilitySettings;
  /** Where runs are recorded. */
  mlflow: MlflowSettings;
  /** The device. */
  gpu: GpuSettings;
  /** The study. */
  hpo: HpoSettings;
}
