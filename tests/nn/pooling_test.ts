import assert from "node:assert/strict";
import type { Gpu } from "../../src/gpu/device.ts";
import { createPlan } from "../../src/nn/plan.ts";
import { poolBackward, poolForward, type PoolKind } from "../../src/nn/pooling.ts";
import { centralDifferences, dot } from "../reference/central_differences.ts";
import { poolBackwardReference, poolReference } from "../reference/pooling.ts";
import { assertClose, randomArray } from "../support/close.ts";
import { download, gpuTest, negativeControl, runPlan, testRows, upload } from "../support/gpu.ts";

const KINDS: PoolKind[] = ["first", "mean", "max"];

interface Case {
  kind: PoolKind;
  lengths: number[];
  columns: number;
  x: Float32Array;
  seed: number;
}

async function run(gpu: Gpu, { kind, lengths, columns, x, seed }: Case) {
  const count = lengths.reduce((sum, length) => sum + length, 0);
  const offsets = lengths.reduce((ends, length) => [...ends, ends.at(-1)! + length], [0]);
  const words = (label: string, data: number[]) => upload(gpu, label, [data.length], Uint32Array.from(data));
  const onDevice = await words("offsets", offsets);
  const sequenceOf = await words("sequence of", lengths.flatMap((length, s) => Array(length).fill(s)));
  const dPooled = randomArray(lengths.length * columns, seed);
  const argmax = await upload(gpu, "argmax", [lengths.length, columns]);
  const pooled = await upload(gpu, "pooled", [lengths.length, columns]);
  const dx = await upload(gpu, "dx", [count, columns]);
  const plan = createPlan(gpu, "pooling test");
  poolForward(
    plan,
    { x: await upload(gpu, "x", [count, columns], x), offsets: onDevice, pooled, argmax },
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
  return {
    pooled: await download(gpu, pooled),
    dx: await download(gpu, dx),
    argmax: new Uint32Array((await download(gpu, argmax)).buffer),
    dPooled,
  };
}

const agrees = {} as Record<PoolKind, (gpu: Gpu) => Promise<void>>;

for (const kind of KINDS) {
  agrees[kind] = gpuTest(`poolForward, poolBackward: ${kind} agrees with float64`, async (gpu) => {
    for (
      const [lengths, columns, seed] of [[[1], 30, 1], [[5, 1, 37, 130], 37, 2], [[64, 3], 257, 3], [
        [9, 20, 1],
        64,
        4,
      ]] as const
    ) {
      const count = lengths.reduce((sum: number, length) => sum + length, 0);
      const x = randomArray(count * columns, seed);
      const { pooled, dx, argmax, dPooled } = await run(gpu, { kind, lengths: [...lengths], columns, x, seed });
      const forward = poolReference(x, lengths, columns, kind);
      const tolerance = { atol: 1e-6, rtol: 1e-6 };
      assertClose(pooled, forward.pooled, tolerance, `${kind} pooled`);
      assertClose(dx, poolBackwardReference(x, dPooled, lengths, columns, kind), tolerance, `${kind} dx`);
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
negativeControl("pooling.wgsl", "token == offsets[sequence]", "token >= offsets[sequence]", agrees.first);
