/** RoBERTa (Liu et al., 2019) and XLM-RoBERTa (Conneau et al., ACL 2020): BERT with positions counted from padding on. */
import { absoluteEncoder, BERT_DEFAULTS, readAbsoluteConfig, writeAbsoluteConfig } from "../bert/family.ts";
import type { Family } from "../family.ts";
import { classifierDropout, type ModelConfig } from "../model_config.ts";

/** Both have the names of RoBERTa in their checkpoints. */
const PREFIX = "roberta.";

/** The first token's position: what comes before stands for padding. */
const firstPosition = ({ padTokenId }: ModelConfig): number => padTokenId! + 1;

const family = (modelType: string, title: string, className: string, vocabSize: number): Family => ({
  modelType,
  title,
  className,
  prefix: PREFIX,
  ownHead: {
    dense: "classifier.dense",
    activation: "tanh",
    classifier: "classifier.out_proj",
    inputDropout: classifierDropout,
  },
  maskedLm: {
    dense: "lm_head.dense",
    norm: "lm_head.layer_norm",
    bias: "lm_head.bias",
    aliases: (name) => name === "lm_head.bias" ? ["lm_head.decoder.bias"] : [],
  },
  readConfig(read, shared) {
    if (shared.padTokenId === null) {
      throw read.error("pad_token_id", "must be a token: positions are counted from it on");
    }
    if (shared.maxPositionEmbeddings <= firstPosition(shared)) {
      throw read.error("max_position_embeddings", `must be more than ${firstPosition(shared)}, where positions begin`);
    }
    return readAbsoluteConfig(read, shared);
  },
  writeConfig: writeAbsoluteConfig,
  defaults: { ...BERT_DEFAULTS, vocab_size: vocabSize, pad_token_id: 1 },
  ...absoluteEncoder(PREFIX, firstPosition),
});

export const roberta = family("roberta", "RoBERTa", "Roberta", 50265);
export const xlmRoberta = family("xlm-roberta", "XLM-RoBERTa", "XLMRoberta", 30522);
