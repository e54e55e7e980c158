import assert from "node:assert/strict";
import type { Gpu } from "../../src/gpu/device.ts";
import { geluDerivativeReference, geluReference } from "../../src/bench/reference/gelu.ts";
import type { Tensor } from "../../src/gpu/tensor.ts";
import { linearBackwardInput, linearBackwardWeight, linearForward } from "../../src/nn/linear.ts";
import { createPlan, type Plan } from "../../src/nn/plan.ts";
import { assertClose, randomArray } from "../support/close.ts";
import { CANARY, download, gpuTest, negativeControl, runPlan, testRows, upload } from "../support/gpu.ts";

interface Case {
  /** Taken in each direction that it suits. */
  variant: string;
  rows: number;
  inFeatures: number;
  outFeatures: number;
  /** Rows that the tensors have room for; those past `rows` hold NaN. */
  capacity?: number;
  /** Also bias, activations, residual and pre-activation. */
  epilogues?: boolean;
}

/** The cores as linear layers use them; products themselves are tested in product_test.ts. */
const CASES: Case[] = [
  { variant: "tiles 64x64x16", rows: 70, inFeatures: 30, outFeatures: 68 },
  { variant: "registers 8x4", rows: 70, inFeatures: 30, outFeatures: 37, epilogues: true },
  { variant: "broadcast 8x16", rows: 1, inFeatures: 64, outFeatures: 64, epilogues: true },
  { variant: "broadcast 8x16", rows: 130, inFeatures: 68, outFeatures: 132, capacity: 140 },
  { variant: "broadcast 4x64", rows: 530, inFeatures: 64, outFeatures: 256 },
];

const plan = (gpu: Gpu, product: string): Plan => createPlan(gpu, "linear test", { prefer: { product } });

/** C[m, n] = Σ_k a(m, k)·b(k, n) in float64. */
function reference(m: number, n: number, k: number, a: (m: number, k: number) => number, b: typeof a): Float64Array {
  const c = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let l = 0; l < k; l++) sum += a(i, l) * b(l, j);
      c[i * n + j] = sum;
    }
  }
  return c;
}

const CLOSE = { atol: 2e-5, rtol: 3e-6 };

/** Random rows, then NaN up to the capacity. */
function randomRows({ rows, capacity = rows }: Case, columns: number, seed: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(capacity * columns).fill(NaN);
  values.set(randomArray(rows * columns, seed));
  return values;
}

const sizesOf = (gpu: Gpu, { rows, capacity = rows, inFeatures, outFeatures }: Case) => ({
  rows: { ...testRows(gpu, rows), capacity },
  inFeatures,
  outFeatures,
});

/** The tensor's first rows; those past them must be as they were uploaded: untouched. */
async function downloadRows(gpu: Gpu, tensor: Tensor, { rows }: Case): Promise<Float32Array> {
  const values = await download(gpu, tensor);
  const written = rows * tensor.shape[1];
  assert.ok(values.subarray(written).every((value) => value === CANARY), `${tensor.label}: rows past the last written`);
  return values.subarray(0, written);
}

/** Runs one forward and returns y. */
async function forward(gpu: Gpu, test: Case, x: Float32Array<ArrayBuffer>, w: Float32Array<ArrayBuffer>) {
  const { rows, capacity = rows, inFeatures, outFeatures } = test;
  const y = await upload(gpu, "y", [capacity, outFeatures]);
  const program = plan(gpu, test.variant);
  linearForward(program, {
    x: await upload(gpu, "x", [capacity, inFeatures], x),
    weight: await upload(gpu, "weight", [outFeatures, inFeatures], w),
    y,
  }, sizesOf(gpu, test));
  await runPlan(gpu, program);
  return await downloadRows(gpu, y, test);
}

/** The tests of the cases, e.g. "forward tiled 70×30→36". */
const tests: Record<string, (gpu: Gpu) => Promise<void>> = {};

