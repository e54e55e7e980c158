import assert from "node:assert/strict";
import type { Gpu } from "../../src/gpu/device.ts";
import type { DType } from "../../src/gpu/dtype.ts";
import { createPlan } from "../../src/nn/plan.ts";
import { argmaxShape, poolBackward, poolForward, type PoolKind } from "../../src/nn/pooling.ts";
import { centralDifferences, dot } from "../reference/central_differences.ts";
import { poolBackwardReference, poolReference } from "../reference/pooling.ts";
import { assertClose, randomArray } from "../support/close.ts";
import { download, gpuTest, negativeControl, runPlan, testRows, upload } from "../support/gpu.ts";
import { rounded, UNIT_ROUNDOFF } from "../support/half.ts";

const KINDS: PoolKind[] = ["first", "mean", "max"];

interface Case {
  kind: PoolKind;
  lengths: number[];
  columns: number;
  x: Float32Array;
  seed: number;
  /** Of x and dx. */
  dtype?: DType;
}

async function run(gpu: Gpu, { kind, lengths, columns, x, seed, dtype }: Case) {
  const count = lengths.reduce((sum, length) => sum + length, 0);
  const offsets = lengths.reduce((ends, length) => [...ends, ends.at(-1)! + length], [0]);
  const words = (label: string, data: number[]) => upload(gpu, label, [data.length], Uint32Array.from(data));
  const onDevice = await words("offsets", offsets);
  const sequenceOf = await words("sequence of", lengths.flatMap((length, s) => Array(length).fill(s)));
  const dPooled = randomArray(lengths.length * columns, seed);
  const argmax = await upload(gpu, "argmax", argmaxShape(lengths.length, columns));
  const pooled = await upload(gpu, "pooled", [lengths.length, columns]);
  const dx = await upload(gpu, "dx", [count, columns], undefined, dtype);
  const plan = createPlan(gpu, "pooling test");
  poolForward(
    plan,
    { x: await upload(gpu, "x", [count, columns], x, dtype), offsets: onDevice, pooled, argmax },
    { kind, sequences: testRows(gpu, lengths.length), columns },
  );
  poolBackward(
    plan,
    {
      dPooled: await upload(gpu, "dPooled", [lengths.length, columns], dPooled),
      offsets: onDevice,
      sequenceOf,
      argmax,
      dx,
    },
    { kind, tokens: testRows(gpu, count), columns },
  );
  await runPlan(gpu, plan);
  const tokens = new Uint32Array((await download(gpu, argmax)).buffer);
  return {
    pooled: await download(gpu, pooled),
    dx: await download(gpu, dx),
    argmax: tokens.filter((_, i) => i % (tokens.length / lengths.length) < columns),
    dPooled,
  };
}

const agrees = {} as Record<PoolKind, (gpu: Gpu) => Promise<void>>;

for (const kind of KINDS) {
  agrees[kind] = gpuTest(`poolForward, poolBackward: ${kind} agrees with float64`, async (gpu) => {
    const cases: [number[], number, DType][] = [
      [[1], 30, "f32"],
      [[5, 1, 37, 130], 37, "f32"],
      [[64, 3], 257, "f32"],
      [[9, 20, 1], 64, "f16"],
      [[9, 20, 1], 64, "bf16"],
    ];
    for (const [seed, [lengths, columns, dtype]] of cases.entries()) {
      const count = lengths.reduce((sum, length) => sum + length, 0);
      const x = rounded(randomArray(count * columns, seed), dtype);
      const { pooled, dx, argmax, dPooled } = await run(gpu, { kind, lengths, columns, x, seed, dtype });
      const forward = poolReference(x, lengths, columns, kind);
      assertClose(pooled, forward.pooled, { atol: 1e-6, rtol: 1e-6 }, `${kind} pooled`);
      const stored = { atol: 1e-6, rtol: 1e-6 + UNIT_ROUNDOFF[dtype] };
      assertClose(dx, poolBackwardReference(x, dPooled, lengths, columns, kind), stored, `${kind} dx`);
      if (kind === "max") assert.deepEqual(argmax, forward.argmax);
    }
  });

  Deno.test(`poolBackwardReference: ${kind} agrees with central differences`, () => {
    const lengths = [3, 1, 4];
    const [x, dPooled] = [randomArray(16, 7), randomArray(6, 8)];
    const numeric = centralDifferences((at) => dot(poolReference(at, lengths, 2, kind).pooled, dPooled), x);
    assertClose(poolBackwardReference(x, dPooled, lengths, 2, kind), numeric, { atol: 1e-9, rtol: 1e-8 });
  });
}

gpuTest("poolForward: of equal maxima the first token's counts", async (gpu) => {
  const x = Float32Array.of(-1, 2, 2, 0, 7, 7);
  const { pooled, argmax, dx, dPooled } = await run(gpu, { kind: "max", lengths: [4, 2], columns: 1, x, seed: 1 });
  assert.deepEqual([...pooled], [2, 7]);
  assert.deepEqual([...argmax], [1, 4]);
  assert.deepEqual([...dx], [0, dPooled[0], 0, 0, dPooled[1], 0]);
});

negativeControl("pooling.wgsl", "f32(max(end - begin, 1u))", "f32(max(end - begin, 2u))", agrees.mean);
negativeControl("pooling.wgsl", "value > best", "value < best", agrees.max);
negativeControl("pooling.wgsl", "to.row == offsets[sequence]", "to.row >= offsets[sequence]", agrees.first);
