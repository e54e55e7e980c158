/**
 * One encoder layer: self-attention, then the feed-forward network, each with dropout, residual and LayerNorm behind it
 * (Devlin et al., BERT, NAACL 2019; parameter names and order as in `transformers`). What a family may add is the relative
 * attention of `LayerStyle`.
 */
import type { Tensor } from "../gpu/tensor.ts";
import { attentionBackward, attentionForward, type AttentionSizes } from "../nn/attention.ts";
import { layerNormAgain, layerNormBackward, layerNormForward, type LayerNormKept } from "../nn/layer_norm.ts";
import type { ParameterCollector } from "./collector.ts";
import type { Projections } from "./family.ts";
import { headSize, type ModelConfig } from "./model_config.ts";
import type { Rows } from "../nn/plan.ts";
import {
  dropoutSite,
  linear,
  linearBackward,
  normGradients,
  normKept,
  type Scope,
  type TrainingScope,
} from "./scope.ts";

/** Where the layers of families differ. */
export interface LayerStyle {
  /** What a layer's names begin with, e.g. "bert.encoder.layer.3". */
  name(layer: number): string;
  /** Those of the family. */
  readonly projections: Projections;
  /** What the attention scores, or each of their terms, are multiplied with. */
  readonly scale: number;
  /** Terms of the attention scores that depend on the distance between two tokens; null: none. */
  readonly relative: RelativeAttention | null;
}

/** Position keys and queries of every layer, made from one table of relative positions. */
export interface RelativeAttention {
  /** Rows of the table. */
  readonly rows: Rows;
  /** Row of the table for every distance between two tokens. */
  readonly relativeIndex: Tensor;
  forward(layer: number): RelativeTerms;
}

export interface RelativeTerms {
  readonly positionKey?: Tensor;
  readonly positionQuery?: Tensor;
  /** Adds to the gradients of what made them. */
  backward(scope: TrainingScope, gradients: { dPositionKey?: Tensor; dPositionQuery?: Tensor }): void;
}

/** Adds one layer's parameters; `addRelative` those of its relative attention, which stand behind the projections. */
export function layerParameters(
  { linear, layerNorm }: ParameterCollector,
  { hiddenSize, intermediateSize }: ModelConfig,
  { name, projections }: Pick<LayerStyle, "projections"> & { name: string },
  addRelative: (attention: string) => void = () => {},
): void {
  const attention = `${name}.attention.self`;
  for (const projection of Object.values(projections)) linear(`${attention}.${projection}`, hiddenSize, hiddenSize);
  addRelative(attention);
  linear(`${name}.attention.output.dense`, hiddenSize, hiddenSize);
  layerNorm(`${name}.attention.output.LayerNorm`, hiddenSize);
  linear(`${name}.intermediate.dense`, intermediateSize, hiddenSize);
  linear(`${name}.output.dense`, hiddenSize, intermediateSize);
  layerNorm(`${name}.output.LayerNorm`, hiddenSize);
}

/** What a LayerNorm passes on. The backward computes it again from what the LayerNorm keeps: a layer keeps less. */
export interface Normed {
  y: Tensor;
  kept: LayerNormKept;
  /** Appends the computation of y from `kept`. */
  again(): Tensor;
}

/** What a layer's backward needs of its attention. */
interface AttentionKept {
  query: Tensor;
  key: Tensor;
  value: Tensor;
  relative: RelativeTerms | null;
  context: Tensor;
  maxAndSum: Tensor;
  attended: Normed;
}

/** What a layer's backward needs of its forward. */
interface LayerKept extends AttentionKept {
  x: Normed;
  preActivation: Tensor;
  output: Normed;
}

/** A stretch of layers: what the last one puts out, and their backward. */
export interface LayersPass {
  readonly output: Normed;
  /** Adds to the gradients of the layers' parameters; returns the gradient of the first one's input. */
  backward(scope: TrainingScope, dy: Tensor): Tensor;
}

/** Layers `begin` … `end` − 1, one after another. */
export function layersForward(scope: Scope, x: Normed, style: LayerStyle, begin: number, end: number): LayersPass {
  const layers: LayerKept[] = [];
  for (let layer = begin; layer < end; layer++) {
    layers.push(layerForward(scope, layer, layers.at(-1)?.output ?? x, style));
  }
  return {
    output: layers.at(-1)?.output ?? x,
    backward(scope, dy) {
      return layers.reduceRight((dx, { x, output, ...rest }, i) => {
        const layer = begin + i;
        const kept = scope.recompute ? layerAgain(scope, layer, x, style) : rest;
        return layerBackward(scope, layer, dx, { x, output, ...kept }, style);
      }, dy);
    },
  };
}

