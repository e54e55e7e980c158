import assert from "node:assert/strict";
import type { Gpu } from "../../src/gpu/device.ts";
import { readTensor } from "../../src/gpu/tensor.ts";
import { gradNorm } from "../../src/nn/grad_norm.ts";
import { createPlan, type Precision } from "../../src/nn/plan.ts";
import {
  biasCorrections,
  createUpdateTensors,
  initialScaler,
  readScaler,
  type ScalerState,
  writeScaler,
} from "../../src/nn/scaler.ts";
import { assertClose, randomArray } from "../support/close.ts";
import { floatBits, gpuTest, negativeControl, runPlan, uniform, upload } from "../support/gpu.ts";

const BETAS = [0.9, 0.999] as const;

async function step(gpu: Gpu, chunks: Float32Array[], maxNorm: number, precision: Precision, before: ScalerState) {
  const tensors = await createUpdateTensors(gpu, BETAS);
  writeScaler(gpu, tensors.scaler, before);
  const plan = createPlan(gpu, "norm test", { precision });
  const gradientChunks = await Promise.all(chunks.map((data) => upload(gpu, "gradients", [data.length], data)));
  gradNorm(plan, { ...tensors, gradientChunks, maxNorm: uniform(gpu, "max norm", [floatBits(maxNorm)]) });
  await runPlan(gpu, plan);
  const words = await readTensor(gpu, tensors.update);
  const [norm, factor, correction1, correction2, scale] = words;
  const skipped = new Uint32Array(words.buffer)[5];
  return { norm, factor, correction1, correction2, scale, skipped, after: await readScaler(gpu, tensors.scaler) };
}

async function run(gpu: Gpu, chunks: Float32Array[], maxNorm: number): Promise<[number, number]> {
  const { norm, factor } = await step(gpu, chunks, maxNorm, "fp32", initialScaler("fp32"));
  return [norm, factor];
}

const reference = (chunks: Float32Array[]) =>
  Math.sqrt(chunks.flatMap((chunk) => [...chunk]).reduce((sum, value) => sum + value * value, 0));

const sizes = gpuTest("gradNorm: sizes that fill nothing evenly, in one chunk and several", async (gpu) => {
  for (const sizes of [[4], [32, 4, 260], [16388, 36], [300_004, 8, 70_000]]) {
    const chunks = sizes.map((size, i) => randomArray(size, i + 1, 0.01));
    const norm = reference(chunks);
    const first = await run(gpu, chunks, 0.05);
    assertClose(first, [norm, Math.min(1, 0.05 / (norm + 1e-6))], { atol: 0, rtol: 4e-7 }, String(sizes));
    assert.deepEqual(await run(gpu, chunks, 0.05), first);
  }
});

const clips = gpuTest("gradNorm: clips only above the maximum, and never where it is 0", async (gpu) => {
  const chunk = [Float32Array.of(3, 0, 4, 0)];
  assertClose(await run(gpu, chunk, 10), [5, 1], { atol: 0, rtol: 1e-7 });
  assertClose(await run(gpu, chunk, 2), [5, 2 / (5 + 1e-6)], { atol: 0, rtol: 2e-7 });
  assertClose(await run(gpu, chunk, 0), [5, 1], { atol: 0, rtol: 1e-7 });
  assert.deepEqual(await run(gpu, [new Float32Array(12)], 1), [0, 1]);
});

gpuTest("gradNorm: millions of equal terms keep their digits", async (gpu) => {
  const chunk = new Float32Array(5_000_000).fill(0.1);
  assertClose(await run(gpu, [chunk], 0), [Math.sqrt(5_000_000) * Math.fround(0.1), 1], { atol: 0, rtol: 5e-7 });
});

