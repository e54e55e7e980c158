/** BERT (Devlin et al., NAACL 2019), and what is built like it: absolute positions, a tanh pooler. */
import type { Gpu } from "../../gpu/device.ts";
import type { ParameterCollector } from "../collector.ts";
import type { FieldReader } from "../config_fields.ts";
import { embed, embeddingParameters, type EmbeddingStyle } from "../embeddings.ts";
import type { Encoder, Family, SharedDefaults } from "../family.ts";
import { layerParameters, layersForward } from "../layer.ts";
import { headSize, type ModelConfig } from "../model_config.ts";

const PROJECTIONS = { query: "query", key: "key", value: "value" };

/** The encoder of a family that adds absolute positions and has no other; `firstPosition` is where they begin. */
export function absoluteEncoder(prefix: string, firstPosition: (config: ModelConfig) => number) {
  const layerName = (layer: number): string => `${prefix}encoder.layer.${layer}`;
  const embeddingStyle = (config: ModelConfig): EmbeddingStyle => ({
    name: `${prefix}embeddings`,
    firstPosition: firstPosition(config),
  });
  return {
    projections: PROJECTIONS,
    longestSequence: (config: ModelConfig): number => config.maxPositionEmbeddings - firstPosition(config),
    encoderParameters(parameters: ParameterCollector, config: ModelConfig): void {
      embeddingParameters(parameters, config, embeddingStyle(config));
      for (let i = 0; i < config.numHiddenLayers; i++) {
        layerParameters(parameters, config, { name: layerName(i), projections: PROJECTIONS });
      }
    },
    createEncoder: (_gpu: Gpu, config: ModelConfig): Promise<Encoder> =>
      Promise.resolve({
        forward(scope) {
          const embedding = embed(scope, embeddingStyle(config));
          const scale = 1 / Math.sqrt(headSize(config));
          const style = { name: layerName, projections: PROJECTIONS, scale, relative: null };
          const layers = layersForward(scope, embedding, style, 0, config.numHiddenLayers);
          return {
            hiddenStates: layers.output.y,
            backward: (scope, dy) => embedding.backward(scope, layers.backward(scope, dy)),
          };
        },
      }),
  };
}

/** Reads what BERT and RoBERTa say beyond what every family says, and refuses what is not computed here. */
export function readAbsoluteConfig(read: FieldReader, shared: ModelConfig): ModelConfig {
  read.word("position_embedding_type", "absolute", ["absolute"]);
  for (const key of ["is_decoder", "add_cross_attention"]) {
    if (read.flag(key, false)) throw read.error(key, "must be false: only encoders are supported");
  }
  return { ...shared, classifierDropout: read.rateOrNull("classifier_dropout") };
}

export const writeAbsoluteConfig = ({ classifierDropout }: ModelConfig): Record<string, unknown> => ({
  position_embedding_type: "absolute",
  classifier_dropout: classifierDropout,
});

/** Those of `BertConfig`; RoBERTa's differ where its folder says so. */
export const BERT_DEFAULTS: SharedDefaults = {
  vocab_size: 30522,
  hidden_size: 768,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  intermediate_size: 3072,
  type_vocab_size: 2,
  layer_norm_eps: 1e-12,
  pad_token_id: 0,
};

const LM_HEAD = "cls.predictions";

export const bert: Family = {
  modelType: "bert",
  title: "BERT",
  className: "Bert",
  prefix: "bert.",
  ownHead: { dense: "bert.pooler.dense", activation: "tanh", classifier: "classifier" },
  maskedLm: {
    dense: `${LM_HEAD}.transform.dense`,
    norm: `${LM_HEAD}.transform.LayerNorm`,
    bias: `${LM_HEAD}.bias`,
    aliases: (name) => name === `${LM_HEAD}.bias` ? [`${LM_HEAD}.decoder.bias`] : [],
  },
  readConfig: readAbsoluteConfig,
  writeConfig: writeAbsoluteConfig,
  defaults: BERT_DEFAULTS,
  ...absoluteEncoder("bert.", () => 0),
};
