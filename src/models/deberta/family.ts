/** DeBERTa-v2, DeBERTa-v3 and mDeBERTa: disentangled attention (He et al., ICLR 2021 and ICLR 2023). */
import { fixedRows } from "../../nn/plan.ts";
import { createRelativeIndex } from "../../nn/relative_position.ts";
import { embed, embeddingParameters, type EmbeddingStyle } from "../embeddings.ts";
import type { Family } from "../family.ts";
import { layerParameters, layersForward } from "../layer.ts";
import {
  attentionScale,
  type DebertaConfig,
  hasPositionTerm,
  maxRelativePositions,
  positionSpan,
  readDebertaConfig,
  writeDebertaConfig,
} from "./config.ts";
import { convolutionLayer, convolutionParameters } from "./convolution.ts";
import { positionForward, type PositionRows } from "./position.ts";

const PREFIX = "deberta.";
const ENCODER = `${PREFIX}encoder`;
const PROJECTIONS = { query: "query_proj", key: "key_proj", value: "value_proj" };
const layerName = (layer: number): string => `${ENCODER}.layer.${layer}`;

const embeddingStyle = ({ positionBiasedInput, embeddingSize }: DebertaConfig): EmbeddingStyle => ({
  name: `${PREFIX}embeddings`,
  firstPosition: positionBiasedInput ? 0 : null,
  width: embeddingSize,
});

const LM_HEAD = "cls.predictions";
const LM_HEAD_NOT_LEGACY = "lm_predictions.lm_head";

export const deberta: Family<DebertaConfig> = {
  modelType: "deberta-v2",
  title: "DeBERTa-v2",
  className: "DebertaV2",
  prefix: PREFIX,
  projections: PROJECTIONS,
  ownHead: {
    dense: "pooler.dense",
    activation: "gelu",
    classifier: "classifier",
    inputDropout: ({ poolerDropout }) => poolerDropout,
  },
  maskedLm: {
    dense: `${LM_HEAD}.transform.dense`,
    norm: `${LM_HEAD}.transform.LayerNorm`,
    bias: `${LM_HEAD}.bias`,
    // DeBERTa-v3: its generator, which guesses, is another model.
    replacedWords: "mask_predictions.dense.weight",
    aliases: (name) => [
      name.replace(/^cls\.predictions(\.transform)?/, LM_HEAD_NOT_LEGACY),
      ...(name.endsWith("predictions.bias") ? [`${LM_HEAD}.decoder.bias`] : []),
    ],
  },
  readConfig: readDebertaConfig,
  writeConfig: writeDebertaConfig,
  defaults: {
    vocab_size: 128100,
    hidden_size: 1536,
    num_hidden_layers: 24,
    num_attention_heads: 24,
    intermediate_size: 6144,
    type_vocab_size: 0,
    layer_norm_eps: 1e-7,
    pad_token_id: 0,
  },

  longestSequence: (config) => config.positionBiasedInput ? config.maxPositionEmbeddings : Infinity,

  encoderParameters(parameters, config) {
    const { add, linear, layerNorm } = parameters;
    const { hiddenSize } = config;
    embeddingParameters(parameters, config, embeddingStyle(config));
    for (let i = 0; i < config.numHiddenLayers; i++) {
      layerParameters(parameters, config, { name: layerName(i), projections: PROJECTIONS }, (attention) => {
        if (config.shareAttKey) return;
        if (hasPositionTerm(config, "c2p")) linear(`${attention}.pos_key_proj`, hiddenSize, hiddenSize);
        if (hasPositionTerm(config, "p2c")) linear(`${attention}.pos_query_proj`, hiddenSize, hiddenSize);
      });
    }
    const used = config.relativeAttention && config.posAttType.length > 0;
    if (config.relativeAttention) {
      add(`${ENCODER}.rel_embeddings.weight`, [2 * positionSpan(config), hiddenSize], { used });
    }
    if (config.normRelEbd === "layer_norm") layerNorm(`${ENCODER}.LayerNorm`, hiddenSize, { used });
    if (config.convKernelSize > 0) convolutionParameters(parameters, config);
  },

  async createEncoder(gpu, config, longest) {
    const isRelative = hasPositionTerm(config, "c2p") || hasPositionTerm(config, "p2c");
    const positions: PositionRows | null = !isRelative ? null : {
      rows: fixedRows(gpu, "position table rows", 2 * positionSpan(config)),
      relativeIndex: await createRelativeIndex(gpu, longest, {
        bucketSize: config.positionBuckets,
        maxRelativePositions: maxRelativePositions(config),
      }),
    };
    return {
      forward(scope) {
        const embedding = embed(scope, embeddingStyle(config));
        const relative = positions && positionForward(scope, positions);
        const style = { name: layerName, projections: PROJECTIONS, scale: attentionScale(config), relative };
        const first = layersForward(scope, embedding, style, 0, 1);
        const convolution = config.convKernelSize > 0
          ? convolutionLayer(scope, embedding.y, first.output.y)
          : undefined;
        const rest = layersForward(scope, convolution?.output ?? first.output, style, 1, config.numHiddenLayers);
        return {
          hiddenStates: rest.output.y,
          backward(scope, dy) {
            const dFirst = rest.backward(scope, dy);
            const convolved = convolution?.backward(scope, dFirst);
            const dEmbedded = first.backward(scope, convolved?.dResidual ?? dFirst);
            convolved?.addInput(dEmbedded);
            relative?.backward(scope);
            embedding.backward(scope, dEmbedded);
          },
        };
      },
    };
  },
};