for (const test of CASES) {
  const { variant, rows, capacity = rows, inFeatures, outFeatures, epilogues } = test;
  const name = `${variant} ${rows}×${inFeatures}→${outFeatures}`;

  tests[`forward ${name}`] = gpuTest(`linearForward: ${name}`, async (gpu) => {
    for (const seed of [1, 2]) {
      const x = randomRows(test, inFeatures, seed);
      const w = randomArray(outFeatures * inFeatures, seed + 10);
      const product = reference(
        rows,
        outFeatures,
        inFeatures,
        (m, k) => x[m * inFeatures + k],
        (k, n) => w[n * inFeatures + k],
      );
      assertClose(await forward(gpu, test, x, w), product, CLOSE, "plain");
      if (!epilogues) continue;

      const [bias, residual] = [randomArray(outFeatures, seed + 20), randomRows(test, outFeatures, seed + 30)];
      const withBias = product.map((value, i) => value + bias[i % outFeatures]);
      const inputs = {
        x: await upload(gpu, "x", [capacity, inFeatures], x),
        weight: await upload(gpu, "weight", [outFeatures, inFeatures], w),
        bias: await upload(gpu, "bias", [outFeatures], bias),
      };
      const residualTensor = await upload(gpu, "residual", [capacity, outFeatures], residual);
      const output = (label: string) => upload(gpu, label, [capacity, outFeatures]);
      const [tanh, gelu, preActivation] = await Promise.all(["tanh", "gelu", "pre-activation"].map(output));
      const program = plan(gpu, variant);
      const s = sizesOf(gpu, test);
      linearForward(program, { ...inputs, y: tanh }, { ...s, activation: "tanh" });
      linearForward(program, { ...inputs, residual: residualTensor, y: gelu, preActivation }, {
        ...s,
        activation: "gelu",
      });
      await runPlan(gpu, program);
      assertClose(await downloadRows(gpu, tanh, test), withBias.map(Math.tanh), CLOSE, "tanh");
      assertClose(await downloadRows(gpu, preActivation, test), withBias, CLOSE, "pre-activation");
      const activated = withBias.map((value, i) => geluReference(value) + residual[i]);
      assertClose(await downloadRows(gpu, gelu, test), activated, CLOSE, "gelu");
    }
  });

  tests[`input ${name}`] = gpuTest(`linearBackwardInput: ${name}, written and added`, async (gpu) => {
    for (const seed of [3, 4]) {
      const dy = randomRows(test, outFeatures, seed);
      const w = randomArray(outFeatures * inFeatures, seed + 10);
      const before = new Float32Array(capacity * inFeatures).fill(CANARY);
      before.set(randomArray(rows * inFeatures, seed + 20));
      const product = reference(
        rows,
        inFeatures,
        outFeatures,
        (m, k) => dy[m * outFeatures + k],
        (k, n) => w[k * inFeatures + n],
      );
      const inputs = {
        dy: await upload(gpu, "dy", [capacity, outFeatures], dy),
        weight: await upload(gpu, "weight", [outFeatures, inFeatures], w),
      };
      const written = await upload(gpu, "written", [capacity, inFeatures]);
      const added = await upload(gpu, "added", [capacity, inFeatures], before);
      const program = plan(gpu, variant);
      const s = sizesOf(gpu, test);
      linearBackwardInput(program, { ...inputs, dx: written }, { ...s, accumulate: false });
      linearBackwardInput(program, { ...inputs, dx: added }, { ...s, accumulate: true });
      await runPlan(gpu, program);
      assertClose(await downloadRows(gpu, written, test), product, CLOSE, "written");
      const sum = product.map((value, i) => value + before[i]);
      assertClose(await downloadRows(gpu, added, test), sum, CLOSE, "added");
      if (!epilogues) continue;

      const pre = randomRows(test, inFeatures, seed + 30);
      const through = await upload(gpu, "through GELU", [capacity, inFeatures]);
      const second = plan(gpu, variant);
      const preActivation = await upload(gpu, "pre-activation", [capacity, inFeatures], pre);
      linearBackwardInput(second, { ...inputs, dx: through, preActivation }, { ...s, accumulate: false });
      await runPlan(gpu, second);
      const expected = product.map((value, i) => value * geluDerivativeReference(pre[i]));
      assertClose(await downloadRows(gpu, through, test), expected, CLOSE, "through GELU");
    }
  });

  tests[`weight ${name}`] = gpuTest(
    `linearBackwardWeight: ${name}, added to the gradients, the same bits again`,
    async (gpu) => {
      for (const seed of [5, 6]) {
        const [dy, x] = [randomRows(test, outFeatures, seed), randomRows(test, inFeatures, seed + 10)];
        const before = randomArray(outFeatures * inFeatures, seed + 20);
        const biasBefore = randomArray(outFeatures, seed + 30);
        const product = reference(
          outFeatures,
          inFeatures,
          rows,
          (m, k) => dy[k * outFeatures + m],
          (k, n) => x[k * inFeatures + n],
        );
        const sums = reference(1, outFeatures, rows, () => 1, (k, n) => dy[k * outFeatures + n]);
        const inputs = {
          dy: await upload(gpu, "dy", [capacity, outFeatures], dy),
          x: await upload(gpu, "x", [capacity, inFeatures], x),
        };
        const gradient = () => upload(gpu, "dWeight", [outFeatures, inFeatures], before);
        const [dWeight, again, withoutBias] = await Promise.all([gradient(), gradient(), gradient()]);
        const biasGradient = () => upload(gpu, "dBias", [outFeatures], biasBefore);
        const [dBias, dBiasAgain] = await Promise.all([biasGradient(), biasGradient()]);
        const program = plan(gpu, variant);
        const s = sizesOf(gpu, test);
        linearBackwardWeight(program, { ...inputs, dWeight, dBias }, s);
        linearBackwardWeight(program, { ...inputs, dWeight: again, dBias: dBiasAgain }, s);
        if (seed === 5) linearBackwardWeight(program, { ...inputs, dWeight: withoutBias }, s);
        await runPlan(gpu, program);
        const actual = await download(gpu, dWeight);
        assertClose(actual, product.map((value, i) => value + before[i]), CLOSE, "dWeight");
        assert.deepEqual(await download(gpu, again), actual, "dWeight again");
        if (seed === 5) assert.deepEqual(await download(gpu, withoutBias), actual, "dWeight without dBias");
        const actualBias = await download(gpu, dBias);
        assertClose(actualBias, sums.map((value, i) => value + biasBefore[i]), CLOSE, "dBias");
        assert.deepEqual(await download(gpu, dBiasAgain), actualBias, "dBias again");
      }
    },
  );
}

