/**
 * Matrix products, operands × core × epilogue: one interface for linear layers and for the products of attention, the
 * table of their variants, and the two cores that take any size. A core sums over k in an order that depends on the
 * sizes alone, so a row of the result does not depend on the other rows; only a k that is the number of rows may be
 * split in shares. How many follows from the sizes and the class of adapter, not from the variant nor from how many
 * matrices of a batch are at hand: neither tuning nor `gpu.workspace_mb` changes the bits of such a sum.
 */
import type { Gpu } from "../gpu/device.ts";
import { type Grid, linearGrid } from "../gpu/program.ts";
import type { BatchSizes, Plan } from "./plan.ts";
import {
  atMost,
  type Product,
  productBindings,
  productConstants,
  productKey,
  resultBindings,
} from "./product_operands.ts";
import { fitsMatrices, matrixConstants } from "./product_matrices.ts";
import { addPartials, GROUP, partialsFor } from "./reduce.ts";
import { quadsOf } from "./rows.ts";
import { appendChosen, type Operation, type Variant } from "./variants.ts";

export type { Matrix, Operand, Product } from "./product_operands.ts";

export interface ProductVariant extends Variant<Product> {
  /** kernels/product_<core>.wgsl */
  core: "registers" | "tiles" | "broadcast" | "matrices";
  /** Outputs of a workgroup, and its steps along k. */
  tile: readonly [m: number, n: number, k: number];
  /** Outputs of an invocation, with tensor cores of a subgroup. */
  each: readonly [m: number, n: number];
}

/** What a sum over rows is split for: workgroups that are enough for an adapter, and outputs of one of them. */
const SPLIT: Readonly<Record<Gpu["kind"], { workgroups: number; tile: readonly [m: number, n: number] }>> = {
  software: { workgroups: 16, tile: [64, 16] },
  hardware: { workgroups: 300, tile: [128, 128] },
};

/** Each takes memory for a result of its own. */
const MOST_SHARES = 64;

/** As newer versions of lavapipe do; on others what an invocation reads for itself is worth more columns. */
const readsStorageFast = ({ name }: Gpu): boolean => Number(/LLVM (\d+)/.exec(name)?.[1] ?? 0) >= 18;

/** For adapters that run on the CPU: workgroups are as wide as their vectors. */
const SOFTWARE = { adapters: ["software"] } as const;
const REGISTERS = { ...SOFTWARE, core: "registers" } as const;
/** Invocations of a subgroup, and of a workgroup: those of vectors of 256 bits. */
export const LANES = 8;
const BROADCAST = {
  ...SOFTWARE,
  core: "broadcast",
  suits: ({ subgroupSize }: Gpu, { n }: Product) => subgroupSize === LANES && n % 4 === 0,
} as const;
const TILES = { adapters: ["hardware"], core: "tiles" } as const;

/** For tensor cores; a subgroup computes `each`. */
const matrices = (tile: ProductVariant["tile"], each: ProductVariant["each"]) =>
  ({
    ...TILES,
    name: `matrices ${tile.join("x")}`,
    core: "matrices",
    tile,
    each,
    suits: fitsMatrices({ tile, each }),
  }) as const;

const always = () => true;
const never = () => false;

/** Rows of odd lengths are small in practice, and take long to compile because every output is stored by itself. */
const byFour = (_: Gpu, { n }: Product) => n % 4 === 0;

const fills = (m: number, n: number) => (_: Gpu, p: Product) => atMost(p.m, p) >= m && p.n >= n;

export const PRODUCT: Operation<Product, ProductVariant> = {
  name: "product",
  key: productKey,
  variants: [
    { ...matrices([128, 128, 32], [64, 64]), usual: fills(128, 128) },
    { ...matrices([128, 128, 64], [64, 64]), usual: never },
    { ...matrices([64, 64, 32], [32, 32]) },
    { ...matrices([32, 32, 16], [16, 16]), usual: ({ matrix }) => matrix.most < Infinity },
    { name: "tiles 64x64x16", ...TILES, tile: [64, 64, 16], each: [8, 8], suits: always },
    { name: "tiles 128x64x16", ...TILES, tile: [128, 64, 16], each: [8, 8], suits: always },
    { name: "tiles 128x128x16", ...TILES, tile: [128, 128, 16], each: [8, 8], suits: always },
    { name: "tiles 64x32x16", ...TILES, tile: [64, 32, 16], each: [8, 4], suits: always },
    { name: "broadcast 8x16", ...BROADCAST, tile: [64, 16, 4], each: [8, 16], usual: (_, { n }) => n <= 16 },
    { name: "broadcast 8x32", ...BROADCAST, tile: [64, 32, 4], each: [8, 32], usual: readsStorageFast },
    { name: "broadcast 4x64", ...BROADCAST, tile: [32, 64, 4], each: [4, 64] },
    { name: "registers 16x16", ...REGISTERS, tile: [128, 16, 4], each: [16, 16], suits: byFour, usual: fills(128, 16) },
    { name: "registers 8x16", ...REGISTERS, tile: [64, 16, 4], each: [8, 16], suits: byFour, usual: fills(1, 16) },
    { name: "registers 8x8", ...REGISTERS, tile: [64, 8, 4], each: [8, 8], suits: byFour },
    { name: "registers 8x4", ...REGISTERS, tile: [64, 4, 4], each: [8, 4], suits: always },
  ],
};

