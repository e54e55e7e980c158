import assert from "node:assert/strict";
import { geluDerivativeReference, geluReference } from "../../src/bench/reference/gelu.ts";
import { type DType, isHalf, narrow, widen } from "../../src/gpu/dtype.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { createPlan } from "../../src/nn/plan.ts";
import { LANES, type Matrix, type Operand, PRODUCT, type Product, product } from "../../src/nn/product.ts";
import { assertClose, randomArray } from "../support/close.ts";
import { CANARY, download, gpuTest, matrixTest, negativeControl, runPlan, testRows, upload } from "../support/gpu.ts";

type Layout = "nt" | "nn" | "tn" | "tt";

/** In a linear layer's layouts, nt, nn and tn, the number of rows is m, m and k. */
interface Case {
  variant: string;
  layout: Layout;
  m: number;
  n: number;
  k: number;
  /** Rows that the tensors have room for; those past the last one hold NaN. */
  capacity?: number;
  types?: { a?: DType; b?: DType; c?: DType };
  /** Matrices lie side by side, as heads do, with so many more before and after them; else one after another. */
  batch?: { count: number; around?: number };
  epilogue?: keyof typeof EPILOGUES;
}

/** Which options of a product an epilogue has. */
const EPILOGUES = {
  accumulate: ["accumulate"],
  "bias gelu residual": ["bias", "preActivation", "activation", "residual"],
  "bias tanh": ["bias", "activation"],
  "gelu backward": ["geluBackwardOf", "activatedAgain", "accumulate"],
  sums: ["sums", "accumulate"],
} as const;

/** Where element [row][column] of a matrix lies in its tensor. */
interface Placed {
  matrix: Matrix;
  at(index: number, row: number, column: number): number;
  values: Float32Array;
}

/** `values` as a tensor of this type holds them. */
function rounded(values: Float32Array<ArrayBuffer>, dtype: DType): Float32Array<ArrayBuffer> {
  return isHalf(dtype) ? widen(narrow(values, dtype), dtype).subarray(0, values.length) : values;
}

/** The matrices [rows, columns] of a case's batch in a tensor of random numbers. */
async function place(
  gpu: Gpu,
  test: Case,
  name: "a" | "b" | "c",
  [rows, columns, capacity = rows]: [rows: number, columns: number, capacity?: number],
): Promise<Placed> {
  const { count, around } = test.batch ?? { count: 1 };
  const dtype = test.types?.[name] ?? "f32";
  const isBeside = around !== undefined;
  const step = isBeside ? 4 * Math.ceil(columns / 4) : capacity * columns;
  const stride = isBeside ? (count + 2 * around) * step : columns;
  const values = rounded(randomArray(isBeside ? capacity * stride : count * step, name.charCodeAt(0)), dtype);
  if (name !== "c") values.fill(NaN, rows * stride, capacity * stride);
  const tensor = await upload(gpu, name, [values.length], values, dtype);
  return {
    matrix: { tensor, ...(test.batch && { step }), ...(isBeside && { stride, first: around }) },
    at: (index, row, column) => (index + (around ?? 0)) * step + row * stride + column,
    values,
  };
}

/** Of results that are rounded, beyond what sums in f32 are off. */
const ROUNDING: Record<DType, number> = { f32: 0, f16: 2 ** -11, bf16: 2 ** -8, u32: 0 };

const nameOf = ({ variant, layout, m, n, k, types, batch, epilogue }: Case): string => {
  const stored = types ? ` ${types.a ?? "f32"}·${types.b ?? "f32"} → ${types.c ?? "f32"}` : "";
  const matrices = batch ? `${batch.count} ${batch.around === undefined ? "" : "strided "}of ` : "";
  return `${variant}, ${layout} ${matrices}${m}×${n}×${k}${stored}${epilogue ? `, ${epilogue}` : ""}`;
};

