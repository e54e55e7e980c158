/** What config.json says of a DeBERTa-v2, with the defaults of transformers' `DebertaV2Config` for absent keys. */
import type { FieldReader } from "../config_fields.ts";
import { headSize, type ModelConfig, pairMaxLength } from "../model_config.ts";

/** Terms of disentangled attention: content to position, position to content. */
const POSITION_TERMS = ["c2p", "p2c"] as const;
export type PositionTerm = typeof POSITION_TERMS[number];

/** `maxPositionEmbeddings` limits the length of sequences only with `positionBiasedInput`. */
/** What follows a convolution. */
const CONV_ACTS = ["tanh", "gelu"] as const;
export type ConvAct = typeof CONV_ACTS[number];

export interface DebertaConfig extends ModelConfig {
  readonly relativeAttention: boolean;
  /** As configured; below 1 it means `maxPositionEmbeddings`: see `maxRelativePositions()`. */
  readonly maxRelativePositions: number;
  /** Logarithmic buckets in each direction; below 1 distances are used as they are. */
  readonly positionBuckets: number;
  readonly normRelEbd: "none" | "layer_norm";
  readonly shareAttKey: boolean;
  readonly posAttType: readonly PositionTerm[];
  /** Whether absolute positions are added to the input. */
  readonly positionBiasedInput: boolean;
  /** Width of the tables of embeddings; a projection makes it `hiddenSize`. */
  readonly embeddingSize: number;
  /** Taps of the convolution beside the first layer; 0: there is none. */
  readonly convKernelSize: number;
  readonly convGroups: number;
  readonly convAct: ConvAct;
  readonly poolerDropout: number;
  readonly poolerHiddenAct: "gelu";
}

/** The largest distance that has an embedding, or a bucket, of its own. */
export const maxRelativePositions = (config: DebertaConfig): number =>
  config.maxRelativePositions < 1 ? config.maxPositionEmbeddings : config.maxRelativePositions;

/** Distances (or buckets of them) in each direction; the table of relative embeddings has twice as many rows. */
export const positionSpan = (config: DebertaConfig): number =>
  config.positionBuckets > 0 ? config.positionBuckets : maxRelativePositions(config);

/**
 * What every term of the attention scores is multiplied with: 1/√(head size · number of terms). As in transformers, the
 * terms of `pos_att_type` count even where `relative_attention` is off.
 */
export const attentionScale = (config: DebertaConfig): number =>
  1 / Math.sqrt(headSize(config) * (1 + config.posAttType.length));

/** Whether the scores have this term. */
export const hasPositionTerm = (config: DebertaConfig, term: PositionTerm): boolean =>
  config.relativeAttention && config.posAttType.includes(term);

/** The most distances that a table may have rows for. */
const MOST_POSITIONS = 1 << 20;
const MOST_WIDTH = 1 << 14;
const MOST_TAPS = 1 << 6;

export function readDebertaConfig(read: FieldReader, shared: ModelConfig): DebertaConfig {
  read.only("pooler_hidden_size", shared.hiddenSize, "hidden_size");
  read.only("attention_head_size", headSize(shared), "hidden_size / num_attention_heads");
  return {
    ...shared,
    ...readConvolution(read, shared),
    embeddingSize: read.integer("embedding_size", shared.hiddenSize, { min: 1, max: MOST_WIDTH }),
    relativeAttention: read.flag("relative_attention", false),
    maxRelativePositions: read.integer("max_relative_positions", -1, { max: MOST_POSITIONS }),
    positionBuckets: read.integer("position_buckets", -1, { max: MOST_POSITIONS }),
    normRelEbd: read.word("norm_rel_ebd", "none", ["none", "layer_norm"]),
    shareAttKey: read.flag("share_att_key", false),
    posAttType: read.words("pos_att_type", POSITION_TERMS),
    positionBiasedInput: read.flag("position_biased_input", true),
    poolerDropout: read.rate("pooler_dropout", 0),
    poolerHiddenAct: read.word("pooler_hidden_act", "gelu", ["gelu"]),
    classifierDropout: read.rateOrNull("cls_dropout"),
  };
}

function readConvolution(read: FieldReader, { hiddenSize }: ModelConfig) {
  const convKernelSize = read.integer("conv_kernel_size", 0, { min: 0, max: MOST_TAPS });
  if (convKernelSize > 0 && convKernelSize % 2 === 0) {
    throw read.error("conv_kernel_size", `must be odd, or 0, not ${convKernelSize}`);
  }
  const convGroups = read.integer("conv_groups", 1, { min: 1, max: MOST_WIDTH });
  if (hiddenSize % convGroups !== 0) {
    throw read.error("conv_groups", `${convGroups} does not divide hidden_size, ${hiddenSize}`);
  }
  return { convKernelSize, convGroups, convAct: read.word("conv_act", "tanh", CONV_ACTS) };
}

export const writeDebertaConfig = (config: DebertaConfig): Record<string, unknown> => ({
  ...positionKeys(config),
  relative_attention: config.relativeAttention,
  position_buckets: config.positionBuckets,
  norm_rel_ebd: config.normRelEbd,
  share_att_key: config.shareAttKey,
  pos_att_type: [...config.posAttType],
  position_biased_input: config.positionBiasedInput,
  ...(config.embeddingSize === config.hiddenSize ? {} : { embedding_size: config.embeddingSize }),
  ...(config.convKernelSize === 0 ? {} : {
    conv_kernel_size: config.convKernelSize,
    conv_groups: config.convGroups,
    conv_act: config.convAct,
  }),
  pooler_dropout: config.poolerDropout,
  pooler_hidden_act: config.poolerHiddenAct,
  pooler_hidden_size: config.hiddenSize,
  ...(config.classifierDropout === null ? {} : { cls_dropout: config.classifierDropout }),
});

/**
 * Without absolute positions `max_position_embeddings` only stands in for an absent `max_relative_positions`; but
 * sentence-transformers cuts pairs there. A model of longer pairs says the same with both keys.
 */
function positionKeys(config: DebertaConfig): Record<string, number> {
  const longest = pairMaxLength(config) ?? 0;
  const keep = config.positionBiasedInput || longest <= config.maxPositionEmbeddings;
  return {
    max_position_embeddings: keep ? config.maxPositionEmbeddings : longest,
    max_relative_positions: keep ? config.maxRelativePositions : maxRelativePositions(config),
  };
}
