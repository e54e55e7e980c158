/**
 * The relative position table: one for the whole encoder, normalised once, projected anew by every layer (He et al.,
 * DeBERTa, ICLR 2021, section 3.1; normalised table and shared projections as in DeBERTa-v3).
 */
import type { Tensor } from "../../gpu/tensor.ts";
import { accumulate, dropoutBackward, dropoutForward } from "../../nn/dropout.ts";
import { layerNormBackward, layerNormForward, type LayerNormKept } from "../../nn/layer_norm.ts";
import type { Rows } from "../../nn/plan.ts";
import type { RelativeAttention, RelativeTerms } from "../layer.ts";
import { headSize } from "../model_config.ts";
import { dropoutSite, linear, linearBackward, normKept, type Scope, type TrainingScope } from "../scope.ts";
import { type DebertaConfig, hasPositionTerm } from "./config.ts";

/** The table on the device, and which of its rows belongs to a distance. */
export interface PositionRows {
  readonly rows: Rows;
  readonly relativeIndex: Tensor;
}

/** Relative attention in all layers of one forward pass. */
export interface PositionPass extends RelativeAttention {
  /** After the backward of all layers: adds to the gradients of the table and its LayerNorm, unless they are frozen. */
  backward(scope: TrainingScope): void;
}

const WEIGHT = "deberta.encoder.rel_embeddings.weight";
const NORM = "deberta.encoder.LayerNorm";

export function positionForward(scope: Scope<DebertaConfig>, { rows, relativeIndex }: PositionRows): PositionPass {
  const { config } = scope;
  const { table, kept } = tableForward(scope, rows);
  /** Sum over layers of the gradient of `table`, f32; there once a layer's backward has been planned. */
  let dTable: Tensor | undefined;

  function layerBackward(scope: TrainingScope, layer: number, dropped: Tensor, terms: [string, Tensor | undefined][]) {
    const given = terms.filter(([, dy]) => dy);
    if (given.length === 0) return;
    const { plan, dropout } = scope;
    const shape = [rows.capacity, config.hiddenSize];
    const sizes = { rows, inFeatures: config.hiddenSize, outFeatures: config.hiddenSize };
    const dx = scope.parameters.isTrainable(WEIGHT) ? plan.activation("d dropped position table", shape) : undefined;
    given.forEach(([name, dy], i) => {
      linearBackward(scope, name, { x: dropped, dy: dy!, dx, accumulate: i > 0 }, sizes);
    });
    if (!dx) return;
    const accumulate = dTable !== undefined;
    dTable ??= plan.transient("d position table", shape);
    dropoutBackward(plan, { dy: dx, dropout: dropout.hidden, dx: dTable }, {
      rows,
      columns: config.hiddenSize,
      site: dropoutSite.position(layer),
      accumulate,
    });
  }

  return {
    rows,
    relativeIndex,
    forward(layer): RelativeTerms {
      const dropped = dropTable(scope, layer, rows, table);
      const names = projectionNames(config, layer);
      const project = (name: string) => {
        const y = scope.plan.activation(`${name} of positions`, [rows.capacity, config.hiddenSize], headSize(config));
        return linear(scope, name, dropped, {
          rows,
          inFeatures: config.hiddenSize,
          outFeatures: config.hiddenSize,
          y,
        });
      };
      return {
        positionKey: hasPositionTerm(config, "c2p") ? project(names.positionKey) : undefined,
        positionQuery: hasPositionTerm(config, "p2c") ? project(names.positionQuery) : undefined,
        backward: (scope, { dPositionKey, dPositionQuery }) =>
          layerBackward(scope, layer, dropped, [
            [names.positionKey, dPositionKey],
            [names.positionQuery, dPositionQuery],
          ]),
      };
    },
    backward: (scope) => dTable && tableBackward(scope, rows, dTable, kept),
  };
}

/** The table as every layer gets it, before that layer's dropout, [2·span, hidden]. */
function tableForward(scope: Scope<DebertaConfig>, rows: Rows): { table: Tensor; kept?: LayerNormKept } {
  const { plan, config, parameters } = scope;
  const embeddings = parameters.value(WEIGHT);
  if (config.normRelEbd === "none") return { table: embeddings };
  const table = plan.activation("position table", [rows.capacity, config.hiddenSize]);
  const kept = normKept(plan, "position table", rows.capacity, config.hiddenSize);
  const weight = parameters.value(`${NORM}.weight`);
  const bias = parameters.value(`${NORM}.bias`);
  layerNormForward(plan, { x: embeddings, weight, bias, y: table, kept: scope.dropout ? kept : undefined }, {
    rows,
    columns: config.hiddenSize,
    eps: config.layerNormEps,
  });
  return { table, kept };
}

function tableBackward(
  { plan, config, parameters }: TrainingScope,
  rows: Rows,
  dTable: Tensor,
  kept: LayerNormKept | undefined,
): void {
  const columns = config.hiddenSize;
  const gradient = parameters.gradient(WEIGHT);
  if (!kept) return accumulate(plan, { from: dTable, into: gradient }, { rows, columns });
  const dEmbeddings = plan.transient("d position embeddings", [rows.capacity, columns]);
  layerNormBackward(plan, {
    dy: dTable,
    weight: parameters.value(`${NORM}.weight`),
    kept,
    dx: dEmbeddings,
    dWeight: parameters.gradient(`${NORM}.weight`),
    dBias: parameters.gradient(`${NORM}.bias`),
  }, { rows, columns, eps: config.layerNormEps });
  accumulate(plan, { from: dEmbeddings, into: gradient }, { rows, columns });
}

function dropTable({ plan, config, dropout }: Scope, layer: number, rows: Rows, table: Tensor): Tensor {
  if (!dropout) return table;
  const dropped = plan.activation("dropped position table", [rows.capacity, config.hiddenSize]);
  dropoutForward(plan, { x: table, dropout: dropout.hidden, y: dropped }, {
    rows,
    columns: config.hiddenSize,
    site: dropoutSite.position(layer),
  });
  return dropped;
}

/** Names of the projections that make a layer's position keys and queries: its own, or those of the tokens. */
function projectionNames(config: DebertaConfig, layer: number): { positionKey: string; positionQuery: string } {
  const self = `deberta.encoder.layer.${layer}.attention.self`;
  return config.shareAttKey
    ? { positionKey: `${self}.key_proj`, positionQuery: `${self}.query_proj` }
    : { positionKey: `${self}.pos_key_proj`, positionQuery: `${self}.pos_query_proj` };
}
