import assert from "node:assert/strict";
import { attentionPoolBackwardReference, attentionPoolReference } from "../../src/bench/reference/attention_pooling.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import type { DType } from "../../src/gpu/dtype.ts";
import { attentionPoolBackward, attentionPoolForward } from "../../src/nn/attention_pooling.ts";
import { createPlan } from "../../src/nn/plan.ts";
import { ROW } from "../../src/nn/rows.ts";
import { centralDifferences, dot } from "../reference/central_differences.ts";
import { assertClose, randomArray } from "../support/close.ts";
import { download, gpuTest, negativeControl, runPlan, testRows, upload } from "../support/gpu.ts";
import { rounded, UNIT_ROUNDOFF } from "../support/half.ts";

interface Case {
  lengths: number[];
  columns: number;
  seed?: number;
  /** Of x and dx. */
  dtype?: DType;
  /** Of the query: scores of ± its square root times this. */
  sharpness?: number;
  variant?: string;
  frozen?: boolean;
}

function makeInput({ lengths, columns, seed = 1, dtype = "f32", sharpness = 1 }: Case) {
  const count = lengths.reduce((sum, length) => sum + length, 0);
  return {
    x: rounded(randomArray(count * columns, seed), dtype),
    query: randomArray(columns, seed + 1, sharpness),
    lengths,
    dPooled: randomArray(lengths.length * columns, seed + 2),
    dQueryBefore: randomArray(columns, seed + 3),
  };
}

/** dQuery is added to what was there. */
async function run(gpu: Gpu, options: Case) {
  const { lengths, columns, dtype, variant, frozen } = options;
  const { x, query, dPooled, dQueryBefore } = makeInput(options);
  const count = x.length / columns;
  const words = (label: string, data: number[]) => upload(gpu, label, [data.length], Uint32Array.from(data));
  const offsets = await words("offsets", lengths.reduce((ends, length) => [...ends, ends.at(-1)! + length], [0]));
  const sequenceOf = await words("sequence of", lengths.flatMap((length, s) => Array(length).fill(s)));
  const weights = await upload(gpu, "weights", [count]);
  const pooled = await upload(gpu, "pooled", [lengths.length, columns]);
  const dQuery = await upload(gpu, "dQuery", [columns], dQueryBefore);
  const dx = await upload(gpu, "dx", [count, columns], undefined, dtype);
  const tensors = {
    x: await upload(gpu, "x", [count, columns], x, dtype),
    query: await upload(gpu, "query", [columns], query),
    offsets,
    weights,
    pooled,
  };
  const sizes = { tokens: testRows(gpu, count), sequences: testRows(gpu, lengths.length), columns };
  const plan = createPlan(gpu, "attention pooling test", { prefer: variant ? { row: variant } : {} });
  attentionPoolForward(plan, tensors, sizes);
  attentionPoolBackward(plan, {
    ...tensors,
    sequenceOf,
    dPooled: await upload(gpu, "dPooled", [lengths.length, columns], dPooled),
    dQuery,
    dx: frozen ? undefined : dx,
  }, sizes);
  await runPlan(gpu, plan);
  return {
    pooled: await download(gpu, pooled),
    weights: await download(gpu, weights),
    dQuery: await download(gpu, dQuery),
    dx: await download(gpu, dx),
  };
}

const CASES: Case[] = [
  { lengths: [1], columns: 30 },
  { lengths: [5, 1, 37, 130], columns: 37, seed: 2 },
  { lengths: [64, 3, 32], columns: 257, seed: 3 },
  { lengths: [9, 20, 1], columns: 64, dtype: "f16", seed: 4 },
  { lengths: [9, 20, 1], columns: 64, dtype: "bf16", seed: 5 },
  { lengths: [33, 70], columns: 20, sharpness: 40, seed: 6 },
];

const agrees = gpuTest("attentionPool: forward and backward agree with float64, in every variant", async (gpu) => {
  for (const options of CASES) {
    const { dtype = "f32", sharpness = 1 } = options;
    const { dPooled, dQueryBefore, ...input } = makeInput(options);
    const expected = attentionPoolBackwardReference(input, dPooled);
    for (const { name: variant } of ROW.variants) {
      const label = `${options.lengths}, ${options.columns} columns, ${dtype}, ${variant}`;
      const { pooled, weights, dQuery, dx } = await run(gpu, { ...options, variant });
      const close = { atol: 2e-6 * sharpness, rtol: 2e-6 };
      assertClose(pooled, attentionPoolReference(input), close, `pooled ${label}`);
      let begin = 0;
      for (const length of options.lengths) {
        const sum = weights.subarray(begin, begin += length).reduce((total, weight) => total + weight, 0);
        assertClose([sum], [1], { atol: 2e-6, rtol: 0 }, `weights ${label}`);
      }
      const added = expected.dQuery.map((value, c) => value + dQueryBefore[c]);
      assertClose(dQuery, added, { atol: 1e-5 * sharpness, rtol: 1e-5 }, `dQuery ${label}`);
      const stored = { atol: 2e-6 * sharpness ** 2, rtol: 1e-5 + UNIT_ROUNDOFF[dtype] };
      assertClose(dx, expected.dx, stored, `dx ${label}`);
    }
  }
});

gpuTest("attentionPool: equal bits every time; a frozen encoder's gradient is not written", async (gpu) => {
  const options = { lengths: [40, 7, 90], columns: 52 };
  const first = await run(gpu, options);
  assert.deepEqual(await run(gpu, options), first);
  const { dx, ...rest } = await run(gpu, { ...options, frozen: true });
  const { dx: _, ...whole } = first;
  assert.deepEqual(rest, whole);
  assert.equal(new Set(dx).size, 1, "only the canary");
});

Deno.test("attentionPoolBackwardReference: agrees with central differences", () => {
  const { dPooled, x, query, lengths } = makeInput({ lengths: [3, 1, 4], columns: 5, seed: 8 });
  const { dx, dQuery } = attentionPoolBackwardReference({ x, query, lengths }, dPooled);
  const numericX = centralDifferences((at) => dot(attentionPoolReference({ x: at, query, lengths }), dPooled), x);
  const numericQuery = centralDifferences(
    (at) => dot(attentionPoolReference({ x, query: at, lengths }), dPooled),
    query,
  );
  assertClose(dx, numericX, { atol: 1e-9, rtol: 1e-7 });
  assertClose(dQuery, numericQuery, { atol: 1e-9, rtol: 1e-7 });
});

negativeControl("attention_pooling.wgsl", "exp(scores[token] - most) / sum", "exp(scores[token] - most)", agrees);
negativeControl(
  "attention_pooling.wgsl",
  "load_x(token, quad) - load_pooled",
  "load_x(token, quad) + load_pooled",
  agrees,
);
negativeControl("attention_pooling.wgsl", "flowing + d_scores", "flowing - d_scores", agrees);
