import assert from "node:assert/strict";
import { kernelProblems, kernelUses } from "../../src/check/kernels.ts";
import { MODELS } from "../../src/check/models.ts";
import { OPERATIONS } from "../../src/nn/operations.ts";
import { brokenGpu, gpuTest } from "../support/gpu.ts";

/** One whose kernels are few. */
const DEMO = { demo: { ...MODELS["the demo's model"], everyVariant: undefined } };

gpuTest("kernelProblems: a kernel that does not compile is named, whichever variant it is in", async (gpu) => {
  const breaks = async (file: string, from: string, to: string) =>
    (await kernelProblems(brokenGpu(gpu, file, from, to), DEMO)).problems.filter((line) =>
      !line.includes("no model of")
    );
  const [first, ...more] = await breaks("product_broadcast.wgsl", "subgroupBroadcast(", "subgroupBroadside(");
  assert.match(first, /kernels\/product_broadcast\.wgsl:\d+.*subgroupBroadside.*\(demo, fp32, software adapter\)$/s);
  assert.ok(more.some((line) => line.endsWith("(demo, bf16, software adapter)")), more.join("\n"));
  assert.ok(more.every((line) => line.includes("product_broadcast")), more.join("\n"));
  const [tiles] = await breaks("product_tiles.wgsl", "fma(", "fmo(");
  assert.match(tiles, /product_tiles.* hardware adapter\)$/s);
  const [template] = await breaks("reduce.wgsl", "${GROUP}u", "${GRUOP}u");
  assert.match(template, /kernels\/reduce\.wgsl:\d+: unknown constant GRUOP/);
});

gpuTest("kernelProblems: an entry point that no model uses is named", async (gpu) => {
  const { problems } = await kernelProblems(gpu, DEMO);
  assert.ok(problems.includes("kernels/embedding.wgsl type_partials: no model of src/check/models.ts uses it"));
  assert.ok(problems.every((line) => line.includes("no model of")), problems.join("\n"));
});

gpuTest("kernelUses: the kernels of every variant of every table are among them", async (gpu) => {
  const tiles = new Set<unknown>();
  for await (const { spec: { kernel, constants } } of kernelUses(gpu)) {
    if (kernel.startsWith("product_")) tiles.add(`${kernel} ${constants?.TILE_M}x${constants?.TILE_N}`);
    if (kernel === "layer_norm") tiles.add(`row ${constants?.LANES}`);
  }
  const product = OPERATIONS.find(({ name }) => name === "product")!;
  assert.ok(tiles.size >= product.variants.length, [...tiles].join(", "));
  for (const lanes of [1, 32, 64, 128, 256]) assert.ok(tiles.has(`row ${lanes}`), [...tiles].join(", "));
});
