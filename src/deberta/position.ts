/**
 * The relative position table: one for the whole encoder, normalised once, projected anew by every layer (He et al.,
 * DeBERTa, ICLR 2021, section 3.1; normalised table and shared projections as in DeBERTa-v3).
 */
import type { Tensor } from "../gpu/tensor.ts";
import { accumulate, dropoutBackward, dropoutForward } from "../nn/dropout.ts";
import { layerNormBackward, layerNormForward, type LayerNormKept } from "../nn/layer_norm.ts";
import type { Rows } from "../nn/plan.ts";
import { hasPositionTerm, headSize } from "./config.ts";
import { dropoutSite, linear, linearBackward, normKept, type Scope, type TrainingScope } from "./scope.ts";

export interface PositionTable {
  readonly rows: Rows;
  /** Row of the table for every distance between two tokens. */
  readonly relativeIndex: Tensor;
  /** The table as every layer gets it, before that layer's dropout, [2·span, hidden]. */
  readonly table: Tensor;
  /** Sum over layers of the gradient of `table`, f32; present once a backward has been planned. */
  dTable?: Tensor;
  readonly kept?: LayerNormKept;
}

const WEIGHT = "deberta.encoder.rel_embeddings.weight";
const NORM = "deberta.encoder.LayerNorm";

/** The normalised table, or null without relative attention. */
export function positionTableForward(scope: Scope, rows: Rows, relativeIndex: Tensor): PositionTable {
  const { plan, config, parameters } = scope;
  const embeddings = parameters.value(WEIGHT);
  if (config.normRelEbd === "none") return { rows, relativeIndex, table: embeddings };
  const shape = [rows.capacity, config.hiddenSize];
  const table = plan.activation("position table", shape);
  const kept = normKept(plan, "position table", rows.capacity, config.hiddenSize);
  const weight = parameters.value(`${NORM}.weight`);
  const bias = parameters.value(`${NORM}.bias`);
  layerNormForward(plan, { x: embeddings, weight, bias, y: table, kept: scope.dropout ? kept : undefined }, {
    rows,
    columns: config.hiddenSize,
    eps: config.layerNormEps,
  });
  return { rows, relativeIndex, table, kept };
}

/** Adds to the gradients of the table and its LayerNorm. */
export function positionTableBackward({ plan, config, parameters }: Scope, position: PositionTable): void {
  const { rows, kept, dTable } = position;
  const gradient = parameters.gradient(WEIGHT);
  if (!kept) return accumulate(plan, { from: dTable!, into: gradient }, { rows, columns: config.hiddenSize });
  const dEmbeddings = plan.transient("d position embeddings", [rows.capacity, config.hiddenSize]);
  layerNormBackward(plan, {
    dy: dTable!,
    weight: parameters.value(`${NORM}.weight`),
    kept,
    dx: dEmbeddings,
    dWeight: parameters.gradient(`${NORM}.weight`),
    dBias: parameters.gradient(`${NORM}.bias`),
  }, { rows, columns: config.hiddenSize, eps: config.layerNormEps });
  accumulate(plan, { from: dEmbeddings, into: gradient }, { rows, columns: config.hiddenSize });
}

/** Names of the projections that make a layer's position keys and queries: its own, or those of the tokens. */
function projectionNames({ config }: Scope, layer: number): { positionKey: string; positionQuery: string } {
  const self = `deberta.encoder.layer.${layer}.attention.self`;
  return config.shareAttKey
    ? { positionKey: `${self}.key_proj`, positionQuery: `${self}.query_proj` }
    : { positionKey: `${self}.pos_key_proj`, positionQuery: `${self}.pos_query_proj` };
}

export function positionForward(
  scope: Scope,
  layer: number,
  position: PositionTable | null,
): { table: Tensor | null; positionKey?: Tensor; positionQuery?: Tensor } {
  if (!position) return { table: null };
  const { plan, config, dropout } = scope;
  const { rows } = position;
  let table = position.table;
  if (dropout) {
    table = plan.activation("dropped position table", [rows.capacity, config.hiddenSize]);
    dropoutForward(plan, { x: position.table, dropout: dropout.hidden, y: table }, {
      rows,
      columns: config.hiddenSize,
      site: dropoutSite.position(layer),
    });
  }
  const names = projectionNames(scope, layer);
  const project = (name: string) => {
    const y = plan.activation(`${name} of positions`, [rows.capacity, config.hiddenSize], headSize(config));
    return linear(scope, name, table, { rows, inFeatures: config.hiddenSize, outFeatures: config.hiddenSize, y });
  };
  return {
    table,
    positionKey: hasPositionTerm(config, "c2p") ? project(names.positionKey) : undefined,
    positionQuery: hasPositionTerm(config, "p2c") ? project(names.positionQuery) : undefined,
  };
}

/** Adds to the gradients of the projections and to `position.dTable`. */
export function positionBackward(
  scope: TrainingScope,
  layer: number,
  position: PositionTable | null,
  { table, dPositionKey, dPositionQuery }: { table: Tensor | null; dPositionKey?: Tensor; dPositionQuery?: Tensor },
): void {
  if (!position || !(dPositionKey || dPositionQuery)) return;
  const { plan, config, dropout } = scope;
  const { rows } = position;
  const shape = [rows.capacity, config.hiddenSize];
  const sizes = { rows, inFeatures: config.hiddenSize, outFeatures: config.hiddenSize };
  const names = projectionNames(scope, layer);
  const dDropped = plan.activation("d dropped position table", shape);
  let accumulating = false;
  for (const [name, dy] of [[names.positionKey, dPositionKey], [names.positionQuery, dPositionQuery]] as const) {
    if (!dy) continue;
    linearBackward(scope, name, { x: table!, dy, dx: dDropped, accumulate: accumulating }, sizes);
    accumulating = true;
  }
  const accumulate = !!position.dTable;
  position.dTable ??= plan.transient("d position table", shape);
  dropoutBackward(plan, { dy: dDropped, dropout: dropout.hidden, dx: position.dTable }, {
    rows,
    columns: config.hiddenSize,
    site: dropoutSite.position(layer),
    accumulate,
  });
}
