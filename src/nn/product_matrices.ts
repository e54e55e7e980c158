/** Matrix products on tensor cores, kernels/product_matrices.wgsl: which fit, and the constants of the kernel. */
import type { Gpu } from "../gpu/device.ts";
import { matrixShapeConstants } from "../gpu/matrix.ts";
import { atMost, type Operand, type Product } from "./product_operands.ts";

/** Elements of 16 bits in a word of 16 bytes, by which operands are read. */
const WORD = 8;

/** Outputs of a workgroup and its steps along k; outputs of a subgroup. */
interface Tiling {
  tile: readonly [m: number, n: number, k: number];
  each: readonly [m: number, n: number];
}

/** Whether tensor cores can compute it in such tiles: operands are f16 and every row of them begins with a whole word. */
export const fitsMatrices = ({ tile, each }: Tiling) => (gpu: Gpu, p: Product): boolean => {
  const { can, matrix, maxWorkgroupBytes } = gpu;
  const isWhole = each[0] % matrix.m === 0 && each[1] % matrix.n === 0 && tile[2] % matrix.k === 0;
  const isByWords = ({ tensor, stride, step = 0 }: Operand, length: number) =>
    tensor.dtype === "f16" && [length, stride ?? length, step].every((size) => size % WORD === 0);
  const [m, k] = [atMost(p.m, p), atMost(p.k, p)];
  return can.matrices && isWhole && each[0] * each[1] * tile[2] <= matrix.most &&
    isByWords(p.a, p.a.alongK ? k : m) && isByWords(p.b, p.b.alongK ? k : p.n) &&
    matrixConstants(gpu, p, { tile, each }).WORDS * 16 <= maxWorkgroupBytes;
};

export function matrixConstants({ matrix }: Gpu, p: Product, { tile: [m, n, k], each }: Tiling) {
  const subgroups = m / each[0] * (n / each[1]);
  const threads = subgroups * matrix.subgroup;
  // Rows of a tile have a word more than they need, and so have those of results, of four f32 a word.
  const words = (across: number, alongK: boolean) => alongK ? across * (k / WORD + 1) : k * (across / WORD + 1);
  const [aWords, bWords] = [words(m, p.a.alongK), words(n, p.b.alongK)];
  return {
    ...matrixShapeConstants(matrix),
    BY_WORDS: 1,
    THREADS: threads,
    A_BLOCKS: Math.ceil(m * k / WORD / threads),
    B_BLOCKS: Math.ceil(n * k / WORD / threads),
    A_WORDS: aWords,
    WORDS: Math.max(aWords + bWords, subgroups * matrix.m * (each[1] / 4 + 1)),
  };
}