/** Its output is `output` of what it keeps. */
function layerForward(scope: Scope, layer: number, x: Normed, style: LayerStyle): LayerKept {
  const { config: { hiddenSize, intermediateSize } } = scope;
  const name = style.name(layer);
  const attention = attend(scope, layer, x.y, style);
  const attended = attention.attended.y;
  const preActivation = preActivationOf(scope);
  const activated = linear(scope, `${name}.intermediate.dense`, attended, {
    rows: scope.batch.tokens,
    inFeatures: hiddenSize,
    outFeatures: intermediateSize,
    activation: "gelu",
    preActivation: scope.dropout ? preActivation : undefined,
  });
  const dense = linear(scope, `${name}.output.dense`, activated, {
    rows: scope.batch.tokens,
    inFeatures: intermediateSize,
    outFeatures: hiddenSize,
  });
  const output = addNorm(scope, `${name}.output.LayerNorm`, dense, attended, dropoutSite.output(layer));
  return { x, ...attention, preActivation, output };
}

/** The same bits of what a layer keeps, but its input and output, from its input. */
function layerAgain(scope: Scope, layer: number, x: Normed, style: LayerStyle): Omit<LayerKept, "x" | "output"> {
  const { config: { hiddenSize, intermediateSize } } = scope;
  const attention = attend(scope, layer, x.again(), style);
  const attended = attention.attended.y;
  const preActivation = linear(scope, `${style.name(layer)}.intermediate.dense`, attended, {
    rows: scope.batch.tokens,
    inFeatures: hiddenSize,
    outFeatures: intermediateSize,
    y: preActivationOf(scope),
  });
  return { ...attention, attended: { ...attention.attended, again: () => attended }, preActivation };
}

const preActivationOf = ({ plan, config, batch }: Scope): Tensor =>
  plan.activation("pre-activation", [batch.tokens.capacity, config.intermediateSize]);

/** A layer's attention, its residual and its LayerNorm. */
function attend(scope: Scope, layer: number, x: Tensor, style: LayerStyle): AttentionKept {
  const { plan, config, batch: { tokens } } = scope;
  const { hiddenSize: hidden } = config;
  const name = style.name(layer);
  const square = { rows: tokens, inFeatures: hidden, outFeatures: hidden };
  const heads = (label: string) => plan.activation(label, [tokens.capacity, hidden], headSize(config));
  const project = (projection: "query" | "key" | "value") => {
    const y = heads(projection);
    return linear(scope, `${name}.attention.self.${style.projections[projection]}`, x, { ...square, y });
  };
  const [query, key, value] = (["query", "key", "value"] as const).map(project);
  const relative = style.relative?.forward(layer) ?? null;
  const context = heads("context");
  const maxAndSum = plan.transient("softmax maximum and sum", [tokens.capacity, config.numAttentionHeads, 2]);
  attentionForward(
    plan,
    { query, key, value, ...attentionInputs(scope, style, relative), context, maxAndSum },
    attentionSizes(scope, layer, style),
  );
  const projected = linear(scope, `${name}.attention.output.dense`, context, square);
  const attended = addNorm(
    scope,
    `${name}.attention.output.LayerNorm`,
    projected,
    x,
    dropoutSite.attentionOutput(layer),
  );
  return { query, key, value, relative, context, maxAndSum, attended };
}

