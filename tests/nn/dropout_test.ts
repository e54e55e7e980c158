import assert from "node:assert/strict";
import type { Gpu } from "../../src/gpu/device.ts";
import { accumulate, dropoutBackward, dropoutForward } from "../../src/nn/dropout.ts";
import { createPlan } from "../../src/nn/plan.ts";
import { assertClose, randomArray } from "../support/close.ts";
import { dropoutFactors } from "../support/dropout.ts";
import { download, dropoutUniform, gpuTest, negativeControl, runPlan, testRows, upload } from "../support/gpu.ts";
import { rounded } from "../support/half.ts";

interface Case {
  rows: number;
  columns: number;
  rate: number;
  key?: [number, number];
  step?: number;
  site?: number;
}

/** Dropout of ones forward and of twos backward: the factors. */
async function factors(gpu: Gpu, { rows: count, columns, rate, key = [1, 2], step = 0, site = 0 }: Case) {
  const matrix = (label: string, value?: number) =>
    upload(
      gpu,
      label,
      [count, columns],
      value === undefined ? undefined : new Float32Array(count * columns).fill(value),
    );
  const dropout = dropoutUniform(gpu, rate, key, step);
  const [y, dx] = [await matrix("y"), await matrix("dx")];
  const sizes = { rows: testRows(gpu, count), columns, site };
  const plan = createPlan(gpu, "dropout test");
  dropoutForward(plan, { x: await matrix("x", 1), dropout, y }, sizes);
  dropoutBackward(plan, { dy: await matrix("dy", 2), dropout, dx }, sizes);
  await runPlan(gpu, plan);
  const forward = await download(gpu, y);
  assert.deepEqual(await download(gpu, dx), forward.map((value) => 2 * value), "backward is not the forward's mask");
  return forward;
}

const masks = gpuTest("dropoutForward, dropoutBackward: drop what Philox says, whatever the shape", async (gpu) => {
  const cases: Case[] = [
    { rows: 1, columns: 30, rate: 0.5 },
    { rows: 3, columns: 37, rate: 0.1, step: 9, site: 4 },
    { rows: 5, columns: 64, rate: 0.3, key: [4_000_000_000, 3], step: 1 },
    { rows: 257, columns: 1, rate: 0.2, site: 11 },
  ];
  for (const { rows, columns, rate, key = [1, 2] as [number, number], step = 0, site = 0 } of cases) {
    const expected = dropoutFactors({ rate, key, step, site }, rows, columns);
    assert.deepEqual(await factors(gpu, { rows, columns, rate, key, step, site }), expected);
  }
});

gpuTest("dropoutForward: rate 0 changes nothing", async (gpu) => {
  assert.deepEqual([...await factors(gpu, { rows: 3, columns: 5, rate: 0 })], Array(15).fill(1));
});

gpuTest("dropoutForward: drops its share; seeds, steps and sites have masks of their own", async (gpu) => {
  const options: Case = { rows: 200, columns: 100, rate: 0.3 };
  const masks = [
    await factors(gpu, options),
    await factors(gpu, { ...options, key: [2, 2] }),
    await factors(gpu, { ...options, step: 1 }),
    await factors(gpu, { ...options, site: 1 }),
  ];
  const dropped = (mask: Float32Array) => mask.filter((factor) => factor === 0).length;
  for (const mask of masks) assert.ok(Math.abs(dropped(mask) - 6000) < 260, `${dropped(mask)} of 20000`); // 4 σ
  for (const mask of masks.slice(1)) {
    const both = mask.filter((factor, i) => factor === 0 && masks[0][i] === 0).length;
    assert.ok(Math.abs(both - 1800) < 164, `${both} dropped in both`);
  }
});

const sums = gpuTest("accumulate, dropoutBackward: add in place, the rest stays", async (gpu) => {
  for (const [rows, columns, dtype] of [[1, 30, "f32"], [37, 37, "f32"], [257, 64, "f16"]] as const) {
    const from = rounded(randomArray(rows * columns, 1), dtype);
    const into = randomArray(rows * columns, 2);
    const [plain, dropped] = [0, 1].map(() => upload(gpu, "into", [rows, columns], into));
    const x = await upload(gpu, "from", [rows, columns], from, dtype);
    const sizes = { rows: testRows(gpu, rows), columns };
    const plan = createPlan(gpu, "accumulate test");
    accumulate(plan, { from: x, into: await plain }, sizes);
    const dropout = dropoutUniform(gpu, 0.25, [1, 2], 3);
    dropoutBackward(plan, { dy: x, dropout, dx: await dropped }, { ...sizes, site: 5, accumulate: true });
    await runPlan(gpu, plan);
    assert.deepEqual(await download(gpu, await plain), into.map((value, i) => value + from[i]));
    const factors = dropoutFactors({ rate: 0.25, key: [1, 2], step: 3, site: 5 }, rows, columns);
    const expected = into.map((value, i) => value + Math.fround(from[i] * factors[i]));
    assertClose(await download(gpu, await dropped), expected, { atol: 2e-7, rtol: 0 });
  }
});

negativeControl("dropout.wgsl", "dropout_at(at.row, at.quad)", "dropout_at(at.row, at.quad + 1u)", masks);
negativeControl("dropout.wgsl", "value += load_y(at.row, at.quad);", "", sums);
negativeControl("lib/philox.wgsl", "round < 10u", "round < 9u", masks);
