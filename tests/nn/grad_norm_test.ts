import assert from "node:assert/strict";
import type { Gpu } from "../../src/gpu/device.ts";
import { gradNorm } from "../../src/nn/grad_norm.ts";
import { createPlan } from "../../src/nn/plan.ts";
import { assertClose, randomArray } from "../support/close.ts";
import { download, floatBits, gpuTest, negativeControl, runPlan, uniform, upload } from "../support/gpu.ts";

async function run(gpu: Gpu, chunks: Float32Array[], maxNorm: number) {
  const norm = await upload(gpu, "norm", [2]);
  const plan = createPlan(gpu, "norm test");
  const gradientChunks = await Promise.all(chunks.map((data) => upload(gpu, "gradients", [data.length], data)));
  gradNorm(plan, { gradientChunks, norm, parameters: uniform(gpu, "max norm", [floatBits(maxNorm)]) });
  await runPlan(gpu, plan);
  return await download(gpu, norm);
}

const reference = (chunks: Float32Array[]) =>
  Math.sqrt(chunks.flatMap((chunk) => [...chunk]).reduce((sum, value) => sum + value * value, 0));

const sizes = gpuTest("gradNorm: sizes that fill nothing evenly, in one chunk and several", async (gpu) => {
  for (const sizes of [[1], [30, 1, 257], [16385, 37], [300_001, 5, 70_000]]) {
    const chunks = sizes.map((size, i) => randomArray(size, i + 1, 0.01));
    const norm = reference(chunks);
    const first = await run(gpu, chunks, 0.05);
    assertClose(first, [norm, Math.min(1, 0.05 / (norm + 1e-6))], { atol: 0, rtol: 4e-7 }, String(sizes));
    assert.deepEqual(await run(gpu, chunks, 0.05), first);
  }
});

const clips = gpuTest("gradNorm: clips only above the maximum, and never where it is 0", async (gpu) => {
  const chunk = [Float32Array.of(3, 0, 4)];
  assertClose(await run(gpu, chunk, 10), [5, 1], { atol: 0, rtol: 1e-7 });
  assertClose(await run(gpu, chunk, 2), [5, 2 / (5 + 1e-6)], { atol: 0, rtol: 2e-7 });
  assertClose(await run(gpu, chunk, 0), [5, 1], { atol: 0, rtol: 1e-7 });
  assert.deepEqual([...await run(gpu, [new Float32Array(9)], 1)], [0, 1]);
});

gpuTest("gradNorm: millions of equal terms keep their digits", async (gpu) => {
  const chunk = new Float32Array(5_000_000).fill(0.1);
  assertClose(await run(gpu, [chunk], 0), [Math.sqrt(5_000_000) * Math.fround(0.1), 1], { atol: 0, rtol: 5e-7 });
});

negativeControl("grad_norm.wgsl", "(q4 + q5) + (q6 + q7)", "(q4 + q5) + (q6 + q6)", sizes);
negativeControl("grad_norm.wgsl", "first >= ELEMENTS", "first + 4u >= ELEMENTS", clips);
