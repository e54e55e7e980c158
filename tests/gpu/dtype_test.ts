import assert from "node:assert/strict";
import { type DType, narrow, widen } from "../../src/gpu/dtype.ts";
import { readTensor } from "../../src/gpu/tensor.ts";
import { accumulate } from "../../src/nn/dropout.ts";
import { createPlan } from "../../src/nn/plan.ts";
import { randomArray } from "../support/close.ts";
import { download, gpuTest, negativeControl, runPlan, testRows, upload } from "../support/gpu.ts";
import type { Gpu } from "../../src/gpu/device.ts";

/** Numbers at which rounding is decided: ties both ways, the largest, subnormals, zeros, infinities. */
const EDGES = [
  ...[0, -0, 1, -1, 65504, 65519.99, 65520, -65520, 1e30, -1e30, Infinity, -Infinity, 3.3895313892515355e38],
  ...[1 + 2 ** -11, 1 + 3 * 2 ** -11, 1 + 2 ** -8, 1 + 3 * 2 ** -9, -(1 + 2 ** -11), 2047.5, 2048.5, 4097, 4099],
  ...[2 ** -14, 2 ** -14 - 2 ** -25, 2 ** -24, 2 ** -25, 3 * 2 ** -25, 5 * 2 ** -26, -(2 ** -15), 1e-7, 6e-8, 2.9e-8],
];

/** Zeros have no sign here: adapters differ in that of a sum of zeros. */
const bitsOf = (values: Float32Array) => [...new Uint32Array(values.map((value) => value === 0 ? 0 : value).buffer)];

/** Adds to zeros on the device what the host has rounded, and rounds on the device what the host has not. */
async function checkRounding(gpu: Gpu) {
  const values = new Float32Array(4096);
  values.set(randomArray(4096, 3, 4).map((value, i) => value * 2 ** (i % 40 - 24)));
  values.set(EDGES);
  for (const dtype of ["f16", "bf16"] as const) {
    const rounded = widen(narrow(values, dtype), dtype);
    const shape = [values.length / 4, 4];
    const sizes = { rows: testRows(gpu, shape[0]), columns: 4 };
    for (const [from, into] of [["f32", dtype], [dtype, "f32"], [dtype, dtype]] satisfies [DType, DType][]) {
      const target = await upload(gpu, "into", shape, new Float32Array(values.length), into);
      const plan = createPlan(gpu, "rounding");
      accumulate(plan, { from: await upload(gpu, "from", shape, values, from), into: target }, sizes);
      await runPlan(gpu, plan);
      assert.deepEqual(bitsOf(await download(gpu, target)), bitsOf(rounded), `${from} to ${into}`);
    }
  }
}

gpuTest("half: the device rounds to nearest even, to the host's bits", checkRounding);

gpuTest("half: NaN stays NaN", async (gpu) => {
  for (const dtype of ["f16", "bf16"] as const) {
    const target = await upload(gpu, "into", [1, 4], Float32Array.of(NaN, 1, 1, 1), dtype);
    const plan = createPlan(gpu, "not a number");
    const from = await upload(gpu, "from", [1, 4], Float32Array.of(1, NaN, 1, 1));
    accumulate(plan, { from, into: target }, { rows: testRows(gpu, 1), columns: 4 });
    await runPlan(gpu, plan);
    assert.deepEqual([...await readTensor(gpu, target)], [NaN, NaN, 2, 2]);
  }
});

Deno.test("half: the host rounds bf16 as f32 bits say", () => {
  const values = Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8, 3.4e38, NaN, -2.5);
  assert.deepEqual([...widen(narrow(values, "bf16"), "bf16").subarray(0, 5)], [1, 1 + 2 ** -6, Infinity, NaN, -2.5]);
});

negativeControl("lib/half.wgsl", "vec4(0x0fffu)", "vec4(0x1000u)", checkRounding);
negativeControl("lib/half.wgsl", "vec4(0x7fffu)", "vec4(0x8000u)", checkRounding);
