/** How kernels walk matrices row by row or block by block: the constants and grids that kernels/lib/row.wgsl expects. */
import { type Grid, linearGrid } from "../gpu/program.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { BatchSizes, Plan, Rows } from "./plan.ts";

/** Invocations that share a row where a workgroup does. */
const LANES = 64;

/** Rows a workgroup takes where one invocation walks a row: the width of a software adapter's vectors. */
const ROWS_PER_WORKGROUP = 8;

/** Constants of kernels that include lib/row.wgsl and the grid that covers `rows`. */
export function rowWalk(plan: Plan, rows: Rows): {
  constants: { LANES: number; LANE_BITS: number };
  grid: (sizes: BatchSizes) => Grid;
} {
  if (plan.variants.row === "workgroup") {
    return {
      constants: { LANES, LANE_BITS: Math.log2(LANES) },
      grid: (sizes) => linearGrid(rows.count(sizes)),
    };
  }
  return {
    constants: { LANES: 1, LANE_BITS: 0 },
    grid: (sizes) => linearGrid(Math.ceil(rows.count(sizes) / ROWS_PER_WORKGROUP)),
  };
}

/** Blocks in a row of `columns`, as in kernels/lib/block.wgsl. */
export const blocksOf = (columns: number): number => columns % 4 === 0 ? columns / 4 : columns;

/** The bindings that are there: variables of optional tensors vanish from the kernel together with their tensor. */
export function present(bindings: Readonly<Record<string, Tensor | undefined>>): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(bindings).filter((entry): entry is [string, Tensor] => !!entry[1]));
}
