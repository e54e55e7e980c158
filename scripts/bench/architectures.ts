/** What is measured and predicted: shapes of published models by the keys of Hugging Face's config.json, and a batch. */

export const DEBERTA_V3_BASE = {
  model_type: "deberta-v2",
  vocab_size: 128100,
  hidden_size: 768,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  intermediate_size: 3072,
  max_position_embeddings: 512,
  type_vocab_size: 0,
  relative_attention: true,
  max_relative_positions: -1,
  position_buckets: 256,
  norm_rel_ebd: "layer_norm",
  share_att_key: true,
  pos_att_type: ["p2c", "c2p"],
  position_biased_input: false,
};

export const XLM_R_LARGE = {
  model_type: "xlm-roberta",
  vocab_size: 250002,
  hidden_size: 1024,
  num_hidden_layers: 24,
  num_attention_heads: 16,
  intermediate_size: 4096,
  max_position_embeddings: 514,
  type_vocab_size: 1,
};

/**
 * Tokens of 24 posts: quantiles of a lognormal distribution around 375 with σ = ½, at most 512, which is 72 % of 24 × 512
 * tokens and 58 % of its pairs of tokens.
 */
// deno-fmt-ignore
export const POST_LENGTHS = [
  135, 174, 200, 221, 241, 259, 276, 294, 311, 329, 347, 365, 385, 406, 428, 452, 479, 509, 512, 512, 512, 512, 512, 512,
];
