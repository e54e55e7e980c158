import assert from "node:assert/strict";
import type { Gpu } from "../../src/gpu/device.ts";
import { allocateMemory, compileProgram, inPieces, planMemory } from "../../src/gpu/program.ts";
import { accumulate } from "../../src/nn/dropout.ts";
import { createPlan } from "../../src/nn/plan.ts";
import { download, gpuTest, testRows, upload } from "../support/gpu.ts";

const NONE = { tokens: 0, sequences: 0, longest: 0, uniqueIds: 0 };

/** A program that adds 1 to `total` so many times, with a dispatch that never runs and a clear between them. */
async function counting(gpu: Gpu, dispatches: number) {
  const one = await upload(gpu, "one", [1, 1], Float32Array.of(1));
  const total = await upload(gpu, "total", [1, 1], Float32Array.of(0));
  const plan = createPlan(gpu, "counting");
  const sum = (rows: number) => accumulate(plan, { from: one, into: total }, { rows: testRows(gpu, rows), columns: 1 });
  const unused = plan.transient("unused", [64]);
  for (let i = 0; i < dispatches; i++) {
    sum(1);
    if (i % 3 === 0) sum(0);
    if (i % 5 === 0) plan.clear(unused);
  }
  await allocateMemory(gpu, "counting", planMemory([plan]));
  return { executable: await compileProgram(gpu, plan), total };
}

Deno.test("inPieces: each has at most so many that count, and nothing is lost", () => {
  const odd = (n: number) => n % 2 === 1;
  assert.deepEqual(inPieces([1, 2, 3, 4, 4, 5, 6], 2, odd), [[1, 2, 3, 4, 4], [5, 6]]);
  assert.deepEqual(inPieces([2, 1, 3], 1, odd), [[2, 1], [3]]);
  assert.deepEqual(inPieces([], 2, odd), [[]]);
});

gpuTest("profile: every dispatch is run and timed once, whatever the pieces", async (gpu) => {
  const { executable, total } = await counting(gpu, 11);
  for (const [run, pieceDispatches] of [1, 3, 11, 100].entries()) {
    const times = await executable.profile(NONE, pieceDispatches);
    assert.equal(times.length, 11);
    for (const { kernel, nanoseconds } of times) {
      assert.equal(kernel, "dropout.apply");
      assert.ok(nanoseconds >= 0 && nanoseconds < 1e9, `${nanoseconds} ns`);
    }
    assert.equal((await download(gpu, total))[0], 11 * (run + 1));
  }
});

gpuTest("profile: more dispatches than a query set has timestamps for", async (gpu) => {
  const { executable, total } = await counting(gpu, 2100);
  assert.equal((await executable.profile(NONE)).length, 2100);
  assert.equal((await download(gpu, total))[0], 2100);
});
