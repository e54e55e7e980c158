/**
 * Embedding fused with its LayerNorm and dropout: y = dropout(LN(word[id] + position[p] + type[k])).
 * The word table comes in shards of whole rows, because a large one is wider than a binding.
 */
import type { Tensor } from "../gpu/tensor.ts";
import { dropoutAt } from "./dropout.ts";
import { layerNormBackward, type LayerNormKept, type LayerNormSizes } from "./layer_norm.ts";
import type { Shard } from "./parameters.ts";
import type { Plan, Rows } from "./plan.ts";
import { addPartials, GROUP, partialsFor } from "./reduce.ts";
import { present, quadGrid, ROW, rowWalk, tileGrid } from "./rows.ts";
import { appendChosen } from "./variants.ts";

/** The rows of the tables for each token. */
export interface EmbeddingTables {
  /** u32 [rows]; every id lies in one of the shards. */
  ids: Tensor;
  wordShards: readonly Shard[];
  /** Position of each token in its sequence, u32 [rows], and the table [positions, columns]. */
  positions?: { position: Tensor; table: Tensor };
  /** u32 [rows] and the table [types, columns]. */
  types?: { typeIds: Tensor; table: Tensor };
}

export interface EmbeddingForward extends EmbeddingTables {
  weight: Tensor;
  bias: Tensor;
  dropout?: Tensor;
  /** [rows, columns], written. */
  y: Tensor;
  kept?: LayerNormKept;
}

interface EmbeddingSizes extends LayerNormSizes {
  /** Row of the position table for the first token of a sequence; 0 unless given. */
  firstPosition?: number;
}

/** One dispatch per shard. Without a backward pass nothing need be kept. */
export function embeddingForward(
  plan: Plan,
  { weight, bias, dropout, y, kept, ...tables }: EmbeddingForward,
  { rows, columns, eps, site = 0, firstPosition = 0 }: EmbeddingSizes,
): void {
  appendChosen(plan, ROW, { kernel: "embedding", columns, dtype: y.dtype }, (on, variant) => {
    const { constants, grid } = rowWalk(variant, rows, columns);
    for (const shard of tables.wordShards) {
      on.dispatch({
        kernel: "embedding",
        entry: "forward",
        constants: { ...constants, EPS: eps, ...tableConstants(tables, shard, firstPosition) },
        bindings: present({
          rows: rows.uniform,
          ...tableBindings(tables, shard),
          weight,
          bias,
          ...dropoutAt(on, dropout, site),
          y,
          ...kept,
        }),
        grid,
        label: "embedding forward",
      });
    }
  });
}

/** y [rows, columns] = word[id] + position[p] + type[k] alone; one dispatch per shard. */
export function embeddingSum(
  plan: Plan,
  { y, ...tables }: EmbeddingTables & { y: Tensor },
  { rows, columns, firstPosition }: { rows: Rows; columns: number; firstPosition: number },
): void {
  for (const shard of tables.wordShards) {
    plan.dispatch({
      kernel: "embedding",
      entry: "sum",
      constants: { COLUMNS: columns, ...tableConstants(tables, shard, firstPosition) },
      bindings: present({ rows: rows.uniform, ...tableBindings(tables, shard), sum_of_rows: y }),
      grid: quadGrid(rows, columns),
      label: "embedding sum",
    });
  }
}

const tableConstants = ({ positions }: EmbeddingTables, { rowBegin, rows }: Shard, firstPosition: number) => ({
  ROW_BEGIN: rowBegin,
  ROW_COUNT: rows,
  ...(positions ? { FIRST_POSITION: firstPosition } : {}),
});

const tableBindings = ({ ids, positions, types }: EmbeddingTables, { tensor }: Shard) => ({
  ids,
  word: tensor,
  position: positions?.position,
  position_table: positions?.table,
  type_ids: types?.typeIds,
  type_table: types?.table,
});

