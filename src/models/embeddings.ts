/** The embeddings of a batch: words, and positions and segments where a family has them, with LayerNorm and dropout. */
import { embeddingBackward, embeddingForward } from "../nn/embedding.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { ParameterCollector } from "./collector.ts";
import type { Normed } from "./layer.ts";
import type { ModelConfig } from "./model_config.ts";
import { dropoutSite, normKept, type Scope, type TrainingScope } from "./scope.ts";

/** Where families differ. */
export interface EmbeddingStyle {
  /** What the names begin with, e.g. "bert.embeddings". */
  readonly name: string;
  /** Row of the position table for a sequence's first token; null: no absolute positions are added. */
  readonly firstPosition: number | null;
}

export const wordTable = (name: string): string => `${name}.word_embeddings.weight`;

export function embeddingParameters(
  { add, layerNorm }: ParameterCollector,
  config: ModelConfig,
  { name, firstPosition }: EmbeddingStyle,
): void {
  const { hiddenSize } = config;
  add(wordTable(name), [config.vocabSize, hiddenSize]);
  if (firstPosition !== null) add(`${name}.position_embeddings.weight`, [config.maxPositionEmbeddings, hiddenSize]);
  if (config.typeVocabSize > 0) add(`${name}.token_type_embeddings.weight`, [config.typeVocabSize, hiddenSize]);
  layerNorm(`${name}.LayerNorm`, hiddenSize);
}

/** The embeddings [tokens, hidden] of the scope's batch. */
export function embed({ plan, config, parameters, batch, dropout }: Scope, style: EmbeddingStyle): Normed {
  const { name, firstPosition } = style;
  const y = plan.activation("embedded", [batch.tokens.capacity, config.hiddenSize]);
  const kept = normKept(plan, "embedding", batch.tokens.capacity, config.hiddenSize);
  const hasTypes = config.typeVocabSize > 0;
  embeddingForward(plan, {
    ids: batch.ids,
    wordShards: parameters.valueShards(wordTable(name)),
    positions: firstPosition === null
      ? undefined
      : { position: batch.position, table: parameters.value(`${name}.position_embeddings.weight`) },
    types: hasTypes
      ? { typeIds: batch.typeIds, table: parameters.value(`${name}.token_type_embeddings.weight`) }
      : undefined,
    weight: parameters.value(`${name}.LayerNorm.weight`),
    bias: parameters.value(`${name}.LayerNorm.bias`),
    dropout: dropout?.hidden,
    y,
    kept: dropout ? kept : undefined,
  }, {
    rows: batch.tokens,
    columns: config.hiddenSize,
    eps: config.layerNormEps,
    site: dropoutSite.embedding,
    firstPosition: firstPosition ?? 0,
  });
  return { y, kept, again: () => y }; // what dropout has changed is kept
}

/** Adds to the gradients of all tables and of the LayerNorm. */
export function embedBackward(
  { plan, config, parameters, batch, dropout }: TrainingScope,
  { name, firstPosition }: EmbeddingStyle,
  dy: Tensor,
  { kept }: Normed,
): void {
  embeddingBackward(plan, {
    dy,
    kept,
    weight: parameters.value(`${name}.LayerNorm.weight`),
    dropout: dropout.hidden,
    sortedIds: batch.sortedIds,
    segmentStart: batch.segmentStart,
    tokenOrder: batch.tokenOrder,
    wordGradientShards: parameters.gradientShards(wordTable(name)),
    positions: firstPosition === null
      ? undefined
      : { offsets: batch.offsets, dTable: parameters.gradient(`${name}.position_embeddings.weight`) },
    types: config.typeVocabSize > 0
      ? { typeIds: batch.typeIds, dTable: parameters.gradient(`${name}.token_type_embeddings.weight`) }
      : undefined,
    dWeight: parameters.gradient(`${name}.LayerNorm.weight`),
    dBias: parameters.gradient(`${name}.LayerNorm.bias`),
  }, {
    rows: batch.tokens,
    uniqueRows: batch.uniqueIds,
    sequences: batch.sequences,
    columns: config.hiddenSize,
    eps: config.layerNormEps,
    site: dropoutSite.embedding,
    firstPosition: firstPosition ?? 0,
  });
}
