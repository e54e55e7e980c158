import assert from "node:assert/strict";
import { accumulate } from "../../src/nn/dropout.ts";
import { createPlan } from "../../src/nn/plan.ts";
import { brokenGpu, gpuTest, runPlan, testRows, upload } from "../support/gpu.ts";

gpuTest("compileProgram: a shader that does not compile is named by kernel file and line", async (gpu) => {
  const broken = brokenGpu(gpu, "lib/quads.wgsl", "return Quad(", "return Squad(");
  const plan = createPlan(broken, "broken");
  const [from, into] = [await upload(gpu, "from", [1, 4]), await upload(gpu, "into", [1, 4])];
  accumulate(plan, { from, into }, { rows: testRows(gpu, 1), columns: 4 });
  await assert.rejects(runPlan(broken, plan), /dropout\.apply: .*kernels\/lib\/quads\.wgsl:15.*Squad/);
});
