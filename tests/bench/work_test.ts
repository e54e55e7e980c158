import assert from "node:assert/strict";
import { partsOf, timeDispatches } from "../../src/bench/profile.ts";
import { workOf } from "../../src/bench/work.ts";
import { allocateMemory, compileProgram, planMemory } from "../../src/gpu/program.ts";
import type { DType } from "../../src/gpu/dtype.ts";
import { adamw } from "../../src/nn/adamw.ts";
import { accumulate } from "../../src/nn/dropout.ts";
import { embeddingForward } from "../../src/nn/embedding.ts";
import { layerNormForward } from "../../src/nn/layer_norm.ts";
import { linearBackwardInput, linearForward } from "../../src/nn/linear.ts";
import { createPlan, type Plan } from "../../src/nn/plan.ts";
import { gpuTest, testGpu, testRows } from "../support/gpu.ts";

const SIZES = { tokens: 8, sequences: 1, longest: 8, uniqueIds: 5 };

/** Bytes and operations of the dispatches that `append` makes. */
async function workBy(append: (plan: Plan, matrix: (rows: number, columns: number, dtype?: DType) => Tensor) => void) {
  const plan = createPlan(await testGpu(), "work");
  let made = 0;
  append(plan, (rows, columns, dtype) => plan.transient(`${made++}`, [rows, columns], dtype));
  return plan.commands.map((command) => command.kind === "dispatch" ? workOf(command.dispatch, SIZES) : null);
}

type Tensor = ReturnType<Plan["transient"]>;

gpuTest("workOf: each byte once for reading, once for writing; the operations of products", async (gpu) => {
  const rows = testRows(gpu, 8);
  const product = { rows, inFeatures: 4, outFeatures: 12 };
  assert.deepEqual(
    await workBy((plan, matrix) =>
      linearForward(plan, { x: matrix(8, 4), weight: matrix(12, 4), bias: matrix(1, 12), y: matrix(8, 12) }, product)
    ),
    [{ bytes: 4 * (8 * 4 + 12 * 4 + 12 + 8 * 12), flops: 2 * 8 * 4 * 12 }],
  );
  for (const added of [true, false]) {
    assert.deepEqual(
      await workBy((plan, matrix) =>
        linearBackwardInput(plan, { dy: matrix(8, 12), weight: matrix(12, 4), dx: matrix(8, 4) }, {
          ...product,
          accumulate: added,
        })
      ),
      [{ bytes: 4 * (8 * 12 + 12 * 4 + (added ? 2 : 1) * 8 * 4), flops: 2 * 8 * 4 * 12 }],
    );
  }
  assert.deepEqual(
    await workBy((plan, matrix) =>
      accumulate(plan, { from: matrix(8, 4, "f16"), into: matrix(8, 4) }, { rows, columns: 4 })
    ),
    [{ bytes: 2 * 8 * 4 + 2 * 4 * 8 * 4, flops: 0 }],
  );
  assert.deepEqual(
    await workBy((plan, matrix) =>
      layerNormForward(plan, {
        x: matrix(8, 16),
        residual: matrix(8, 16),
        weight: matrix(1, 16),
        bias: matrix(1, 16),
        y: matrix(8, 16),
        kept: { normalised: matrix(8, 16), rstd: matrix(8, 1) },
      }, { rows, columns: 16, eps: 1e-7 })
    ),
    [{ bytes: 4 * (4 * 8 * 16 + 2 * 16 + 8), flops: 0 }],
  );
  const chunk = (matrix: (rows: number, columns: number) => Tensor) => ({
    ...{ values: matrix(1, 64), gradients: matrix(1, 64), firstMoment: matrix(1, 64), secondMoment: matrix(1, 64) },
    ...{ update: matrix(1, 4), optimizer: matrix(1, 8) },
  });
  assert.deepEqual(
    await workBy((plan, matrix) => adamw(plan, chunk(matrix), { elements: 64, decayedElements: 0 })),
    [{ bytes: 4 * 7 * 64, flops: 0 }],
  );
});

gpuTest("workOf: of a table with as many rows as are gathered", async (gpu) => {
  const [work] = await workBy((plan, matrix) =>
    embeddingForward(plan, {
      ids: plan.transient("ids", [8], "u32"),
      wordShards: [{ tensor: matrix(1000, 16), rowBegin: 0, rows: 1000 }],
      weight: matrix(1, 16),
      bias: matrix(1, 16),
      y: matrix(8, 16),
      kept: { normalised: matrix(8, 16), rstd: matrix(8, 1) },
    }, { rows: testRows(gpu, 8), columns: 16, eps: 1e-7, site: 0 })
  );
  assert.equal(work!.bytes, 4 * (8 + 3 * 8 * 16 + 2 * 16 + 8));
});

gpuTest("partsOf: every dispatch that runs, beside the roof, with times and without", async (gpu) => {
  const plan = createPlan(gpu, "parts");
  const [one, other, none] = [8, 8, 0].map((count) => testRows(gpu, count));
  const [x, y] = [plan.transient("x", [8, 256]), plan.transient("y", [8, 256])];
  const weight = plan.transient("weight", [256, 256]);
  for (const rows of [one, other, none]) accumulate(plan, { from: x, into: y }, { rows, columns: 256 });
  linearForward(plan, { x, weight, y }, { rows: one, inFeatures: 256, outFeatures: 256 });
  const memory = await allocateMemory(gpu, "parts", planMemory([plan]));
  const programs = [await compileProgram(gpu, plan)];
  const roof = { gflops: 0.001, gbps: 1 };
  const [sum, product] = [3 * 4 * 8 * 256, 4 * (2 * 8 * 256 + 256 * 256)];
  const expected = [
    { shape: "8x256x256 nt f32", calls: 1, bytes: product, flops: 2 * 8 * 256 * 256, bound: "operations" },
    { shape: "", calls: 2, bytes: 2 * sum, flops: 0, bound: "bytes" },
  ];
  for (const hasTimestamps of new Set([gpu.hasTimestamps, false])) {
    const timed = await timeDispatches({ ...gpu, hasTimestamps }, programs, SIZES);
    assert.equal(timed.length, 3);
    const parts = partsOf(timed, SIZES, roof).sort((a, b) => b.flops - a.flops);
    assert.deepEqual(parts.map(({ kernel: _, ms: __, roof_ms: ___, share: ____, ...part }) => part), expected);
    assert.ok(Math.abs(parts[0].roof_ms - expected[0].flops / 1000) < 1e-9);
    for (const { ms, roof_ms, share } of parts) {
      if (hasTimestamps) assert.ok(Math.abs(share! * ms! - roof_ms) < 1e-9 * roof_ms);
      else assert.deepEqual([ms, share], [null, null]);
    }
  }
  memory.release();
});