for (const test of CASES.filter(({ rows }) => rows > 60)) {
  const { variant, rows, capacity = rows, inFeatures, outFeatures } = test;
  gpuTest(
    `linearForward: ${variant} ${rows}×${inFeatures}→${outFeatures}, a row's bits depend on that row alone`,
    async (gpu) => {
      const x = randomRows(test, inFeatures, 7);
      const w = randomArray(outFeatures * inFeatures, 8);
      const all = await forward(gpu, test, x, w);
      const others = randomRows(test, inFeatures, 9);
      const last = rows - 1;
      others.set(x.subarray(last * inFeatures, rows * inFeatures), 3 * inFeatures);
      others.fill(NaN, 20 * inFeatures, capacity * inFeatures);
      const some = await forward(gpu, { ...test, rows: 20, capacity }, others, w);
      assert.deepEqual(some.slice(3 * outFeatures, 4 * outFeatures), all.slice(last * outFeatures));
    },
  );
}

gpuTest("linearForward: the comparison notices one wrong weight", async (gpu) => {
  const test: Case = { variant: "broadcast 8x16", rows: 64, inFeatures: 64, outFeatures: 64 };
  const [x, w] = [randomArray(64 * 64, 1), randomArray(64 * 64, 2)];
  const product = reference(64, 64, 64, (m, k) => x[m * 64 + k], (k, n) => w[n * 64 + k]);
  w[2049] += 1e-3;
  const actual = await forward(gpu, test, x, w);
  assert.throws(() => assertClose(actual, product, CLOSE), /are off/);
});

const control = (from: string, to: string, test: string) =>
  negativeControl("product_broadcast.wgsl", from, to, tests[test]);
control("subgroupBroadcast(of_lanes, ${L}u)", "of_lanes", "forward broadcast 8x16 1×64→64");
control("k + b_row < share.y", "true", "weight broadcast 8x16 130×68→132");
control("min(k + ${KK}u, share.y - 1u)", "k", "weight broadcast 8x16 130×68→132");
control("lane / ${THREADS / 4}u", "0u", "input broadcast 8x16 130×68→132");
