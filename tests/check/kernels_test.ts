import assert from "node:assert/strict";
import { kernelProblems, MODELS } from "../../src/check/kernels.ts";
import { brokenGpu, gpuTest } from "../support/gpu.ts";

const DEMO = { demo: MODELS["the demo's model"] };

gpuTest("kernelProblems: a kernel that does not compile is named, whichever variant it is in", async (gpu) => {
  const breaks = async (file: string, from: string, to: string) =>
    (await kernelProblems(brokenGpu(gpu, file, from, to), DEMO)).filter((line) => !line.includes("no model of"));
  const [rows, ...more] = await breaks("attention_rows.wgsl", "known.keep = keep_scale();", "known.keep = 1u;");
  assert.match(rows, /attention_rows.* software adapter\)$/s);
  assert.ok(more.every((line) => line.includes("attention_rows")), more.join("\n"));
  const tiled = await breaks("product_tiles.wgsl", "let m_end = size_m();", "let m_end = 1.5;");
  assert.ok(
    tiled.length > 0 && tiled.every((line) => /product_tiles.* hardware adapter\)$/s.test(line)),
    tiled.join("\n"),
  );
  const [template] = await breaks("reduce.wgsl", "${GROUP}u", "${GRUOP}u");
  assert.match(template, /kernels\/reduce\.wgsl:\d+: unknown constant GRUOP/);
});

gpuTest("kernelProblems: an entry point that no model uses is named", async (gpu) => {
  const problems = await kernelProblems(gpu, DEMO);
  assert.ok(problems.includes("kernels/embedding.wgsl type_partials: no model of src/check/kernels.ts uses it"));
  assert.ok(problems.every((line) => line.includes("no model of")), problems.join("\n"));
});
