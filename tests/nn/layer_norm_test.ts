import assert from "node:assert/strict";
import type { Gpu } from "../../src/gpu/device.ts";
import { layerNormAgain, layerNormBackward, layerNormForward } from "../../src/nn/layer_norm.ts";
import { createPlan, type Variants } from "../../src/nn/plan.ts";
import { centralDifferences, dot } from "../reference/central_differences.ts";
import { layerNormBackwardReference, layerNormReference } from "../../src/bench/reference/layer_norm.ts";
import { assertClose, randomArray } from "../support/close.ts";
import { download, dropoutUniform, gpuTest, negativeControl, runPlan, testRows, upload } from "../support/gpu.ts";
import { dropoutFactor } from "../../src/bench/reference/philox.ts";

const EPS = 1e-7;
const KEY: [number, number] = [1, 2];
const SITE = 7;

interface Case {
  rows: number;
  columns: number;
  rate?: number;
  residual?: boolean;
  seed?: number;
  variant: Variants["row"];
  /** Added to x, to test cancellation. */
  shift?: number;
}

async function run(gpu: Gpu, { rows: count, columns, rate, residual, seed = 1, variant, shift = 0 }: Case) {
  const size = count * columns;
  const data = {
    x: randomArray(size, seed).map((value) => value + shift),
    residual: randomArray(size, seed + 1),
    weight: randomArray(columns, seed + 2),
    bias: randomArray(columns, seed + 3),
    dy: randomArray(size, seed + 4),
    gradient: randomArray(columns, seed + 5),
  };
  const plan = createPlan(gpu, "layer norm test", { variants: { row: variant } });
  const rows = testRows(gpu, count);
  const matrix = (label: string, values?: Float32Array) => upload(gpu, label, [count, columns], values);
  const vector = (label: string, values: Float32Array) => upload(gpu, label, [columns], values);
  const dropout = rate === undefined ? undefined : dropoutUniform(gpu, rate, KEY, 3);
  const weight = await vector("weight", data.weight);
  const bias = await vector("bias", data.bias);
  const kept = { normalised: await matrix("normalised"), rstd: await upload(gpu, "rstd", [count]) };
  const out = {
    y: await matrix("y"),
    again: await matrix("y again"),
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
  const { rate = 0, residual, columns } = options;
  const factor = Array.from(data.x, (_, i) => dropoutFactor(rate, KEY, 3, SITE, i));
  const z = Float64Array.from(data.x, (value, i) => value * factor[i] + (residual ? data.residual[i] : 0));
  const input = { z, weight: data.weight, bias: data.bias, columns, eps: EPS };
  const forward = layerNormReference(input);
  const backward = layerNormBackwardReference(input, data.dy);
  const close = (name: keyof typeof result, expected: ArrayLike<number>, atol: number) =>
    assertClose(result[name], expected, { atol, rtol: 2e-5 }, `${name} of ${JSON.stringify(options)}`);
  const loose = options.shift ? 100 : 1; // a mean of 300 has digits of 3e-5
  close("normalised", forward.normalised, 2e-6 * loose);
  close("rstd", forward.rstd, 0);
  close("y", forward.y, 2e-6 * loose);
  assert.deepEqual(result.again, result.y);
  close("dResidual", backward.dz, 5e-6 * loose);
  close("dx", backward.dz.map((value, i) => value * factor[i]), 5e-6 * loose);
  const sum = 1e-6 * Math.sqrt(options.rows) * loose;
  close("dWeight", backward.dWeight.map((value, i) => value + data.gradient[i]), sum);
  close("dBias", backward.dBias.map((value, i) => value + data.gradient[i]), sum);
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

for (const variant of ["invocation", "workgroup"] as const) {
  gpuTest(`layerNorm (${variant}): agrees with float64, plain`, async (gpu) => {
    await check(gpu, { rows: 1, columns: 30, variant });
    await check(gpu, { rows: 37, columns: 64, variant });
    await check(gpu, { rows: 130, columns: 257, variant, seed: 50 });
    await check(gpu, { rows: 700, columns: 8, variant, seed: 55 }); // groups of groups in the sums over rows
    await check(gpu, { rows: 2, columns: 521, variant, seed: 56 }); // too long for registers
  });

  gpuTest(`layerNorm (${variant}): agrees with float64 with residual and dropout`, async (gpu) => {
    await check(gpu, { rows: 1, columns: 64, variant, residual: true, rate: 0.1 });
    await check(gpu, { rows: 9, columns: 30, variant, residual: true, rate: 0.3, seed: 60 });
    await check(gpu, { rows: 257, columns: 768, variant, residual: true, rate: 0.1, seed: 70 });
    await check(gpu, { rows: 12, columns: 37, variant, residual: true, rate: 0 });
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

for (const variant of ["invocation", "workgroup"] as const) {
  const checkRows = (gpu: Gpu) => check(gpu, { rows: 130, columns: 64, variant, residual: true, rate: 0.1 });
  negativeControl("lib/normalise_row.wgsl", "+ EPS);", "+ 1e-4);", checkRows);
  negativeControl("layer_norm.wgsl", "z += residual[at]", "z -= residual[at]", checkRows);
  negativeControl("layer_norm.wgsl", "product += g", "product -= g", checkRows);
  negativeControl("layer_norm.wgsl", "+ bias[at % BLOCKS]", "- bias[at % BLOCKS]", checkRows);
  negativeControl("reduce.wgsl", "group = 0u", "group = 1u", checkRows);
}
