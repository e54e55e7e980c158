/**
 * One encoder layer: disentangled self-attention, then the feed-forward network, each with dropout, residual and
 * LayerNorm behind it (He et al., DeBERTa, ICLR 2021, section 3; parameter names and order as in `transformers`).
 */
import type { Tensor } from "../gpu/tensor.ts";
import { attentionBackward, attentionForward, type AttentionSizes } from "../nn/attention.ts";
import { geluForward } from "../nn/gelu.ts";
import { layerNormAgain, layerNormBackward, layerNormForward, type LayerNormKept } from "../nn/layer_norm.ts";
import { positionBackward, positionForward, type PositionTable } from "./position.ts";
import { attentionScale, headSize, positionSpan } from "./config.ts";
import { dropoutSite, linear, linearBackward, normKept, type Scope, type TrainingScope } from "./scope.ts";

/** What a LayerNorm passes on. The backward computes it again from what the LayerNorm keeps: a layer keeps less. */
export interface Normed {
  y: Tensor;
  kept: LayerNormKept;
  /** Appends the computation of y from `kept`. */
  again(): Tensor;
}

/** What a layer's backward needs of its forward. */
export interface LayerKept {
  x: Normed;
  query: Tensor;
  key: Tensor;
  value: Tensor;
  table: Tensor | null;
  positionKey?: Tensor;
  positionQuery?: Tensor;
  context: Tensor;
  maxAndSum: Tensor;
  attended: Normed;
  preActivation: Tensor;
  output: Normed;
}

/** Its output is `output` of what it keeps. */
export function layerForward(scope: Scope, layer: number, x: Normed, position: PositionTable | null): LayerKept {
  const { plan, config, batch } = scope;
  const { tokens } = batch;
  const { hiddenSize: hidden, intermediateSize: intermediate } = config;
  const name = `deberta.encoder.layer.${layer}`;
  const square = { rows: tokens, inFeatures: hidden, outFeatures: hidden };

  const heads = (label: string) => plan.activation(label, [tokens.capacity, hidden], headSize(config));
  const project = (projection: string) =>
    linear(scope, `${name}.attention.self.${projection}_proj`, x.y, { ...square, y: heads(projection) });
  const [query, key, value] = ["query", "key", "value"].map(project);
  const { table, positionKey, positionQuery } = positionForward(scope, layer, position);
  const context = heads("context");
  const maxAndSum = plan.transient("softmax maximum and sum", [tokens.capacity, config.numAttentionHeads, 2]);
  attentionForward(
    plan,
    { query, key, value, positionKey, positionQuery, ...attentionInputs(scope, position), context, maxAndSum },
    attentionSizes(scope, layer),
  );

  const projected = linear(scope, `${name}.attention.output.dense`, context, square);
  const attentionNorm = `${name}.attention.output.LayerNorm`;
  const attended = addNorm(scope, attentionNorm, projected, x.y, dropoutSite.attentionOutput(layer));

  const preActivation = plan.activation("pre-activation", [tokens.capacity, intermediate]);
  const activated = linear(scope, `${name}.intermediate.dense`, attended.y, {
    rows: tokens,
    inFeatures: hidden,
    outFeatures: intermediate,
    activation: "gelu",
    preActivation: scope.dropout ? preActivation : undefined,
  });
  const dense = linear(scope, `${name}.output.dense`, activated, {
    rows: tokens,
    inFeatures: intermediate,
    outFeatures: hidden,
  });
  const output = addNorm(scope, `${name}.output.LayerNorm`, dense, attended.y, dropoutSite.output(layer));
  return {
    x,
    query,
    key,
    value,
    table,
    positionKey,
    positionQuery,
    context,
    maxAndSum,
    attended,
    preActivation,
    output,
  };
}

