/** Attention on tensor cores, kernels/attention_matrices.wgsl: what fits, and the constants of the kernel. */
import type { Gpu } from "../gpu/device.ts";
import type { DType } from "../gpu/dtype.ts";

/** Elements of 16 bits in a word of 16 bytes. */
const WORD = 8;

/** How a workgroup divides its work. */
export interface MatrixTiling {
  subgroups: number;
  /** Rows of a subgroup. */
  each: number;
  /** Columns of a tile: a divisor of 32, the dropout bits of a word. */
  columns: number;
}

/** Whether tensor cores can compute it: everything is f16, and heads and tiles are whole matrices and words. */
export function fitsMatrices(
  gpu: Gpu,
  { dtype, headSize }: { dtype: DType; headSize: number },
  tiling: MatrixTiling,
): boolean {
  const { can, matrix, maxWorkgroupBytes } = gpu;
  const { each, columns } = tiling;
  const isWhole = [matrix.n, matrix.k, WORD].every((size) => headSize % size === 0 && columns % size === 0) &&
    headSize % Math.min(columns, headSize) === 0 && each % matrix.m === 0;
  const lanes = matrix.subgroup * WORD / each;
  const { WORDS, ROWS } = matrixConstants(gpu, headSize, tiling);
  const compiles = 2 * each * columns * headSize <= matrix.most;
  return can.matrices && dtype === "f16" && isWhole && compiles && lanes >= 1 && columns % lanes === 0 &&
    16 * WORDS + 4 * ROWS + 4 <= maxWorkgroupBytes;
}

export function matrixConstants(
  { matrix }: Gpu,
  headSize: number,
  { subgroups, each, columns }: MatrixTiling,
): Record<string, number> {
  const rows = subgroups * each;
  const threads = subgroups * matrix.subgroup;
  // Rows of every tile have a word more than they need, so that neighbours begin in different banks.
  const [headWords, stripColumn, pairColumn] = [headSize / WORD + 1, each / 4 + 1, each / WORD + 1];
  const tileWords = columns * headWords;
  const part = Math.min(columns, headSize);
  const strip = Math.max(columns * stripColumn, each * (part / 4 + 1), 2 * matrix.subgroup);
  const stripsAt = Math.max(2 * tileWords, rows * headWords);
  const pairsAt = stripsAt + subgroups * strip;
  const pairs = columns * pairColumn;
  const keptWords = columns / WORD + 1;
  return {
    BY_WORDS: 1,
    EMULATED: Number(matrix.emulated),
    MATRIX_M: matrix.m,
    MATRIX_N: matrix.n,
    MATRIX_K: matrix.k,
    SUBGROUP: matrix.subgroup,
    THREADS: threads,
    ROWS: rows,
    EACH: each,
    COLUMNS: columns,
    LANES: matrix.subgroup * WORD / each,
    HEAD_WORDS: headWords,
    TILE_WORDS: tileWords,
    TILE_BLOCKS: Math.ceil(columns * headSize / WORD / threads),
    PART: part,
    STRIP_COLUMN: stripColumn,
    STRIP: strip,
    STRIPS_AT: stripsAt,
    PAIR_COLUMN: pairColumn,
    PAIRS: pairs,
    PAIRS_AT: pairsAt,
    KEPT_WORDS: keptWords,
    KEPT_BLOCKS: Math.ceil(rows * columns / WORD / threads),
    WORDS: Math.max(pairsAt + subgroups * pairs, 2 * rows * headWords, stripsAt + 2 * rows * keptWords),
  };
}
