/** The embeddings of a batch: words, and positions and segments where a family has them, with LayerNorm and dropout. */
import type { Tensor } from "../gpu/tensor.ts";
import { dropoutBackward, dropoutForward } from "../nn/dropout.ts";
import { embeddingBackward, embeddingForward, embeddingSum, tableGradients } from "../nn/embedding.ts";
import { layerNormBackward, layerNormForward } from "../nn/layer_norm.ts";
import { linearBackwardInput, linearBackwardWeight, linearForward } from "../nn/linear.ts";
import type { ParameterSpec } from "../nn/parameters.ts";
import type { ParameterCollector } from "./collector.ts";
import type { Normed } from "./layer.ts";
import type { ModelConfig } from "./model_config.ts";
import { dropoutSite, normKept, type Scope, type TrainingScope, weightOf } from "./scope.ts";

/** Where families differ. */
export interface EmbeddingStyle {
  /** What the names begin with, e.g. "bert.embeddings". */
  readonly name: string;
  /** Row of the position table for a sequence's first token; null: no absolute positions are added. */
  readonly firstPosition: number | null;
  /** Columns of the tables, which a projection without bias makes as wide as the layers; absent: they are. */
  readonly width?: number;
}

/** The embeddings [tokens, hidden] of a batch, and their backward. */
export interface EmbeddingPass extends Normed {
  /** Adds to the gradients of all tables and of the LayerNorm, unless they are frozen. */
  backward(scope: TrainingScope, dy: Tensor): void;
}

export const wordTable = (name: string): string => `${name}.word_embeddings.weight`;

/** Columns of the table of word embeddings below a family's prefix. */
export const wordWidth = (specs: readonly ParameterSpec[], prefix: string): number =>
  specs.find(({ name }) => name === wordTable(`${prefix}embeddings`))!.shape[1];

const projection = (name: string): string => `${name}.embed_proj.weight`;

const isNarrow = ({ hiddenSize }: ModelConfig, { width = hiddenSize }: EmbeddingStyle): boolean => width !== hiddenSize;

export function embeddingParameters(
  { add, layerNorm }: ParameterCollector,
  config: ModelConfig,
  style: EmbeddingStyle,
): void {
  const { name, firstPosition, width = config.hiddenSize } = style;
  add(wordTable(name), [config.vocabSize, width]);
  if (firstPosition !== null) add(`${name}.position_embeddings.weight`, [config.maxPositionEmbeddings, width]);
  if (config.typeVocabSize > 0) add(`${name}.token_type_embeddings.weight`, [config.typeVocabSize, width]);
  if (isNarrow(config, style)) add(projection(name), [config.hiddenSize, width], { product: true });
  layerNorm(`${name}.LayerNorm`, config.hiddenSize);
}

export function embed(scope: Scope, style: EmbeddingStyle): EmbeddingPass {
  const pass = isNarrow(scope.config, style) ? embedNarrow(scope, style) : embedWide(scope, style);
  return scope.parameters.isTrainable(wordTable(style.name)) ? pass : { ...pass, backward() {} };
}

function embedWide(scope: Scope, style: EmbeddingStyle): EmbeddingPass {
  const { plan, batch, dropout } = scope;
  const norm = normOf(scope, style);
  embeddingForward(plan, {
    ...tablesOf(scope, style),
    ...norm.affine,
    dropout: dropout?.hidden,
    y: norm.y,
    kept: dropout ? norm.kept : undefined,
  }, { ...norm.sizes, firstPosition: style.firstPosition ?? 0 });
  return {
    ...norm.result,
    backward(scope, dy) {
      embeddingBackward(scope.plan, {
        ...gradientsOf(scope, style),
        ...norm.gradients(scope),
        dy,
        kept: norm.kept,
        dropout: scope.dropout.hidden,
      }, {
        ...norm.sizes,
        uniqueRows: batch.uniqueIds,
        sequences: batch.sequences,
        firstPosition: style.firstPosition ?? 0,
      });
    },
  };
}

