import assert from "node:assert/strict";
import type { Gpu } from "../../src/gpu/device.ts";
import type { DType } from "../../src/gpu/dtype.ts";
import { layerNormAgain, layerNormBackward, layerNormForward } from "../../src/nn/layer_norm.ts";
import { createPlan } from "../../src/nn/plan.ts";
import { ROW } from "../../src/nn/rows.ts";
import { centralDifferences, dot } from "../reference/central_differences.ts";
import { layerNormBackwardReference, layerNormReference } from "../../src/bench/reference/layer_norm.ts";
import { assertClose, randomArray } from "../support/close.ts";
import { dropoutFactors } from "../support/dropout.ts";
import { download, dropoutUniform, gpuTest, negativeControl, runPlan, testRows, upload } from "../support/gpu.ts";
import { rounded, UNIT_ROUNDOFF } from "../support/half.ts";

const EPS = 1e-7;
const KEY: [number, number] = [1, 2];
const SITE = 7;

/** The matrices [rows, columns] whose type may differ. */
type Matrix = "x" | "residual" | "y" | "normalised" | "dy" | "dx" | "dResidual";

interface Case {
  rows: number;
  columns: number;
  rate?: number;
  residual?: boolean;
  seed?: number;
  /** Of `ROW`. */
  variant: string;
  /** Added to x, to test cancellation. */
  shift?: number;
  /** Of the matrices, or of those that are named; else f32. */
  types?: DType | Partial<Record<Matrix, DType>>;
}

const typeOf = ({ types = "f32" }: Case, name: Matrix): DType =>
  typeof types === "string" ? types : types[name] ?? "f32";

async function run(gpu: Gpu, options: Case) {
  const { rows: count, columns, rate, residual, seed = 1, variant, shift = 0 } = options;
  const size = count * columns;
  const data = {
    x: rounded(randomArray(size, seed).map((value) => value + shift), typeOf(options, "x")),
    residual: rounded(randomArray(size, seed + 1), typeOf(options, "residual")),
    weight: randomArray(columns, seed + 2),
    bias: randomArray(columns, seed + 3),
    dy: rounded(randomArray(size, seed + 4), typeOf(options, "dy")),
    gradient: randomArray(columns, seed + 5),
  };
  const plan = createPlan(gpu, "layer norm test", { prefer: { row: variant } });
  const rows = testRows(gpu, count);
  const matrix = (label: Matrix, values?: Float32Array) =>
    upload(gpu, label, [count, columns], values, typeOf(options, label));
  const vector = (label: string, values: Float32Array) => upload(gpu, label, [columns], values);
  const dropout = rate === undefined ? undefined : dropoutUniform(gpu, rate, KEY, 3);
  const weight = await vector("weight", data.weight);
  const bias = await vector("bias", data.bias);
  const kept = { normalised: await matrix("normalised"), rstd: await upload(gpu, "rstd", [count]) };
  const out = {
    y: await matrix("y"),
    again: await matrix("y"),
    dx: await matrix("dx"),
    dResidual: await matrix("dResidual"),
    dWeight: await vector("dWeight", data.gradient),
    dBias: await vector("dBias", data.gradient),
  };
  const sizes = { rows, columns, eps: EPS, site: SITE };
  layerNormForward(plan, {
    x: await matrix("x", data.x),
    residual: residual ? await matrix("residual", data.residual) : undefined,
    weight,
    bias,
    dropout,
    y: out.y,
    kept,
  }, sizes);
  layerNormBackward(plan, { dy: await matrix("dy", data.dy), weight, kept, dropout, ...out }, sizes);
  layerNormAgain(plan, { kept, weight, bias, y: out.again }, sizes);
  await runPlan(gpu, plan);
  const result = Object.fromEntries(
    await Promise.all(Object.entries({ ...out, ...kept }).map(async ([name, t]) => [name, await download(gpu, t)])),
  ) as Record<keyof typeof out | keyof typeof kept, Float32Array>;
  return { data, result };
}