const scales = gpuTest(
  "gradNorm: norm and factor are those of the unscaled gradients, whatever the scale",
  async (gpu) => {
    const chunks = [randomArray(260, 1), randomArray(36, 2)];
    const plain = await run(gpu, chunks, 0.5);
    for (const scale of [2 ** 16, 2 ** 100, 2 ** -14]) {
      const scaled = chunks.map((chunk) => chunk.map((value) => value * scale));
      const before = { scale, goodSteps: 3, applied: 5 };
      const { norm, factor, skipped, scale: used, after } = await step(gpu, scaled, 0.5, "fp16", before);
      assert.deepEqual([norm, factor * scale, used, skipped], [...plain, scale, 0]);
      assert.deepEqual(after, { scale, goodSteps: 4, applied: 6 });
    }
  },
);

const overflows = gpuTest("gradNorm: an overflow in fp16 skips the step and halves the scale", async (gpu) => {
  for (const bad of [Infinity, -Infinity, NaN]) {
    const chunks = [randomArray(260, 1), Float32Array.of(1, bad, 0, 0)];
    const before = { scale: 2 ** 16, goodSteps: 1999, applied: 5 };
    const { skipped, scale, after } = await step(gpu, chunks, 1, "fp16", before);
    assert.deepEqual([skipped, scale], [1, 2 ** 16]);
    assert.deepEqual(after, { scale: 2 ** 15, goodSteps: 0, applied: 5 });
    // In the others nothing is skipped: it is an error that the host sees.
    for (const precision of ["fp32", "bf16"] as const) {
      const before = { scale: 1, goodSteps: 1999, applied: 1999 };
      const { norm, skipped, after } = await step(gpu, chunks, 1, precision, before);
      assert.ok(!Number.isFinite(norm) && skipped === 0);
      assert.deepEqual(after, { scale: 1, goodSteps: 2000, applied: 2000 });
    }
  }
});

const grows = gpuTest(
  "gradNorm: 2000 good steps in a row double the scale, as far as its inverse goes",
  async (gpu) => {
    const chunk = [Float32Array.of(3, 0, 4, 0)];
    const grown = await step(gpu, chunk, 1, "fp16", { scale: 2 ** 16, goodSteps: 1999, applied: 7000 });
    assert.deepEqual(grown.after, { scale: 2 ** 17, goodSteps: 0, applied: 7001 });
    const largest = await step(gpu, chunk, 1, "fp16", { scale: 2 ** 126, goodSteps: 1999, applied: 7000 });
    assert.deepEqual(largest.after, { scale: 2 ** 126, goodSteps: 2000, applied: 7001 });
  },
);

const corrections = gpuTest("gradNorm: bias correction counts updates, not steps", async (gpu) => {
  const chunk = [Float32Array.of(3, 0, 4, 0)];
  const factors = biasCorrections(BETAS);
  for (const applied of [0, 1, 41, factors.length / 2 - 1, 10 ** 6]) {
    const { correction1, correction2 } = await step(gpu, chunk, 1, "fp32", { scale: 1, goodSteps: 0, applied });
    const at = Math.min(applied, factors.length / 2 - 1);
    assert.deepEqual([correction1, correction2], [...factors.subarray(2 * at, 2 * at + 2)], `${applied}`);
  }
});

negativeControl("grad_norm.wgsl", "(q4 + q5) + (q6 + q7)", "(q4 + q5) + (q6 + q6)", sizes);
negativeControl("grad_norm.wgsl", "at >= QUADS", "at + 1u >= QUADS", clips);
negativeControl("grad_norm.wgsl", "values[at] * scaler.inverse", "values[at] * scaler.scale", scales);
negativeControl("grad_norm.wgsl", "select(1u, 0u, skipped)", "1u", overflows);
negativeControl("grad_norm.wgsl", "scaler.good_steps >= GROWTH_STEPS", "scaler.good_steps > GROWTH_STEPS", grows);
negativeControl("grad_norm.wgsl", "arrayLength(&corrections)) - 1u", "arrayLength(&corrections))", corrections);
