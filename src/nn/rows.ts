/** How kernels walk matrices row by row or block by block: the constants and grids that kernels/lib/row.wgsl expects. */
import { type Grid, linearGrid } from "../gpu/program.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { BatchSizes, Plan, Rows } from "./plan.ts";

/** Invocations that share a row where a workgroup does. */
const LANES = 64;

/** Rows a workgroup takes where one invocation walks a row: the width of a software adapter's vectors. */
const ROWS_PER_WORKGROUP = 8;

/**
 * Most blocks of a row that a lane keeps: in registers where lanes share a row, in an array where one walks it alone.
 * A software adapter's compile time grows faster than the array: under a second at 16 blocks, minutes at 192.
 */
const MOST_HELD = { shared: 8, alone: 16 };

/** Most columns of weights that fit a uniform binding everywhere. */
const MOST_UNIFORM = 16384;

/** Constants of kernels that walk `rows` of `columns` as in lib/row.wgsl, and the grid that covers them. */
export function rowWalk(plan: Plan, rows: Rows, columns: number): {
  constants: { LANES: number; LANE_BITS: number; HELD: number; UNIFORM_WEIGHT: number };
  grid: (sizes: BatchSizes) => Grid;
} {
  const held = (lanes: number, most: number) => {
    const blocks = Math.ceil(blocksOf(columns) / lanes);
    return blocks <= most ? blocks : 0;
  };
  if (plan.variants.row === "workgroup") {
    return {
      constants: { LANES, LANE_BITS: Math.log2(LANES), HELD: held(LANES, MOST_HELD.shared), UNIFORM_WEIGHT: 0 },
      grid: (sizes) => linearGrid(rows.count(sizes)),
    };
  }
  return {
    // A software adapter reads uniforms ten times as fast as storage.
    constants: {
      LANES: 1,
      LANE_BITS: 0,
      HELD: held(1, MOST_HELD.alone),
      UNIFORM_WEIGHT: +(columns % 4 === 0 && columns <= MOST_UNIFORM),
    },
    grid: (sizes) => linearGrid(Math.ceil(rows.count(sizes) / ROWS_PER_WORKGROUP)),
  };
}

/** Quads in a row of `columns`, the last one perhaps not full. */
export const quadsOf = (columns: number): number => Math.ceil(columns / 4);

/** An invocation for each quad of [rows, columns], as in kernels/lib/quads.wgsl. */
export const quadGrid = (rows: Rows, columns: number) => (sizes: BatchSizes): Grid =>
  linearGrid(Math.ceil(rows.count(sizes) * quadsOf(columns) / 64));

/** Blocks in a row of `columns`, as in kernels/lib/block.wgsl. */
export const blocksOf = (columns: number): number => columns % 4 === 0 ? columns / 4 : columns;

/** The bindings that are there: variables of optional tensors vanish from the kernel together with their tensor. */
export function present(bindings: Readonly<Record<string, Tensor | undefined>>): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(bindings).filter((entry): entry is [string, Tensor] => !!entry[1]));
}