/** y = dropout(LayerNorm(W · (sum of the tables' rows))). */
function embedNarrow(scope: Scope, style: EmbeddingStyle): EmbeddingPass {
  const { plan, batch, dropout } = scope;
  const { name, width, firstPosition } = style;
  const norm = normOf(scope, style);
  const { rows, columns } = norm.sizes;
  const shape = [rows.capacity, columns];
  const sum = plan.activation("sum of embeddings", [rows.capacity, width!]);
  const sumSizes = { rows, columns: width!, firstPosition: firstPosition ?? 0 };
  embeddingSum(plan, { ...tablesOf(scope, style), y: sum }, sumSizes);
  const projected = plan.activation("projected embeddings", shape);
  const product = { rows, inFeatures: width!, outFeatures: columns, label: "projection of embeddings" };
  linearForward(plan, { x: sum, weight: weightOf(scope, projection(name)), y: projected }, product);
  const normed = dropout ? plan.activation("normalised embeddings", shape) : norm.y;
  const kept = dropout ? norm.kept : undefined;
  layerNormForward(plan, { x: projected, ...norm.affine, y: normed, kept }, norm.sizes);
  if (dropout) dropoutForward(plan, { x: normed, dropout: dropout.hidden, y: norm.y }, norm.sizes);
  return {
    ...norm.result,
    backward(scope, dy) {
      const { plan, parameters, dropout } = scope;
      const dNormed = plan.activation("d normalised embeddings", shape);
      dropoutBackward(plan, { dy, dropout: dropout.hidden, dx: dNormed }, norm.sizes);
      const dProjected = plan.activation("d projected embeddings", shape);
      const { weight, dWeight, dBias } = norm.gradients(scope);
      layerNormBackward(plan, { dy: dNormed, weight, kept: norm.kept, dx: dProjected, dWeight, dBias }, norm.sizes);
      linearBackwardWeight(plan, { dy: dProjected, x: sum, dWeight: parameters.gradient(projection(name)) }, product);
      const dz = plan.activation("d sum of embeddings", [rows.capacity, width!]);
      linearBackwardInput(plan, { dy: dProjected, weight: weightOf(scope, projection(name)), dx: dz }, {
        ...product,
        accumulate: false,
      });
      tableGradients(plan, { ...gradientsOf(scope, style), dz }, {
        ...sumSizes,
        uniqueRows: batch.uniqueIds,
        sequences: batch.sequences,
      });
    },
  };
}

/** The LayerNorm behind the tables, and what it puts out. */
function normOf({ plan, config, parameters, batch }: Scope, { name }: EmbeddingStyle) {
  const y = plan.activation("embedded", [batch.tokens.capacity, config.hiddenSize]);
  const kept = normKept(plan, "embedding", batch.tokens.capacity, config.hiddenSize);
  const norm = `${name}.LayerNorm`;
  const weight = parameters.value(`${norm}.weight`);
  return {
    y,
    kept,
    affine: { weight, bias: parameters.value(`${norm}.bias`) },
    gradients: ({ parameters }: TrainingScope) => ({
      weight,
      dWeight: parameters.gradient(`${norm}.weight`),
      dBias: parameters.gradient(`${norm}.bias`),
    }),
    sizes: { rows: batch.tokens, columns: config.hiddenSize, eps: config.layerNormEps, site: dropoutSite.embedding },
    result: { y, kept, again: () => y }, // what dropout has changed is kept
  };
}

function tablesOf({ config, parameters, batch }: Scope, { name, firstPosition }: EmbeddingStyle) {
  return {
    ids: batch.ids,
    wordShards: parameters.valueShards(wordTable(name)),
    positions: firstPosition === null
      ? undefined
      : { position: batch.position, table: parameters.value(`${name}.position_embeddings.weight`) },
    types: config.typeVocabSize > 0
      ? { typeIds: batch.typeIds, table: parameters.value(`${name}.token_type_embeddings.weight`) }
      : undefined,
  };
}

function gradientsOf({ config, parameters, batch }: TrainingScope, { name, firstPosition }: EmbeddingStyle) {
  return {
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
  };
}
