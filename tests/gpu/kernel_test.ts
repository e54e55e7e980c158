import assert from "node:assert/strict";
import type { Gpu } from "../../src/gpu/device.ts";
import { kernelCache, type KernelSpec, parseBindings, specialise } from "../../src/gpu/kernel.ts";
import { accumulate } from "../../src/nn/dropout.ts";
import { createPlan } from "../../src/nn/plan.ts";
import { download, gpuTest, runPlan, testRows, upload } from "../support/gpu.ts";

const HEADS = { SOURCE_SIZE: 4, SOURCE_ROW: 2, SOURCE_HEAD: 1, RESULT_SIZE: 4, RESULT_ROW: 1, RESULT_HEAD: 64 };
const FORWARD = { x: "f32" } as const;

/** Two kernels of one file that differ in one thing each. */
const PAIRS: Record<string, [KernelSpec, KernelSpec]> = {
  "a constant of the template": [
    { kernel: "pooling", entry: "forward", constants: { KIND: "mean", COLUMNS: 8 }, types: FORWARD },
    { kernel: "pooling", entry: "forward", constants: { KIND: "first", COLUMNS: 8 }, types: FORWARD },
  ],
  "an override": [
    { kernel: "attention_heads", entry: "copy", constants: { ...HEADS, SOURCE_ROW: 2 } },
    { kernel: "attention_heads", entry: "copy", constants: { ...HEADS, SOURCE_ROW: 3 } },
  ],
  "two overrides that change places": [
    { kernel: "attention_heads", entry: "copy", constants: { ...HEADS, SOURCE_ROW: 2, RESULT_ROW: 4 } },
    { kernel: "attention_heads", entry: "copy", constants: { ...HEADS, SOURCE_ROW: 4, RESULT_ROW: 2 } },
  ],
  "the entry point": [
    { kernel: "gelu", entry: "forward", constants: { COLUMNS: 8 } },
    { kernel: "gelu", entry: "backward", constants: { COLUMNS: 8 } },
  ],
};

for (const [name, pair] of Object.entries(PAIRS)) {
  gpuTest(`kernelCache: two kernels that differ in ${name} never share a pipeline, in either order`, (gpu) => {
    for (const [first, second] of [pair, pair.toReversed()]) {
      const cache = kernelCache(gpu);
      const pipelines = [first, second, first, second].map((spec) => cache.get(spec).pipeline);
      assert.notEqual(pipelines[0], pipelines[1]);
      assert.deepEqual(pipelines.slice(2), pipelines.slice(0, 2));
      assert.equal(cache.size, 2);
    }
    return Promise.resolve();
  });
}

gpuTest("kernelCache: what a shader does not depend on makes no second pipeline", (gpu) => {
  const cache = kernelCache(gpu);
  const one = cache.get({ kernel: "attention_heads", entry: "copy", constants: HEADS });
  const reversed = Object.fromEntries(Object.entries(HEADS).toReversed());
  const others = [reversed, { ...HEADS, UNUSED: 1 }];
  for (const other of others) {
    assert.equal(cache.get({ kernel: "attention_heads", entry: "copy", constants: other }).pipeline, one.pipeline);
  }
  assert.equal(cache.size, 1);
  return Promise.resolve();
});

/** into + from, with the kernels of `gpu`. */
async function add(gpu: Gpu, columns: number): Promise<Float32Array> {
  const data = (value: number) => new Float32Array(2 * columns).fill(value);
  const from = await upload(gpu, "from", [2, columns], data(1));
  const into = await upload(gpu, "into", [2, columns], data(2));
  const plan = createPlan(gpu, "sum");
  accumulate(plan, { from, into }, { rows: testRows(gpu, 2), columns });
  await runPlan(gpu, plan);
  return await download(gpu, into);
}

gpuTest("kernelCache: the vectors of one size are not used for another, in either order", async (gpu) => {
  for (const order of [[8, 7, 8], [7, 8, 7]]) {
    const own = { ...gpu, kernels: kernelCache(gpu) };
    for (const columns of order) assert.deepEqual([...await add(own, columns)], Array(2 * columns).fill(3));
  }
});

Deno.test("specialise: hands on the overrides that the file declares, and no others", () => {
  const { code, overrides } = specialise({
    kernel: "attention_heads",
    entry: "copy",
    constants: { ...HEADS, GROUP: 3 },
  });
  const { SOURCE_SIZE: _, RESULT_SIZE: __, ...declared } = HEADS;
  assert.deepEqual(overrides, declared);
  assert.match(code, /override SOURCE_ROW: u32;/);
});

Deno.test("specialise: names the kernel and what is missing", () => {
  assert.throws(
    () => specialise({ kernel: "gelu", entry: "sideways", constants: { COLUMNS: 4 } }),
    /kernels\/gelu\.wgsl has no entry point sideways/,
  );
  assert.throws(
    () => specialise({ kernel: "pooling", entry: "forward", constants: { COLUMNS: 4 }, types: FORWARD }),
    /kernels\/pooling\.wgsl:\d+: unknown constant KIND/,
  );
});

Deno.test("specialise: an edit changes the file and what it includes", () => {
  const edit = (path: string, text: string) => path === "lib/gelu.wgsl" ? text.replace("fn erf", "fn erf2") : text;
  const spec = { kernel: "gelu", entry: "backward", constants: { COLUMNS: 4 } };
  assert.match(specialise(spec, { edit }).code, /fn erf2/);
  assert.doesNotMatch(specialise(spec).code, /fn erf2/);
});

Deno.test("parseBindings: number and access of every variable", () => {
  const code = `@group(0) @binding(3) var<uniform> rows: u32;
    @group(0) @binding(1) var<storage, read> x: array<f32>;
    @group(0) @binding(12)   var<storage,read_write> y: array<f32>;
    @group(0) @binding(4) var<storage> z: array<f32>;
    var<workgroup> tile: array<f32, 4>;`;
  assert.deepEqual(Object.fromEntries(parseBindings(code)), {
    rows: { index: 3, access: "uniform" },
    x: { index: 1, access: "read" },
    y: { index: 12, access: "read_write" },
    z: { index: 4, access: "read" },
  });
});
