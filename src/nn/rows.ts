/** How kernels walk matrices row by row or quad by quad: the constants and grids that kernels/lib/row.wgsl expects. */
import { type Grid, linearGrid } from "../gpu/program.ts";
import type { DType } from "../gpu/dtype.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { BatchSizes, Rows } from "./plan.ts";
import type { Operation, Variant } from "./variants.ts";

/** What walks rows. */
export interface RowShape {
  kernel: string;
  columns: number;
  /** Of the matrix that it reads. */
  dtype: DType;
}

/** Who walks a row. */
export interface RowVariant extends Variant<RowShape> {
  /** Invocations that share a row: all of a workgroup, or one. */
  readonly lanes: number;
  /** Invocations of a workgroup. */
  readonly threads: number;
  /** Most quads of a row that a lane keeps in registers. */
  readonly mostHeld: number;
  /** Whether LayerNorm's weight and bias are read as uniforms, where they fit. */
  readonly uniformWeight: boolean;
  /** Whether sums over a row go by subgroups. */
  readonly subgroups: boolean;
}

const shared = (lanes: number): RowVariant => ({
  name: `shared ${lanes}`,
  adapters: ["hardware"],
  suits: () => true,
  lanes,
  threads: lanes,
  mostHeld: 8,
  uniformWeight: false,
  subgroups: false,
});

const subgroups = (lanes: number): RowVariant => ({
  ...shared(lanes),
  name: `subgroups ${lanes}`,
  suits: ({ can }) => can.subgroups,
  subgroups: true,
});

/** Kernels that need whole rows. */
export const ROW: Operation<RowShape, RowVariant> = {
  name: "row",
  variants: [
    shared(64),
    subgroups(32),
    subgroups(64),
    shared(32),
    subgroups(128),
    shared(128),
    shared(256),
    {
      name: "alone",
      adapters: ["software"],
      suits: () => true,
      lanes: 1,
      threads: 8, // the width of a software adapter's vectors
      mostHeld: 0, // registers that spill cost more than a second look
      uniformWeight: true,
      subgroups: false,
    },
  ],
  key: ({ kernel, columns, dtype }) => `${kernel} ${columns} ${dtype}`,
};

/** Most columns of weights that fit a uniform binding everywhere. */
const MOST_UNIFORM = 16384;

/** Constants of kernels that walk `rows` of `columns` as in lib/row.wgsl, and the grid that covers them. */
export function rowWalk(
  { lanes, threads, mostHeld, uniformWeight, subgroups }: RowVariant,
  rows: Rows,
  columns: number,
) {
  const quads = Math.ceil(quadsOf(columns) / lanes);
  return {
    constants: {
      COLUMNS: columns,
      LANES: lanes,
      LANE_BITS: Math.log2(lanes),
      SUBGROUPS: +subgroups,
      THREADS: threads,
      HELD: quads <= mostHeld ? quads : 0,
      UNIFORM_WEIGHT: +(uniformWeight && columns % 4 === 0 && columns <= MOST_UNIFORM),
    },
    grid: (sizes: BatchSizes): Grid => linearGrid(Math.ceil(rows.count(sizes) * lanes / threads)),
  };
}

/** Quads in a row of `columns`, the last one perhaps not full. */
export const quadsOf = (columns: number): number => Math.ceil(columns / 4);

/** An invocation for each quad of [rows, columns], `threads` to a workgroup: `quad_at` of kernels/lib/quads.wgsl. */
export const quadGrid = (rows: Rows, columns: number, threads = 64) => (sizes: BatchSizes): Grid =>
  linearGrid(Math.ceil(rows.count(sizes) * quadsOf(columns) / threads));

/** The same for `count` rows, workgroups of 32 having quads of one row each: `quad_of`. */
export const tileGrid = (count: number, columns: number): Grid => linearGrid(count * Math.ceil(quadsOf(columns) / 32));

/** The bindings that are there: variables of optional tensors vanish from the kernel together with their tensor. */
export function present(bindings: Readonly<Record<string, Tensor | undefined>>): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(bindings).filter((entry): entry is [string, Tensor] => !!entry[1]));
}