/** Where tokens of one id are, and what their gradients are added to. */
export interface TableGradients {
  /** Distinct ids, ascending, u32 [uniqueRows]; where each one's tokens begin in `tokenOrder` [uniqueRows + 1]. */
  sortedIds: Tensor;
  segmentStart: Tensor;
  /** Token indices sorted by (id, index), u32 [rows]. */
  tokenOrder: Tensor;
  /** Gradients of the word table; all gradients are added to. None: the table is frozen. */
  wordGradientShards: readonly Shard[];
  /** Where the sequences begin, u32 [sequences + 1], and the gradient of the table. */
  positions?: { offsets: Tensor; dTable: Tensor };
  types?: { typeIds: Tensor; dTable: Tensor };
}

export interface EmbeddingBackward extends TableGradients {
  dy: Tensor;
  weight: Tensor;
  kept: LayerNormKept;
  dropout?: Tensor;
  dWeight: Tensor;
  dBias: Tensor;
}

/** Adds to the gradients of all tables and of the LayerNorm, every sum in a fixed order. */
export function embeddingBackward(
  plan: Plan,
  { dy, weight, kept, dropout, dWeight, dBias, ...tables }: EmbeddingBackward,
  { uniqueRows, sequences, firstPosition, ...sizes }: EmbeddingSizes & { uniqueRows: Rows; sequences: Rows },
): void {
  const { wordGradientShards, positions, types } = tables;
  const { rows, columns } = sizes;
  const dz = wordGradientShards.length > 0 || positions || types
    ? plan.activation("embedding dz", [rows.capacity, columns])
    : undefined;
  const layerNorm = { dy, weight, kept, dropout, dWeight, dBias, dResidual: dz };
  layerNormBackward(plan, layerNorm, { ...sizes, outputDropout: true });
  if (dz) tableGradients(plan, { ...tables, dz }, { rows, columns, uniqueRows, sequences, firstPosition });
}

/** Adds dz [rows, columns], the gradient of the sum of the tables' rows, to those of the tables. */
export function tableGradients(
  plan: Plan,
  { dz, sortedIds, segmentStart, tokenOrder, wordGradientShards, positions, types }: TableGradients & { dz: Tensor },
  { rows, columns, uniqueRows, sequences, firstPosition = 0 }:
    & Pick<EmbeddingSizes, "rows" | "columns" | "firstPosition">
    & { uniqueRows: Rows; sequences: Rows },
): void {
  for (const { tensor, rowBegin, rows: rowCount } of wordGradientShards) {
    plan.dispatch({
      kernel: "embedding",
      entry: "word_gradient",
      constants: { COLUMNS: columns, ROW_BEGIN: rowBegin, ROW_COUNT: rowCount },
      bindings: {
        rows: uniqueRows.uniform,
        dz,
        gradient: tensor,
        sorted_ids: sortedIds,
        segment_start: segmentStart,
        token_order: tokenOrder,
      },
      grid: (sizes) => tileGrid(uniqueRows.count(sizes), columns),
      label: "word gradient",
    });
  }
  if (positions) {
    const { offsets, dTable } = positions;
    const count = dTable.shape[0];
    plan.dispatch({
      kernel: "embedding",
      entry: "position_gradient",
      constants: { COLUMNS: columns, POSITIONS: count, FIRST_POSITION: firstPosition },
      bindings: { rows: sequences.uniform, dz, gradient: dTable, offsets },
      grid: () => tileGrid(count, columns),
      label: "position gradient",
    });
  }
  if (types) {
    const { typeIds, dTable } = types;
    const width = dTable.shape[0] * columns;
    const partials = partialsFor(plan, "type partials", rows, width);
    plan.dispatch({
      kernel: "embedding",
      entry: "type_partials",
      constants: { COLUMNS: columns, GROUP, TYPES: dTable.shape[0] },
      bindings: { rows: rows.uniform, dz, type_ids: typeIds, partials },
      grid: (sizes) => tileGrid(Math.ceil(rows.count(sizes) / GROUP), columns),
      label: "type partials",
    });
    addPartials(plan, { partials, into: dTable }, { rows, columns: width });
  }
}
