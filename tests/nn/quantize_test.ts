import assert from "node:assert/strict";
import type { Gpu } from "../../src/gpu/device.ts";
import type { DType } from "../../src/gpu/dtype.ts";
import { createParameterStore } from "../../src/nn/parameters.ts";
import { createPlan } from "../../src/nn/plan.ts";
import { dequantize, dequantized, quantize, type QuantizedBits } from "../../src/nn/quantize.ts";
import { assertClose, randomArray } from "../support/close.ts";
import { download, gpuTest, negativeControl, runPlan, upload } from "../support/gpu.ts";
import { rounded } from "../support/half.ts";

/** The levels of NormalFloat as QLoRA's appendix E lists them. */
const NF4 = [
  ...[-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453],
  ...[-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0],
  ...[0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224],
  ...[0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0],
];

/** In float64: every element as the nearest number that its scale allows. */
function reference(values: Float32Array, columns: number, bits: QuantizedBits): number[] {
  const length = bits === "8bit" ? columns : 64;
  return Array.from(values, (value, i) => {
    const part = values.subarray(Math.floor(i / length) * length, (Math.floor(i / length) + 1) * length);
    const largest = Math.max(...part.map(Math.abs));
    const levels = bits === "4bit" ? NF4 : Array.from({ length: 255 }, (_, code) => (code - 127) / 127);
    return levels.map((level) => level * largest).reduce((best, at) =>
      Math.abs(at - value) < Math.abs(best - value) ? at : best
    );
  });
}

/** Shapes with rows of odd lengths, blocks over the ends of rows, and words that are not full. */
const SHAPES = [[3, 7], [1, 1], [13, 30], [4, 64], [9, 100], [5, 33]];
const BITS = ["8bit", "4bit"] as const;

Deno.test("quantize: the nearest of the numbers that a scale allows", () => {
  for (const [seed, shape] of SHAPES.entries()) {
    const values = randomArray(shape[0] * shape[1], seed, 0.7);
    values[0] = 0; // exact in both
    for (const bits of BITS) {
      const actual = dequantized(quantize(values, shape, bits), shape, bits);
      assertClose(actual, reference(values, shape[1], bits), { atol: 1e-7, rtol: 0 }, `${bits} ${shape}`);
      assert.equal(actual[0], 0);
    }
  }
});

Deno.test("quantize: zeros alone stay zeros", () => {
  for (const bits of BITS) {
    const zeros = new Float32Array(130);
    assert.deepEqual(dequantized(quantize(zeros, [2, 65], bits), [2, 65], bits), zeros);
  }
});

async function expand(gpu: Gpu, shape: number[], bits: QuantizedBits, dtype: DType): Promise<void> {
  const values = randomArray(shape[0] * shape[1], 7, 3);
  const spec = { name: "w", shape, decay: true, trainable: false, product: true, held: bits };
  const store = await createParameterStore(gpu, [spec], { moments: true });
  store.upload("w", "value", values);
  const y = await upload(gpu, "y", shape, undefined, dtype);
  const plan = createPlan(gpu, "dequantize test");
  dequantize(plan, store.quantized("w")!, y);
  await runPlan(gpu, plan);
  const expected = rounded(Float32Array.from(dequantized(quantize(values, shape, bits), shape, bits)), dtype);
  assert.deepEqual(await download(gpu, y), expected, `${bits} ${shape} ${dtype}`);
  store.release();
}

const bits = gpuTest("dequantize: the host's bits, in every type", async (gpu) => {
  for (const each of BITS) for (const shape of SHAPES) await expand(gpu, shape, each, "f32");
  for (const each of BITS) for (const dtype of ["f16", "bf16"] as const) await expand(gpu, [9, 100], each, dtype);
});

negativeControl("dequantize.wgsl", "index % 8u * 4u", "index % 8u * 2u", bits);
negativeControl("dequantize.wgsl", "scales[row]", "scales[0]", bits);

gpuTest("createParameterStore: 8 and 4 bits take so many bytes, and are written in one piece", async (gpu) => {
  const shape = [512, 512];
  for (const [held, bytes] of [["8bit", 512 * 512 + 512 * 4], ["4bit", 512 * 512 / 2 + 512 * 512 / 64 * 4]] as const) {
    const spec = { name: "w", shape, decay: true, trainable: false, product: true, held };
    const store = await createParameterStore(gpu, [spec], { moments: true });
    assert.equal(store.bytes, bytes);
    assert.throws(() => store.upload("w", "value", new Float32Array(512)), /part of w/);
    assert.throws(() => store.value("w"), /has no value/);
    store.release();
  }
});