/** Adds to the gradients of the layer's parameters and to `dTable`; returns the gradient of the layer's input. */
export function layerBackward(
  scope: TrainingScope,
  layer: number,
  dy: Tensor,
  kept: LayerKept,
  position: PositionTable | null,
): Tensor {
  const { plan, config, batch } = scope;
  const { tokens } = batch;
  const { hiddenSize: hidden, intermediateSize: intermediate } = config;
  const name = `deberta.encoder.layer.${layer}`;
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
  geluForward(plan, { preActivation, y: activated }, { rows: tokens, columns: intermediate });
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

  const { query, key, value, positionKey, positionQuery, context, maxAndSum } = kept;
  const dQuery = heads("d query");
  const dKey = heads("d key");
  const dValue = heads("d value");
  const tableRows = position?.rows.capacity ?? 0;
  const dPositionKey = positionKey && heads("d position key", tableRows);
  const dPositionQuery = positionQuery && heads("d position query", tableRows);
  attentionBackward(plan, {
    query,
    key,
    value,
    positionKey,
    positionQuery,
    ...attentionInputs(scope, position),
    context,
    maxAndSum,
    dContext,
    dQuery,
    dKey,
    dValue,
    dPositionKey,
    dPositionQuery,
  }, attentionSizes(scope, layer));

  const projections = { query_proj: dQuery, key_proj: dKey, value_proj: dValue };
  const x = kept.x.again();
  for (const [projection, dProjection] of Object.entries(projections)) {
    const tensors = { x, dy: dProjection, dx, accumulate: true };
    linearBackward(scope, `${name}.attention.self.${projection}`, tensors, square);
  }
  positionBackward(scope, layer, position, { table: kept.table, dPositionKey, dPositionQuery });
  return dx;
}

/** y = LayerNorm(residual + dropout(x)). */
function addNorm(scope: Scope, name: string, x: Tensor, residual: Tensor, site: number): Normed {
  const { plan, config, parameters, batch: { tokens: rows }, dropout } = scope;
  const columns = config.hiddenSize;
  const output = () => plan.activation(`${name} output`, [rows.capacity, columns]);
  const kept = normKept(plan, name, rows.capacity, columns);
  const affine = { weight: parameters.value(`${name}.weight`), bias: parameters.value(`${name}.bias`) };
  const y = output();
  layerNormForward(
    plan,
    { x, residual, ...affine, dropout: dropout?.hidden, y, kept: dropout ? kept : undefined },
    { rows, columns, eps: config.layerNormEps, site },
  );
  const again = () => {
    const y = output();
    layerNormAgain(plan, { kept, ...affine, y }, { rows, columns });
    return y;
  };
  return { y, kept, again };
}

function addNormBackward(
  { plan, config, parameters, batch: { tokens }, dropout }: TrainingScope,
  name: string,
  { dy, kept, dx, dResidual, site }: { dy: Tensor; kept: LayerNormKept; dx: Tensor; dResidual: Tensor; site: number },
): void {
  layerNormBackward(
    plan,
    {
      dy,
      weight: parameters.value(`${name}.weight`),
      kept,
      dropout: dropout.hidden,
      dx,
      dResidual,
      dWeight: parameters.gradient(`${name}.weight`),
      dBias: parameters.gradient(`${name}.bias`),
    },
    { rows: tokens, columns: config.hiddenSize, eps: config.layerNormEps, site },
  );
}

function attentionInputs({ batch, dropout }: Scope, position: PositionTable | null) {
  return {
    offsets: batch.offsets,
    sequenceOf: batch.sequenceOf,
    relativeIndex: position?.relativeIndex,
    dropout: dropout?.attention,
  };
}

function attentionSizes({ config, batch }: Scope, layer: number): AttentionSizes {
  return {
    heads: config.numAttentionHeads,
    headSize: headSize(config),
    relativeRows: config.relativeAttention ? 2 * positionSpan(config) : 0,
    tokens: batch.tokens,
    longestCapacity: batch.capacity.longest,
    scale: attentionScale(config),
    site: dropoutSite.attention(layer),
    label: `layer ${layer} attention`,
  };
}
