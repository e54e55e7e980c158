import assert from "node:assert/strict";
import { shaderText } from "../../src/check/shader.ts";
import { brokenGpu, gpuTest } from "../support/gpu.ts";

gpuTest("shaderText: each line with its origin, expanded as a model uses it", async (gpu) => {
  const { head, lines, problem } = await shaderText(gpu, { name: "gelu.backward", settings: [] });
  assert.match(head[0], /^kernels\/gelu\.wgsl, entry point backward, as used by DeBERTa-v3-base, fp32, /);
  assert.match(head[1], /^constants: COLUMNS=\d+$/);
  assert.match(head[2], /^tensors: .*\bdy=f32\b/);
  assert.equal(problem, null);
  assert.ok(lines.some((line) => /^gelu\.wgsl:\d+ +\| fn backward\($/.test(line)));
  assert.ok(lines.some((line) => /^lib\/gelu\.wgsl:\d+ +\| fn erf\(x: f32\) -> f32 \{$/.test(line)));
  assert.ok(!lines.some((line) => /\| *\/\/#|\$\{/.test(line)));
});

gpuTest("shaderText: settings change constants and types", async (gpu) => {
  const settings = ["COLUMNS=20", "dy=bf16"];
  const { head, lines, problem } = await shaderText(gpu, { name: "gelu.backward", settings });
  assert.match(head[0], /from its use by/);
  assert.equal(head[1], "constants: COLUMNS=20");
  assert.match(head[2], /\bdy=bf16\b/);
  assert.ok(lines.some((line) => line.includes("const QUADS = 5u;")));
  assert.ok(lines.some((line) => line.includes("widen_bf16(dy[")));
  assert.equal(problem, null);
});

gpuTest("shaderText: what does not expand or compile is said with file and line", async (gpu) => {
  const shader = (name: string, ...settings: string[]) => shaderText(gpu, { name, settings });
  await assert.rejects(shader("gelu.nothing"), /expected one of gelu\.forward, gelu\.backward$/);
  await assert.rejects(shader("nothing"), /expected one of .*gelu\.…/);
  await assert.rejects(shader("gelu.forward", "COLUMNS"), /COLUMNS: expected a constant or a type/);
  const { problem } = await shaderText(brokenGpu(gpu, "gelu.wgsl", "load_pre_activation(", "load_that("), {
    name: "gelu.backward",
    settings: [],
  });
  assert.match(problem!, /kernels\/gelu\.wgsl:\d+/);
});
