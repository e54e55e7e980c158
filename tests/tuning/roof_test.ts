import assert from "node:assert/strict";
import type { Gpu } from "../../src/gpu/device.ts";
import { createPlan } from "../../src/nn/plan.ts";
import { measureRoof } from "../../src/tuning/roof.ts";
import { assertClose, randomArray } from "../support/close.ts";
import { download, gpuTest, negativeControl, runPlan, upload } from "../support/gpu.ts";

const SIZES = { QUADS: 100, CHAINS: 3, STEPS: 2, ROUNDS: 4 };

/** Both kernels do the work that is counted as theirs. */
async function checkWork(gpu: Gpu) {
  const values = randomArray(400, 1);
  const [copied, sums] = [await upload(gpu, "copied", [400]), await upload(gpu, "sums", [4 * 64])];
  const plan = createPlan(gpu, "roof");
  const kernel = { kernel: "roof", constants: SIZES, grid: () => [2] as const };
  plan.dispatch({ ...kernel, entry: "copy", bindings: { x: await upload(gpu, "x", [400], values), y: copied } });
  plan.dispatch({ ...kernel, entry: "arithmetic", bindings: { y: sums }, grid: () => [1] as const });
  await runPlan(gpu, plan);
  assertClose(await download(gpu, copied), values, { atol: 0, rtol: 0 }, "copied");
  const expected = Array.from({ length: 64 }, (_, lane) => {
    let chains = [0, 1, 2];
    for (let i = 0; i < SIZES.STEPS * SIZES.ROUNDS; i++) chains = chains.map((chain) => chain * 0.999 + lane);
    return Array(4).fill(chains[0] + chains[1] + chains[2]);
  }).flat();
  assertClose(await download(gpu, sums), expected, { atol: 0, rtol: 1e-6 }, "sums");
}

gpuTest("roof: its kernels do the work that is counted", checkWork);

gpuTest("measureRoof: both roofs are positive numbers", async (gpu) => {
  const { gflops, gbps } = await measureRoof(gpu);
  assert.ok([gflops, gbps].every((value) => value > 0 && Number.isFinite(value)), `${gflops} ${gbps}`);
});

negativeControl("roof.wgsl", "y[at] = x[at]", "y[at] = 1.001 * x[at]", checkWork);
negativeControl("roof.wgsl", "fma(s${I}, factor, summand)", "s${I}", checkWork);
