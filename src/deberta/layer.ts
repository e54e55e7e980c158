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

/** What a layer's backward needs of its forward. */
export interface LayerKept {
  x: Tensor;
  query: Tensor;
  key: Tensor;
  value: Tensor;
  table: Tensor | null;
  positionKey?: Tensor;
  positionQuery?: Tensor;
  context: Tensor;
  maxAndSum: Tensor;
  attentionNorm: LayerNormKept;
  preActivation: Tensor;
  outputNorm: LayerNormKept;
}

export function layerForward(
  scope: Scope,
  layer: number,
  x: Tensor,
  position: PositionTable | null,
): { y: Tensor; kept: LayerKept } {
  const { plan, config, batch } = scope;
  const { tokens } = batch;
  const { hiddenSize: hidden, intermediateSize: intermediate } = config;
  const name = `deberta.encoder.layer.${layer}`;
  const square = { rows: tokens, inFeatures: hidden, outFeatures: hidden };

  const query = linear(scope, `${name}.attention.self.query_proj`, x, square);
  const key = linear(scope, `${name}.attention.self.key_proj`, x, square);
  const value = linear(scope, `${name}.attention.self.value_proj`, x, square);
  const { table, positionKey, positionQuery } = positionForward(scope, layer, position);
  const context = plan.transient("context", [tokens.capacity, hidden]);
  const maxAndSum = plan.transient("softmax maximum and sum", [tokens.capacity, config.numAttentionHeads, 2]);
  attentionForward(
    plan,
    { query, key, value, positionKey, positionQuery, ...attentionInputs(scope, position), context, maxAndSum },
    attentionSizes(scope, layer),
  );

  const projected = linear(scope, `${name}.attention.output.dense`, context, square);
  const attended = addNorm(
    scope,
    `${name}.attention.output.LayerNorm`,
    projected,
    x,
    dropoutSite.attentionOutput(layer),
  );

  const preActivation = plan.transient("pre-activation", [tokens.capacity, intermediate]);
  const activated = linear(scope, `${name}.intermediate.dense`, attended.y, {
    rows: tokens,
    inFeatures: hidden,
    outFeatures: intermediate,
    activation: "gelu",
    preActivation: scope.dropout ? preActivation : undefined,
  });
  const output = linear(scope, `${name}.output.dense`, activated, {
    rows: tokens,
    inFeatures: intermediate,
    outFeatures: hidden,
  });
  const normed = addNorm(scope, `${name}.output.LayerNorm`, output, attended.y, dropoutSite.output(layer));
  return {
    y: normed.y,
    kept: {
      x,
      query,
      key,
      value,
      table,
      positionKey,
      positionQuery,
      context,
      maxAndSum,
      attentionNorm: attended.kept,
      preActivation,
      outputNorm: normed.kept,
    },
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
  const { plan, config, parameters, batch } = scope;
  const { tokens } = batch;
  const { hiddenSize: hidden, intermediateSize: intermediate } = config;
  const name = `deberta.encoder.layer.${layer}`;
  const square = { rows: tokens, inFeatures: hidden, outFeatures: hidden };
  const wide = (label: string, columns = hidden) => plan.transient(label, [tokens.capacity, columns]);

  const dOutput = wide("d output");
  const dAttended = wide("d attended");
  addNormBackward(scope, `${name}.output.LayerNorm`, {
    dy,
    kept: kept.outputNorm,
    dx: dOutput,
    dResidual: dAttended,
    site: dropoutSite.output(layer),
  });
  const dPreActivation = wide("d pre-activation", intermediate);
  const { preActivation } = kept;
  // Computed again rather than kept, as the output of the LayerNorm below: a third of what a layer would keep.
  const activated = wide("activated", intermediate);
  geluForward(plan, { preActivation, y: activated }, { rows: tokens, columns: intermediate });
  linearBackward(scope, `${name}.output.dense`, { x: activated, dy: dOutput, dx: dPreActivation, preActivation }, {
    rows: tokens,
    inFeatures: intermediate,
    outFeatures: hidden,
  });
  const attended = wide("attended");
  layerNormAgain(plan, {
    kept: kept.attentionNorm,
    weight: parameters.value(`${name}.attention.output.LayerNorm.weight`),
    bias: parameters.value(`${name}.attention.output.LayerNorm.bias`),
    y: attended,
  }, { rows: tokens, columns: hidden });
  linearBackward(scope, `${name}.intermediate.dense`, {
    x: attended,
    dy: dPreActivation,
    dx: dAttended,
    accumulate: true,
  }, { rows: tokens, inFeatures: hidden, outFeatures: intermediate });

  const dProjected = wide("d projected");
  const dx = wide("d layer input");
  addNormBackward(scope, `${name}.attention.output.LayerNorm`, {
    dy: dAttended,
    kept: kept.attentionNorm,
    dx: dProjected,
    dResidual: dx,
    site: dropoutSite.attentionOutput(layer),
  });
  const dContext = wide("d context");
  linearBackward(scope, `${name}.attention.output.dense`, { x: kept.context, dy: dProjected, dx: dContext }, square);

  const { query, key, value, positionKey, positionQuery, context, maxAndSum } = kept;
  const dQuery = wide("d query");
  const dKey = wide("d key");
  const dValue = wide("d value");
  const tableRows = position?.rows.capacity ?? 0;
  const dPositionKey = positionKey && plan.transient("d position key", [tableRows, hidden]);
  const dPositionQuery = positionQuery && plan.transient("d position query", [tableRows, hidden]);
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
  for (const [projection, dProjection] of Object.entries(projections)) {
    const tensors = { x: kept.x, dy: dProjection, dx, accumulate: true };
    linearBackward(scope, `${name}.attention.self.${projection}`, tensors, square);
  }
  positionBackward(scope, layer, position, { table: kept.table, dPositionKey, dPositionQuery });
  return dx;
}

/** y = LayerNorm(residual + dropout(x)). */
function addNorm(
  scope: Scope,
  name: string,
  x: Tensor,
  residual: Tensor,
  site: number,
): { y: Tensor; kept: LayerNormKept } {
  const { plan, config, parameters, batch: { tokens }, dropout } = scope;
  const y = plan.transient(`${name} output`, [tokens.capacity, config.hiddenSize]);
  const kept = normKept(plan, name, tokens.capacity, config.hiddenSize);
  const weight = parameters.value(`${name}.weight`);
  const bias = parameters.value(`${name}.bias`);
  layerNormForward(
    plan,
    { x, residual, weight, bias, dropout: dropout?.hidden, y, kept: dropout ? kept : undefined },
    { rows: tokens, columns: config.hiddenSize, eps: config.layerNormEps, site },
  );
  return { y, kept };
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