/** Appends the dispatches of a product. */
export function product(plan: Plan, p: Product): void {
  appendChosen(plan, PRODUCT, p, (on, variant) => productBy(on, variant, p));
}

function productBy(plan: Plan, variant: ProductVariant, p: Product): void {
  const shares = sharesOfRows(p, plan.gpu);
  if (shares === 1) {
    appendShares(plan, p, variant, shares);
  } else {
    appendInShares(plan, p, variant, shares);
  }
  if (p.sums) appendColumnSums(plan, p, p.sums);
}

/** As many as give the adapter enough workgroups. How many rows there is room for has no part in it, nor in the sum's bits. */
function sharesOfRows(p: Product, { kind }: Gpu): number {
  if (p.k !== "rows") return 1;
  const { workgroups, tile } = SPLIT[kind];
  const [alongM, alongN] = tilesOf(p, atMost(p.m, p), tile);
  return Math.min(MOST_SHARES, Math.ceil(workgroups / (alongM * alongN * (p.of ?? p.batch ?? 1))));
}

const tilesOf = ({ n }: Product, m: number, tile: readonly [m: number, n: number, ...rest: number[]]) =>
  [Math.ceil(m / tile[0]), Math.ceil(n / tile[1])] as const;

/** One dispatch of a core; results of several shares of k lie one after another in C. */
function appendShares(plan: Plan, p: Product, variant: ProductVariant, shares: number): void {
  const { core, tile, each } = variant;
  const [tileM, tileN, tileK] = tile;
  // Rows along k come in long stretches, which caches foresee; so what is shared is B, which may be read across its rows.
  const mFirst = (core === "registers" || core === "broadcast") && p.a.alongK;
  plan.dispatch({
    kernel: `product_${core}`,
    entry: "product",
    constants: {
      ...productConstants(p),
      SHARES: shares,
      ...{ TILE_M: tileM, TILE_N: tileN, TILE_K: tileK, EACH_M: each[0], EACH_N: each[1] },
      M_FIRST: Number(mFirst),
      ...(core === "matrices" ? matrixConstants(plan.gpu, p, variant) : blockConstants(p, variant)),
    },
    bindings: productBindings(plan, p),
    grid: unlessEmpty(
      p,
      (rows) => {
        const [alongM, alongN] = tilesOf(p, p.m === "rows" ? rows : p.m, tile);
        const results = shares * (p.batch ?? 1);
        return mFirst ? [alongM, alongN, results] : [alongN, alongM, results];
      },
    ),
    label: p.label,
  });
}

/** Constants of the cores that bring operands in by blocks of 4 x 4. */
function blockConstants({ a, b }: Product, { tile: [m, n, k], each }: ProductVariant): Record<string, number> {
  const threads = m / each[0] * (n / each[1]);
  const blocks = (size: number) => Math.ceil(size * k / 16 / threads);
  return { THREADS: threads, STEPS: a.alongK || b.alongK ? 4 : 1, A_BLOCKS: blocks(m), B_BLOCKS: blocks(n) };
}

const unlessEmpty = ({ rows }: Product, grid: (rows: number) => Grid) => (sizes: BatchSizes): Grid =>
  rows.count(sizes) === 0 ? [0] : grid(rows.count(sizes));

/** The results of the shares in a transient tensor, then their sum, which is what bias and the like are applied to. */
function appendInShares(plan: Plan, p: Product, variant: ProductVariant, shares: number): void {
  const { label, a, b, m, n, k, rows, batch = 1 } = p;
  const results = atMost(m, p) * batch;
  const partials = plan.transient(`${label} partial sums`, [shares, results, n]);
  const c = { tensor: partials, step: results / batch * n };
  appendShares(plan, { label, a, b, c, m, n, k, rows, batch }, variant, shares);
  const grid = linearGrid(Math.ceil(results * quadsOf(n) / 64));
  plan.dispatch({
    kernel: "product_sums",
    entry: "add_shares",
    constants: { ...productConstants(p), SHARES: shares },
    bindings: { ...resultBindings(plan, p), partials },
    grid: unlessEmpty(p, () => grid),
    label: `${label} sum`,
  });
}

/** sums += Σ over the rows of A. */
function appendColumnSums(plan: Plan, { a, m, rows, label }: Product, sums: Product["sums"] & object): void {
  const columns = m as number;
  const partials = partialsFor(plan, `${label} partial column sums`, rows, columns);
  plan.dispatch({
    kernel: "product_sums",
    entry: "columns",
    constants: { N: columns, GROUP, SHARES: 0 },
    bindings: { x: a.tensor, sums: partials, rows: rows.uniform },
    grid: (sizes) => [Math.ceil(quadsOf(columns) / 8), Math.ceil(rows.count(sizes) / GROUP / 8)],
    label: `${label} column sums`,
  });
  addPartials(plan, { partials, into: sums }, { rows, columns });
}