async function check(gpu: Gpu, options: Case) {
  const { data, result } = await run(gpu, options);
  const { rate = 0, residual, rows, columns } = options;
  const factor = dropoutFactors({ rate, key: KEY, step: 3, site: SITE }, rows, columns);
  const z = Float64Array.from(data.x, (value, i) => value * factor[i] + (residual ? data.residual[i] : 0));
  const input = { z, weight: data.weight, bias: data.bias, columns, eps: EPS };
  const forward = layerNormReference(input);
  const backward = layerNormBackwardReference(input, data.dy);
  const close = (name: keyof typeof result, expected: ArrayLike<number>, atol: number, stored: DType = "f32") =>
    assertClose(
      result[name],
      expected,
      { atol: atol + UNIT_ROUNDOFF[stored] ** 2, rtol: 2e-5 + UNIT_ROUNDOFF[stored] },
      `${name} of ${JSON.stringify(options)}`,
    );
  const loose = options.shift ? 100 : 1; // a mean of 300 has digits of 3e-5
  close("normalised", forward.normalised, 2e-6 * loose, typeOf(options, "normalised"));
  close("rstd", forward.rstd, 0);
  // What follows reads x̂ as it was stored: off by its rounding, in sums over rows by that of so many.
  const unit = UNIT_ROUNDOFF[typeOf(options, "normalised")] * result.normalised.reduce((a, b) => Math.max(a, b, -b));
  const ofStored = forward.y.map((_, i) => result.normalised[i] * data.weight[i % columns] + data.bias[i % columns]);
  close("y", unit ? ofStored : forward.y, 2e-6 * loose, typeOf(options, "y"));
  assertClose(result.again, result.y, { atol: 0, rtol: 0 }, "again");
  close("dResidual", backward.dz, 5e-6 * loose + 2 * unit, typeOf(options, "dResidual"));
  close("dx", backward.dz.map((value, i) => value * factor[i]), 5e-6 * loose + 2 * unit, typeOf(options, "dx"));
  const sum = (1e-6 * loose + unit) * Math.sqrt(rows);
  close("dWeight", backward.dWeight.map((value, i) => value + data.gradient[i]), sum);
  close("dBias", backward.dBias.map((value, i) => value + data.gradient[i]), 1e-6 * Math.sqrt(rows) * loose);
}

Deno.test("layerNormBackwardReference: agrees with central differences", () => {
  const columns = 5;
  const [z, weight, bias, dy] = [15, 5, 5, 15].map((length, i) => Float64Array.from(randomArray(length, 40 + i)));
  const loss = (changed: object) => dot(layerNormReference({ z, weight, bias, columns, eps: EPS, ...changed }).y, dy);
  const { dz, dWeight, dBias } = layerNormBackwardReference({ z, weight, bias, columns, eps: EPS }, dy);
  const tolerance = { atol: 1e-8, rtol: 1e-6 };
  assertClose(dz, centralDifferences((at) => loss({ z: at }), z), tolerance);
  assertClose(dWeight, centralDifferences((at) => loss({ weight: at }), weight), tolerance);
  assertClose(dBias, centralDifferences((at) => loss({ bias: at }), bias), tolerance);
});