/** Runs a case and compares everything that it has written, and has not, with float64. */
async function check(gpu: Gpu, test: Case): Promise<void> {
  if (test.variant.startsWith("broadcast") && gpu.subgroupSize !== LANES) return; // Its workgroups are subgroups of so many.
  const { variant, layout, m, n, k, batch, epilogue, capacity = layout === "tn" ? k : m } = test;
  const isSized = { m: layout[0] === "t", k: layout !== "tn" };
  const [aAlongK, bAlongK] = [layout[0] === "n", layout[1] === "t"];
  const a = await place(gpu, test, "a", aAlongK ? [m, k, capacity] : [k, m, isSized.k ? k : capacity]);
  const b = await place(gpu, test, "b", bAlongK ? [n, k] : [k, n, isSized.k ? k : capacity]);
  const c = await place(gpu, test, "c", [m, n, isSized.m ? m : capacity]);
  const type = c.matrix.tensor.dtype;
  const random = async (name: string, shape: number[], dtype: DType = "f32") => {
    const values = rounded(randomArray(shape[0] * (shape[1] ?? 1), name.length), dtype);
    return { values, tensor: await upload(gpu, name, shape, values, dtype) };
  };
  const bias = await random("bias", [n]);
  const residual = await random("residual", [m, n], type);
  const kept = await random("kept pre-activation", [m, n], type);
  const sums = await random("column sums", [m]);
  const preActivation = await upload(gpu, "pre-activation", [m, n], undefined, type);
  const activatedAgain = await upload(gpu, "activated again", [m, n], undefined, type);
  const options: Partial<Product> = {
    bias: bias.tensor,
    preActivation,
    activation: epilogue === "bias tanh" ? "tanh" : "gelu",
    residual: residual.tensor,
    geluBackwardOf: kept.tensor,
    activatedAgain,
    accumulate: true,
    sums: sums.tensor,
  };
  const has = (option: keyof Product) => epilogue && (EPILOGUES[epilogue] as readonly string[]).includes(option);
  const plan = createPlan(gpu, "product test", { prefer: { product: variant } });
  const rows = { ...testRows(gpu, layout === "tn" ? k : m), capacity };
  product(plan, {
    ...{ label: "product", rows, n, m: isSized.m ? m : "rows", k: isSized.k ? k : "rows" },
    ...(batch && { batch: batch.count }),
    ...Object.fromEntries(Object.entries(options).filter(([name]) => has(name as keyof Product))),
    a: { ...a.matrix, alongK: aAlongK } satisfies Operand,
    b: { ...b.matrix, alongK: bAlongK },
    c: c.matrix,
  });
  assert.deepEqual([...plan.choices.values()].map((choice) => choice.variant), [variant]);
  await runPlan(gpu, plan);

  const expected = Float64Array.from(c.values);
  const before = new Float64Array(m * n);
  for (let matrix = 0; matrix < (batch?.count ?? 1); matrix++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let value = 0;
        for (let l = 0; l < k; l++) {
          value += a.values[aAlongK ? a.at(matrix, i, l) : a.at(matrix, l, i)] *
            b.values[bAlongK ? b.at(matrix, j, l) : b.at(matrix, l, j)];
        }
        const [at, inC] = [i * n + j, c.at(matrix, i, j)];
        before[at] = value + bias.values[j];
        if (epilogue === "bias gelu residual") value = geluReference(before[at]) + residual.values[at];
        if (epilogue === "bias tanh") value = Math.tanh(before[at]);
        if (epilogue === "gelu backward") value *= geluDerivativeReference(kept.values[at]);
        expected[inC] = value + (has("accumulate") ? c.values[inC] : 0);
      }
    }
  }
  const tolerance = { atol: 2e-5, rtol: 3e-6 + ROUNDING[type] };
  assertClose(await download(gpu, c.matrix.tensor), expected, tolerance, "C");
  if (has("preActivation")) {
    assertClose(await download(gpu, preActivation), before, tolerance, "pre-activation");
  } else {
    assert.ok((await download(gpu, preActivation)).every((value) => value === CANARY));
  }
  const again = await download(gpu, activatedAgain);
  if (has("activatedAgain")) assertClose(again, kept.values.map(geluReference), tolerance, "activated again");
  else assert.ok(again.every((value) => value === CANARY));
  const total = Float64Array.from(sums.values);
  if (epilogue === "sums") { for (let i = 0; i < m; i++) for (let l = 0; l < k; l++) total[i] += a.values[l * m + i]; }
  assertClose(await download(gpu, sums.tensor), total, tolerance, "sums");
}

const F16 = { a: "f16", b: "f16", c: "f16" } as const;
const F16_IN = { a: "f16", b: "f16" } as const;
const BF16 = { a: "bf16", b: "bf16", c: "bf16" } as const;

/** What attention wants of its position tables: heads side by side in rows of more. */
const HEADS = { batch: { count: 2, around: 1 } };