/** Adds to the gradients of the layer's parameters; returns the gradient of the layer's input. */
function layerBackward(scope: TrainingScope, layer: number, dy: Tensor, kept: LayerKept, style: LayerStyle): Tensor {
  const { plan, config, batch } = scope;
  const { tokens } = batch;
  const { hiddenSize: hidden, intermediateSize: intermediate } = config;
  const name = style.name(layer);
  const square = { rows: tokens, inFeatures: hidden, outFeatures: hidden };
  const wide = (label: string, columns = hidden) => plan.activation(label, [tokens.capacity, columns]);
  const heads = (label: string, rows = tokens.capacity) => plan.activation(label, [rows, hidden], headSize(config));

  const dOutput = wide("d output");
  const dAttended = wide("d attended");
  addNormBackward(scope, `${name}.output.LayerNorm`, {
    dy,
    kept: kept.output.kept,
    dx: dOutput,
    dResidual: dAttended,
    site: dropoutSite.output(layer),
  });
  const dPreActivation = wide("d pre-activation", intermediate);
  const { preActivation } = kept;
  // Computed again rather than kept, as the outputs of LayerNorms: four tenths of what a layer would keep.
  const activated = wide("activated", intermediate);
  linearBackward(scope, `${name}.output.dense`, { x: activated, dy: dOutput, dx: dPreActivation, preActivation }, {
    rows: tokens,
    inFeatures: intermediate,
    outFeatures: hidden,
  });
  linearBackward(scope, `${name}.intermediate.dense`, {
    x: kept.attended.again(),
    dy: dPreActivation,
    dx: dAttended,
    accumulate: true,
  }, { rows: tokens, inFeatures: hidden, outFeatures: intermediate });

  const dProjected = wide("d projected");
  const dx = wide("d layer input");
  addNormBackward(scope, `${name}.attention.output.LayerNorm`, {
    dy: dAttended,
    kept: kept.attended.kept,
    dx: dProjected,
    dResidual: dx,
    site: dropoutSite.attentionOutput(layer),
  });
  const dContext = heads("d context");
  linearBackward(scope, `${name}.attention.output.dense`, { x: kept.context, dy: dProjected, dx: dContext }, square);

  const { query, key, value, relative, context, maxAndSum } = kept;
  const dQuery = heads("d query");
  const dKey = heads("d key");
  const dValue = heads("d value");
  const tableRows = style.relative?.rows.capacity ?? 0;
  const dPositionKey = relative?.positionKey && heads("d position key", tableRows);
  const dPositionQuery = relative?.positionQuery && heads("d position query", tableRows);
  attentionBackward(plan, {
    query,
    key,
    value,
    ...attentionInputs(scope, style, relative),
    context,
    maxAndSum,
    dContext,
    dQuery,
    dKey,
    dValue,
    dPositionKey,
    dPositionQuery,
  }, attentionSizes(scope, layer, style));

  const x = kept.x.again();
  for (const [projection, dProjection] of [["query", dQuery], ["key", dKey], ["value", dValue]] as const) {
    const tensors = { x, dy: dProjection, dx, accumulate: true };
    linearBackward(scope, `${name}.attention.self.${style.projections[projection]}`, tensors, square);
  }
  relative?.backward(scope, { dPositionKey, dPositionQuery });
  return dx;
}

/** y = LayerNorm(residual + dropout(x)); a `site` of null drops nothing. */
export function addNorm(scope: Scope, name: string, x: Tensor, residual: Tensor, site: number | null): Normed {
  const { plan, config, parameters, batch: { tokens: rows }, dropout } = scope;
  const columns = config.hiddenSize;
  const output = () => plan.activation(`${name} output`, [rows.capacity, columns]);
  const kept = normKept(plan, name, rows.capacity, columns);
  const affine = { weight: parameters.value(`${name}.weight`), bias: parameters.value(`${name}.bias`) };
  const y = output();
  layerNormForward(
    plan,
    { x, residual, ...affine, dropout: dropping(scope, site), y, kept: dropout ? kept : undefined },
    { rows, columns, eps: config.layerNormEps, site: site ?? undefined },
  );
  const again = () => {
    const y = output();
    layerNormAgain(plan, { kept, ...affine, y }, { rows, columns });
    return y;
  };
  return { y, kept, again };
}

const dropping = ({ dropout }: Scope, site: number | null): Tensor | undefined =>
  site === null ? undefined : dropout?.hidden;

/** Where nothing is dropped, `dx` is the gradient of the residual too. */
export function addNormBackward(
  scope: TrainingScope,
  name: string,
  { dy, kept, dx, dResidual, site }: {
    dy: Tensor;
    kept: LayerNormKept;
    dx: Tensor;
    dResidual?: Tensor;
    site: number | null;
  },
): void {
  const { plan, config, parameters, batch: { tokens } } = scope;
  layerNormBackward(
    plan,
    {
      dy,
      weight: parameters.value(`${name}.weight`),
      kept,
      dropout: dropping(scope, site),
      dx,
      dResidual,
      ...normGradients(scope, name),
    },
    { rows: tokens, columns: config.hiddenSize, eps: config.layerNormEps, site: site ?? undefined },
  );
}

function attentionInputs({ batch, dropout }: Scope, { relative }: LayerStyle, terms: RelativeTerms | null) {
  return {
    positionKey: terms?.positionKey,
    positionQuery: terms?.positionQuery,
    offsets: batch.offsets,
    sequenceOf: batch.sequenceOf,
    relativeIndex: relative?.relativeIndex,
    dropout: dropout?.attention,
  };
}

function attentionSizes({ config, batch }: Scope, layer: number, { scale, relative }: LayerStyle): AttentionSizes {
  return {
    heads: config.numAttentionHeads,
    headSize: headSize(config),
    relativeRows: relative?.rows.capacity ?? 0,
    tokens: batch.tokens,
    longestCapacity: batch.capacity.longest,
    scale,
    site: dropoutSite.attention(layer),
    label: `layer ${layer} attention`,
  };
}