for (const variant of ["alone", "shared 64"]) {
  gpuTest(`layerNorm (${variant}): agrees with float64, plain`, async (gpu) => {
    await check(gpu, { rows: 1, columns: 30, variant });
    await check(gpu, { rows: 37, columns: 64, variant });
    await check(gpu, { rows: 130, columns: 257, variant, seed: 50 });
    await check(gpu, { rows: 700, columns: 8, variant, seed: 55 }); // groups of groups in the sums over rows
    await check(gpu, { rows: 2, columns: 2053, variant, seed: 56 }); // too long for registers
  });

  gpuTest(`layerNorm (${variant}): agrees with float64 with residual and dropout`, async (gpu) => {
    await check(gpu, { rows: 1, columns: 64, variant, residual: true, rate: 0.1 });
    await check(gpu, { rows: 9, columns: 30, variant, residual: true, rate: 0.3, seed: 60 });
    await check(gpu, { rows: 257, columns: 768, variant, residual: true, rate: 0.1, seed: 70 });
    await check(gpu, { rows: 12, columns: 37, variant, residual: true, rate: 0 });
  });

  for (const types of ["f16", "bf16"] as const) {
    gpuTest(
      `layerNorm (${variant}): agrees with float64 in ${types} but for the rounding of what is stored`,
      async (gpu) => {
        await check(gpu, { rows: 130, columns: 60, variant, types, residual: true, rate: 0.1, seed: 80 });
        await check(gpu, { rows: 3, columns: 2056, variant, types, residual: true, rate: 0.1, seed: 85 });
      },
    );
  }

  gpuTest(`layerNorm (${variant}): takes any mix of types`, async (gpu) => {
    const mixed = { rows: 33, columns: 64, variant, residual: true, rate: 0.1, seed: 90 };
    await check(gpu, { ...mixed, types: { x: "f16", y: "bf16", dy: "bf16", dx: "f16" } });
    await check(gpu, { ...mixed, types: { residual: "bf16", normalised: "f16", dResidual: "bf16" } });
  });

  gpuTest(`layerNorm (${variant}): keeps its digits where the mean is large`, async (gpu) => {
    await check(gpu, { rows: 3, columns: 256, variant, shift: 300 });
  });

  gpuTest(`layerNorm (${variant}): equal inputs give equal bits`, async (gpu) => {
    const options: Case = { rows: 200, columns: 76, variant, residual: true, rate: 0.2 };
    const [first, second] = [await run(gpu, options), await run(gpu, options)];
    assert.deepEqual(first.result, second.result);
  });
}

gpuTest("layerNorm: every variant agrees with float64", async (gpu) => {
  for (const { name } of ROW.variants) {
    await check(gpu, { rows: 9, columns: 300, variant: name, residual: true, rate: 0.1, types: "bf16" });
  }
});

for (const variant of ["subgroups 32", "subgroups 64"]) {
  gpuTest(`layerNorm (${variant}): agrees with float64, equal inputs give equal bits`, async (gpu) => {
    await check(gpu, { rows: 1, columns: 30, variant, seed: 100 });
    await check(gpu, { rows: 37, columns: 257, variant, residual: true, rate: 0.1, seed: 110 });
    await check(gpu, { rows: 2, columns: 4099, variant, seed: 120 }); // too long for registers
    await check(gpu, { rows: 3, columns: 256, variant, shift: 300 });
    const options: Case = { rows: 200, columns: 76, variant, residual: true };
    const [first, second] = [await run(gpu, options), await run(gpu, options)];
    for (const [name, bits] of Object.entries(first.result)) {
      assertClose(second.result[name as keyof typeof second.result], bits, { atol: 0, rtol: 0 }, name);
    }
  });
}

for (const variant of ["alone", "shared 64"]) {
  const checkRows = (gpu: Gpu) => check(gpu, { rows: 130, columns: 64, variant, residual: true, rate: 0.1 });
  const checkOdd = (gpu: Gpu) => check(gpu, { rows: 3, columns: 37, variant });
  negativeControl("lib/normalise_row.wgsl", "+ EPS);", "+ 1e-4);", checkRows);
  negativeControl("lib/row.wgsl", "vec4(${COLUMNS}u)", "vec4(${COLUMNS + 3}u)", checkOdd);
  negativeControl("layer_norm.wgsl", "z += load_residual", "z -= load_residual", checkRows);
  negativeControl("layer_norm.wgsl", "product += g", "product -= g", checkRows);
  negativeControl("layer_norm.wgsl", "+ load_bias(0u, at.quad)", "- load_bias(0u, at.quad)", checkRows);
  negativeControl("reduce.wgsl", "group = 0u", "group = 1u", checkRows);
}
negativeControl(
  "lib/row.wgsl",
  "at = rank;",
  "at = rank + 1u;",
  (gpu) => check(gpu, { rows: 3, columns: 37, variant: "subgroups 64" }),
);