const CASES: Case[] = [
  // Every core and size in every layout, with strides, batches, parts of tiles and any mix of types:
  ...PRODUCT.variants.filter(({ core }) => core !== "matrices").flatMap(({ name: variant }): Case[] => [
    { variant, layout: "nt", m: 70, n: 36, k: 32, types: { a: "f16", c: "f16" }, ...HEADS },
    { variant, layout: "nn", m: 70, n: 32, k: 36, types: BF16, ...HEADS, epilogue: "accumulate" },
    { variant, layout: "tn", m: 35, n: 32, k: 150, types: { b: "bf16" }, ...HEADS },
  ]),
  // Sizes that are no multiples of 4, and every epilogue:
  ...["tiles 64x64x16", "registers 8x4"].flatMap((variant): Case[] => [
    { variant, layout: "nt", m: 70, n: 37, k: 30, capacity: 80, epilogue: "bias gelu residual" },
    { variant, layout: "nn", m: 9, n: 37, k: 30, capacity: 12, epilogue: "gelu backward" },
    { variant, layout: "tn", m: 37, n: 30, k: 70, capacity: 80, epilogue: "sums" },
  ]),
  { variant: "registers 8x8", layout: "nt", m: 9, n: 36, k: 32, types: F16, epilogue: "bias gelu residual" },
  { variant: "registers 8x8", layout: "nn", m: 9, n: 36, k: 32, types: BF16, epilogue: "gelu backward" },
  {
    variant: "registers 8x8",
    layout: "tn",
    m: 36,
    n: 12,
    k: 9,
    types: F16,
    batch: { count: 3 },
    epilogue: "accumulate",
  },
  { variant: "registers 8x8", layout: "nt", m: 9, n: 12, k: 8, types: { b: "f16" }, epilogue: "bias tanh" },
  { variant: "registers 8x16", layout: "tt", m: 36, n: 32, k: 12 },
  { variant: "tiles 64x32x16", layout: "tt", m: 36, n: 32, k: 12 },
  { variant: "broadcast 8x16", layout: "nt", m: 70, n: 36, k: 30, capacity: 80, epilogue: "bias gelu residual" },
  { variant: "broadcast 8x16", layout: "nn", m: 9, n: 36, k: 30, capacity: 12, epilogue: "gelu backward" },
  { variant: "broadcast 4x64", layout: "tn", m: 37, n: 68, k: 70, capacity: 80, epilogue: "sums" },
  { variant: "broadcast 8x16", layout: "tt", m: 36, n: 32, k: 30 },
  { variant: "broadcast 8x16", layout: "nt", m: 9, n: 12, k: 8, types: F16, epilogue: "bias tanh" },
];

// Tensor cores: f16 in every layout, ends of tiles in every direction, strides, batches, shares, epilogues.
const MATRICES: Omit<Case, "variant">[] = [
  { layout: "nt", m: 70, n: 37, k: 40, capacity: 80, types: F16_IN, epilogue: "bias gelu residual" },
  { layout: "nn", m: 70, n: 40, k: 24, types: F16, ...HEADS, epilogue: "accumulate" },
  { layout: "tn", m: 40, n: 72, k: 150, capacity: 170, types: F16_IN, epilogue: "sums" },
  { layout: "tt", m: 40, n: 40, k: 16, types: F16_IN, ...HEADS },
  { layout: "nn", m: 9, n: 40, k: 72, types: F16, epilogue: "gelu backward" },
  { layout: "nt", m: 9, n: 37, k: 8, types: F16_IN, epilogue: "bias tanh" },
];

const tests: Record<string, (gpu: Gpu) => Promise<void>> = {};
for (const test of CASES) {
  const name = nameOf(test);
  tests[name] = gpuTest(`product: ${name}`, (gpu) => check(gpu, test));
}

/** Shapes that adapters have, with subgroups as wide as their rows, wider and narrower: this one's if it has any. */
for (const [m, n, k, subgroup] of [[8, 8, 8, 8], [16, 16, 16, 32], [16, 8, 16, 16], [16, 8, 8, 64]]) {
  for (const rest of m === 8 ? MATRICES : MATRICES.slice(0, 3)) {
    const test: Case = { variant: "matrices 32x32x16", ...rest };
    const name = `${m}×${n}×${k} by ${subgroup}, ${nameOf(test)}`;
    tests[name] = matrixTest(`product: ${name}`, (gpu) => check(gpu, test), { m, n, k, subgroup });
  }
}

