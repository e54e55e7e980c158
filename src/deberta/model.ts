/** The whole cross-encoder as a flat list of layers: forward in the paper's order, backward in reverse. */
import type { Gpu } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { embeddingBackward, embeddingForward } from "../nn/embedding.ts";
import type { LayerNormKept } from "../nn/layer_norm.ts";
import { fixedRows, type Rows } from "../nn/plan.ts";
import { createRelativeIndex } from "../nn/relative_position.ts";
import { type DebertaConfig, hasPositionTerm, maxRelativePositions, positionSpan } from "./config.ts";
import { headBackward, headForward, type HeadKept } from "./head.ts";
import { layerBackward, layerForward, type LayerKept, type Normed } from "./layer.ts";
import { type PositionTable, positionTableBackward, positionTableForward } from "./position.ts";
import { dropoutSite, normKept, type Scope, type TrainingScope } from "./scope.ts";

/** Constants of a model on the device that do not change with its parameters. */
export interface ModelConstants {
  readonly tableRows: Rows;
  readonly relativeIndex: Tensor;
}

/** Null without relative attention. `longest` is that of the capacity of the batches: the kernels index by it. */
export async function createModelConstants(
  gpu: Gpu,
  config: DebertaConfig,
  longest: number,
): Promise<ModelConstants | null> {
  if (!hasPositionTerm(config, "c2p") && !hasPositionTerm(config, "p2c")) return null;
  return {
    tableRows: fixedRows(gpu, "position table rows", 2 * positionSpan(config)),
    relativeIndex: await createRelativeIndex(gpu, longest, {
      bucketSize: config.positionBuckets,
      maxRelativePositions: maxRelativePositions(config),
    }),
  };
}

/** What the encoder's backward needs of its forward. */
export interface EncoderKept {
  embedding: LayerNormKept;
  position: PositionTable | null;
  layers: LayerKept[];
}

/** What the model's backward needs of its forward. */
export interface ModelKept extends EncoderKept {
  head: HeadKept;
}

/** The last hidden states [tokens, hidden] of the scope's batch. */
export function encoderForward(
  scope: Scope,
  constants: ModelConstants | null,
): { hiddenStates: Tensor; kept: EncoderKept } {
  const embedding = embed(scope);
  const position = constants && positionTableForward(scope, constants.tableRows, constants.relativeIndex);
  const layers: LayerKept[] = [];
  let x = embedding;
  for (let layer = 0; layer < scope.config.numHiddenLayers; layer++) {
    const kept = layerForward(scope, layer, x, position);
    layers.push(kept);
    x = kept.output;
  }
  return { hiddenStates: x.y, kept: { embedding: embedding.kept, position, layers } };
}

/** Logits [sequences, labels] of the scope's batch. */
export function modelForward(scope: Scope, constants: ModelConstants | null): { logits: Tensor; kept: ModelKept } {
  const { hiddenStates, kept } = encoderForward(scope, constants);
  const { logits, kept: head } = headForward(scope, hiddenStates);
  return { logits, kept: { ...kept, head } };
}

/** Adds the gradient of every trainable parameter, given that of the logits. */
export function modelBackward(
  scope: TrainingScope,
  dLogits: Tensor,
  { embedding, position, layers, head }: ModelKept,
  options: { frozenEncoder: boolean },
): void {
  let dx = headBackward(scope, dLogits, head, options);
  if (!dx) return;
  for (let layer = layers.length - 1; layer >= 0; layer--) {
    dx = layerBackward(scope, layer, dx, layers[layer], position);
  }
  if (position?.dTable) positionTableBackward(scope, position);
  embedBackward(scope, dx, embedding);
}

const EMBEDDINGS = "deberta.embeddings";

function embed({ plan, config, parameters, batch, dropout }: Scope): Normed {
  const shape = [batch.tokens.capacity, config.hiddenSize];
  const y = plan.activation("embedded", shape);
  const kept = normKept(plan, "embedding", batch.tokens.capacity, config.hiddenSize);
  embeddingForward(plan, {
    ids: batch.ids,
    typeIds: config.typeVocabSize > 0 ? batch.typeIds : undefined,
    position: config.positionBiasedInput ? batch.position : undefined,
    wordShards: parameters.valueShards(`${EMBEDDINGS}.word_embeddings.weight`),
    positionTable: config.positionBiasedInput
      ? parameters.value(`${EMBEDDINGS}.position_embeddings.weight`)
      : undefined,
    typeTable: config.typeVocabSize > 0 ? parameters.value(`${EMBEDDINGS}.token_type_embeddings.weight`) : undefined,
    weight: parameters.value(`${EMBEDDINGS}.LayerNorm.weight`),
    bias: parameters.value(`${EMBEDDINGS}.LayerNorm.bias`),
    dropout: dropout?.hidden,
    y,
    kept: dropout ? kept : undefined,
  }, { rows: batch.tokens, columns: config.hiddenSize, eps: config.layerNormEps, site: dropoutSite.embedding });
  return { y, kept, again: () => y }; // what dropout has changed is kept
}

function embedBackward(
  { plan, config, parameters, batch, dropout }: TrainingScope,
  dy: Tensor,
  kept: LayerNormKept,
): void {
  embeddingBackward(plan, {
    dy,
    kept,
    weight: parameters.value(`${EMBEDDINGS}.LayerNorm.weight`),
    dropout: dropout.hidden,
    sortedIds: batch.sortedIds,
    segmentStart: batch.segmentStart,
    tokenOrder: batch.tokenOrder,
    wordGradientShards: parameters.gradientShards(`${EMBEDDINGS}.word_embeddings.weight`),
    positions: config.positionBiasedInput
      ? {
        position: batch.position,
        offsets: batch.offsets,
        dTable: parameters.gradient(`${EMBEDDINGS}.position_embeddings.weight`),
      }
      : undefined,
    types: config.typeVocabSize > 0
      ? { typeIds: batch.typeIds, dTable: parameters.gradient(`${EMBEDDINGS}.token_type_embeddings.weight`) }
      : undefined,
    dWeight: parameters.gradient(`${EMBEDDINGS}.LayerNorm.weight`),
    dBias: parameters.gradient(`${EMBEDDINGS}.LayerNorm.bias`),
  }, {
    rows: batch.tokens,
    uniqueRows: batch.uniqueIds,
    sequences: batch.sequences,
    columns: config.hiddenSize,
    eps: config.layerNormEps,
    site: dropoutSite.embedding,
  });
}
