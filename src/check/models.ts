/** Models that use every kernel, and what they plan. */
import type { Adapter } from "../models/adapter.ts";
import { configFromArchitecture } from "../models/config_json.ts";
import type { ModelConfig } from "../models/model_config.ts";
import { maskedLmForward } from "../models/masked_lm.ts";
import { createEncoder } from "../models/model.ts";
import { maskedLmParameters } from "../models/parameters.ts";
import { countingGpu } from "../gpu/counting.ts";
import type { Gpu } from "../gpu/device.ts";
import { createTensor } from "../gpu/tensor.ts";
import { type BatchCapacity, createDeviceBatch } from "../nn/batch.ts";
import type { LossKind } from "../nn/loss.ts";
import { createParameterStore } from "../nn/parameters.ts";
import { createPlan, type Plan, type Precision } from "../nn/plan.ts";
import { planSession } from "../training/session.ts";

export interface Model {
  architecture: Record<string, unknown>;
  head: string;
  labels?: number;
  loss: LossKind;
  longest: number;
  adapter?: Pick<Adapter, "rank" | "targets" | "bits">;
  /** Compiled with every variant of every operation, not only with those that are chosen. */
  everyVariant?: true;
}

/** DeBERTa-v3's kind: buckets, shared keys, LayerNorm over the relative embeddings. */
const V3 = {
  vocab_size: 200,
  relative_attention: true,
  position_buckets: 32,
  norm_rel_ebd: "layer_norm",
  share_att_key: true,
  pos_att_type: ["p2c", "c2p"],
  position_biased_input: false,
  type_vocab_size: 0,
};

/** Models that differ where the plan decides between kernels or their variants. */
export const MODELS: Readonly<Record<string, Model>> = {
  "DeBERTa-v3-base": {
    architecture: { ...V3, hidden_size: 768, num_attention_heads: 12, intermediate_size: 3072, position_buckets: 256 },
    head: "pooler_linear",
    loss: "focal",
    longest: 512,
  },
  "the demo's model": {
    architecture: { ...V3, hidden_size: 64, num_attention_heads: 4, intermediate_size: 128 },
    head: "max_pooling",
    loss: "cross_entropy",
    longest: 128,
    everyVariant: true,
  },
  "a model of odd sizes with all tables": {
    architecture: {
      ...V3,
      hidden_size: 30,
      num_attention_heads: 6,
      intermediate_size: 37,
      share_att_key: false,
      norm_rel_ebd: "none",
      position_biased_input: true,
      type_vocab_size: 2,
    },
    head: "mean_pooling",
    labels: 1,
    loss: "ranking",
    longest: 40,
    everyVariant: true,
  },
  "a model without relative attention": {
    architecture: {
      vocab_size: 200,
      hidden_size: 48,
      num_attention_heads: 4,
      intermediate_size: 96,
      type_vocab_size: 2,
    },
    head: "linear",
    loss: "distillation",
    longest: 40,
  },
  "a model with a convolution and GELU behind it": {
    architecture: {
      ...{ ...V3, hidden_size: 48, num_attention_heads: 4, intermediate_size: 96 },
      ...{ conv_kernel_size: 3, conv_act: "gelu" },
    },
    head: "linear",
    loss: "cross_entropy",
    longest: 40,
  },
  "a model with a convolution and narrow embeddings": {
    architecture: {
      vocab_size: 200,
      hidden_size: 48,
      num_attention_heads: 4,
      intermediate_size: 96,
      embedding_size: 20,
      type_vocab_size: 2,
      conv_kernel_size: 3,
      conv_groups: 2,
    },
    head: "linear",
    loss: "mse",
    longest: 40,
  },
  "a BERT": {
    architecture: {
      model_type: "bert",
      vocab_size: 200,
      hidden_size: 64,
      num_attention_heads: 4,
      intermediate_size: 96,
    },
    head: "pooler_linear",
    loss: "margin_mse",
    longest: 40,
  },
  "a model with a learnt query": {
    architecture: { vocab_size: 200, hidden_size: 32, num_attention_heads: 2, intermediate_size: 64 },
    head: "attention_pooling",
    loss: "focal",
    longest: 40,
    everyVariant: true,
  },
  "adapters on 4 bits, of odd sizes": {
    architecture: { vocab_size: 200, hidden_size: 30, num_attention_heads: 6, intermediate_size: 37 },
    head: "pooler_linear",
    loss: "cross_entropy",
    longest: 40,
    adapter: { rank: 3, targets: "qkv", bits: "4bit" },
  },
  "adapters on 4 bits": {
    architecture: { ...V3, hidden_size: 64, num_attention_heads: 4, intermediate_size: 96 },
    head: "pooler_linear",
    loss: "cross_entropy",
    longest: 40,
    adapter: { rank: 8, targets: "qkvd", bits: "4bit" },
  },
  "adapters on 8 bits": {
    architecture: { ...V3, hidden_size: 64, num_attention_heads: 4, intermediate_size: 96 },
    head: "pooler_linear",
    loss: "cross_entropy",
    longest: 40,
    adapter: { rank: 8, targets: "qkvd", bits: "8bit" },
  },
  "a model with heads of 128": {
    architecture: { ...V3, hidden_size: 256, num_attention_heads: 2, intermediate_size: 512, pos_att_type: ["c2p"] },
    head: "linear",
    loss: "cross_entropy",
    longest: 64,
  },
};

/** The plans for training, scoring and the masked LM of a model. */
export async function plansOf(
  gpu: Gpu,
  { architecture, head, labels = 2, loss, longest, adapter }: Model,
  precision: Precision,
): Promise<Plan[]> {
  const counting = countingGpu(gpu).gpu;
  const config = configFromArchitecture({ ...architecture, num_hidden_layers: 1 }, {
    numLabels: labels,
    classifierHead: head,
  });
  const capacity = { tokens: 4 * longest, sequences: 4, longest };
  const base = { weights: "", name: "", revision: null };
  const adapted = adapter && { ...adapter, alpha: 16, dropout: 0.1, save: "merged", base } as const;
  const { programs } = await planSession(counting, { ...config, adapter: adapted }, {
    inference: capacity,
    training: { capacity, lossKind: loss, freezeEncoder: false, layerRates: loss === "ranking" },
    precision,
  }, (resource) => resource);
  return [...programs, await maskedLm(counting, config, capacity, precision)];
}

async function maskedLm(
  gpu: Gpu,
  config: ModelConfig,
  capacity: BatchCapacity,
  precision: Precision,
): Promise<Plan> {
  const plan = createPlan(gpu, "masked LM", { precision });
  const scope = {
    plan,
    config,
    parameters: await createParameterStore(gpu, maskedLmParameters(config), { moments: false, precision }),
    batch: await createDeviceBatch(gpu, capacity),
    dropout: null,
  };
  const encoder = await createEncoder(gpu, config, capacity.longest);
  maskedLmForward(scope, encoder, await createTensor(gpu, "masked tokens", [capacity.sequences + 1]));
  return plan;
}
