/** The classification heads by the names of `model.classifier_head`: adding one is its file and a line here. */
import type { ModelConfig } from "../model_config.ts";
import { attentionPooling } from "./attention_pooling.ts";
import type { Head } from "./head.ts";
import { mlpHead } from "./mlp.ts";
import { pooledHead } from "./pooled_head.ts";
import { poolerLinear } from "./pooler_linear.ts";

const HEADS: Readonly<Record<string, Head>> = {
  pooler_linear: poolerLinear,
  linear: pooledHead("first", "the first token"),
  mean_pooling: pooledHead("mean", "the mean over all tokens"),
  max_pooling: pooledHead("max", "the maximum over all tokens"),
  attention_pooling: attentionPooling,
  mlp1: mlpHead(1),
  mlp2: mlpHead(2),
};

export const CLASSIFIER_HEADS: readonly string[] = Object.keys(HEADS);

export const headOf = ({ classifierHead }: Pick<ModelConfig, "classifierHead">): Head => HEADS[classifierHead];