gpuTest("product: what is usual goes by shape and adapter, down to the version of lavapipe", async (gpu) => {
  const chosen = async (on: string, kind: Gpu["kind"], [m, n, k]: [number, number, number], batch?: number) => {
    const plan = createPlan({ ...gpu, name: on, kind, subgroupSize: on === "another" ? 0 : 8 }, "usual");
    const matrix = async (label: string, rows: number, columns: number) => ({
      ...{ tensor: await upload(gpu, label, [rows * (batch ?? 1), columns]), step: batch && rows * columns },
    });
    product(plan, {
      ...{ label: "usual", rows: testRows(gpu, m), m: "rows", n, k, batch },
      a: { ...await matrix("a", m, k), alongK: true },
      b: { ...await matrix("b", n, k), alongK: true },
      c: await matrix("c", m, n),
    });
    return [...plan.choices.values()].map(({ variant, why }) => `${variant}, ${why}`).join();
  };
  const usual = "usual for this adapter";
  assert.equal(await chosen("a card", "hardware", [9, 7, 5]), `tiles 64x64x16, ${usual}`);
  assert.equal(await chosen("llvmpipe (LLVM 15.0.6, 256 bits)", "software", [9, 20, 4]), `broadcast 4x64, ${usual}`);
  assert.equal(await chosen("llvmpipe (LLVM 19.1.7, 256 bits)", "software", [9, 16, 4], 2), `broadcast 8x16, ${usual}`);
  assert.equal(await chosen("llvmpipe (LLVM 19.1.7, 256 bits)", "software", [9, 20, 4]), `broadcast 8x32, ${usual}`);
  assert.equal(await chosen("llvmpipe (LLVM 19.1.7, 256 bits)", "software", [9, 7, 5]), `registers 8x4, ${usual}`);
  assert.equal(await chosen("another", "software", [128, 16, 4], 2), `registers 16x16, ${usual}`);
  assert.equal(await chosen("another", "software", [9, 8, 4], 2), `registers 8x8, ${usual}`);
});

gpuTest(
  "product: a sum over rows has the same bits by any variant, and for all matrices or one at a time",
  async (gpu) => {
    const [matrices, m, n, k] = [4, 36, 32, 300];
    const a = await upload(gpu, "a", [k, matrices * m], randomArray(k * matrices * m, 1));
    const b = await upload(gpu, "b", [k, matrices * n], randomArray(k * matrices * n, 2));
    const sumsBy = async (variant: string, batch: number, of = matrices) => {
      const c = await upload(gpu, "c", [matrices * m, n]);
      const plan = createPlan(gpu, "sum over rows", { prefer: { product: variant } });
      for (let first = 0; first < matrices; first += batch) {
        product(plan, {
          ...{ label: "sum", rows: testRows(gpu, k), m, n, k: "rows", batch, of },
          a: { tensor: a, alongK: false, stride: matrices * m, step: m, first },
          b: { tensor: b, alongK: false, stride: matrices * n, step: n, first },
          c: { tensor: c, step: m * n, first },
        });
      }
      await runPlan(gpu, plan);
      return await download(gpu, c);
    };
    const expected = await sumsBy("registers 8x8", matrices);
    for (const { name } of PRODUCT.variants.filter(({ core }) => core !== "matrices")) {
      for (const batch of [matrices, 1]) {
        assert.deepEqual(
          await sumsBy(name, batch),
          expected,
          `${name}, ${batch} at a time`,
        );
      }
    }
    assert.notDeepEqual(await sumsBy("registers 8x4", matrices, 64), expected, "shares make no difference");
  },
);

gpuTest("product: rows that are not whole quads have no strides", async (gpu) => {
  const test: Case = { variant: "registers 8x4", layout: "nt", m: 9, n: 6, k: 8, ...HEADS };
  await assert.rejects(check(gpu, test), /^Error: product: rows of C are not whole quads$/);
});

const control = (file: string, from: string, to: string, test: string) => {
  if (!tests[test]) throw new Error(`no test ${test}`);
  negativeControl(file, from, to, tests[test]);
};
const tiles = "tiles 64x64x16, nt 70×37×30, bias gelu residual";
control("product_tiles.wgsl", "k += ", "k += 4u + ", tiles);
control("lib/product_tile.wgsl", "^ (along * 2u)", "^ along", tiles);
control("lib/product_result.wgsl", "value += load_bias", "value -= load_bias", tiles);
const emulated = "8×8×8 by 8, matrices 32x32x16, nt 70×37×40 f16·f16 → f32, bias gelu residual";
control("product_matrices.wgsl", "k += ", "k += 8u + ", emulated);
control("lib/matrix_tile.wgsl", "word * 8u >= k_end", "false", emulated);
control("lib/matrix.wgsl", "place % 2u", "0u", emulated);
control("lib/matrix_operand.wgsl", "right.at * 8u", "0u", emulated);
const heads = "registers 8x8, tn 2 strided of 35×32×150 f32·bf16 → f32";
control("product_registers.wgsl", "k < share.y", "k + 1u < share.y", heads);
control("lib/product_operand.wgsl", "_first + matrix", "_first", heads);
control(
  "lib/product.wgsl",
  "share * length,",
  "share * 8u,",
  "tiles 64x64x16, tn 2 strided of 35×32×150 f32·bf16 → f32",
);
control(
  "product_sums.wgsl",
  "sum += load_partials",
  "sum = load_partials",
  "tiles 64x64x16, tn 2 strided of 35×32×150 f32·bf16 → f32",
);
control("product_sums.wgsl", "sum += load_x", "sum = load_x", "registers 8x4, tn 37×30×70, sums");
