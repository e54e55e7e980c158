import assert from "node:assert/strict";
import type { Gpu } from "../../src/gpu/device.ts";
import { geluBackward, linearBackwardInput, linearBackwardWeight, linearForward } from "../../src/nn/linear.ts";
import { createPlan, type Plan, type Variants, variantsFor } from "../../src/nn/plan.ts";
import { assertClose, randomArray } from "../support/close.ts";
import { download, gpuTest, runPlan, testRows, upload } from "../support/gpu.ts";

const VARIANTS: Variants["matmul"][] = ["register", "tiled"];

/** [rows, in, out]: whole tiles and parts of them, sizes that vec4 fits and others, one row, several tiles along k. */
const SHAPES = [
  [1, 64, 64],
  [1, 30, 37],
  [3, 4, 2],
  [70, 30, 37],
  [65, 37, 30],
  [64, 64, 128],
  [33, 256, 64],
  [130, 68, 132],
  [150, 7, 1],
  [9, 36, 30],
  [9, 30, 36],
];

const plan = (gpu: Gpu, matmul: Variants["matmul"]): Plan =>
  createPlan(gpu, "linear test", { ...variantsFor(gpu), matmul });

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

/** erf by its Taylor series (|x| < 3) or the continued fraction of erfc. */
function erf64(x: number): number {
  const t = Math.abs(x);
  if (t < 3) {
    let term = t;
    let sum = t;
    for (let n = 1; n < 120; n++) {
      term *= -t * t / n;
      sum += term / (2 * n + 1);
    }
    return Math.sign(x) * sum * 2 / Math.sqrt(Math.PI);
  }
  let fraction = t;
  for (let n = 60; n > 0; n--) fraction = t + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-t * t) / fraction / Math.sqrt(Math.PI));
}

const gelu64 = (x: number) => x * (1 + erf64(x / Math.SQRT2)) / 2;
const geluDerivative64 = (x: number) =>
  (1 + erf64(x / Math.SQRT2)) / 2 + x * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);

const CLOSE = { atol: 1e-5, rtol: 3e-6 };

for (const matmul of VARIANTS) {
  for (const [rows, inFeatures, outFeatures] of SHAPES) {
    const sizes = `${matmul} ${rows}×${inFeatures}→${outFeatures}`;

    gpuTest(`linearForward: ${sizes}`, async (gpu) => {
      for (const seed of [1, 2]) {
        const [x, w] = [randomArray(rows * inFeatures, seed), randomArray(outFeatures * inFeatures, seed + 10)];
        const [bias, residual] = [randomArray(outFeatures, seed + 20), randomArray(rows * outFeatures, seed + 30)];
        const expected = reference(
          rows,
          outFeatures,
          inFeatures,
          (m, k) => x[m * inFeatures + k],
          (k, n) => w[n * inFeatures + k],
        );
        const withBias = expected.map((value, i) => value + bias[i % outFeatures]);

        const inputs = {
          x: await upload(gpu, "x", [rows, inFeatures], x),
          weight: await upload(gpu, "weight", [outFeatures, inFeatures], w),
        };
        const biasTensor = await upload(gpu, "bias", [outFeatures], bias);
        const residualTensor = await upload(gpu, "residual", [rows, outFeatures], residual);
        const output = (label: string) => upload(gpu, label, [rows, outFeatures]);
        const [plain, tanh, gelu, pre] = await Promise.all(["plain", "tanh", "gelu", "pre"].map(output));
        const program = plan(gpu, matmul);
        const s = { rows: testRows(gpu, rows), inFeatures, outFeatures };
        linearForward(program, { ...inputs, y: plain }, s);
        linearForward(program, { ...inputs, bias: biasTensor, y: tanh }, { ...s, activation: "tanh" });
        linearForward(
          program,
          { ...inputs, bias: biasTensor, residual: residualTensor, y: gelu, preActivation: pre },
          { ...s, activation: "gelu" },
        );
        await runPlan(gpu, program);
        assertClose(await download(gpu, plain), expected, CLOSE, "plain");
        assertClose(await download(gpu, tanh), withBias.map(Math.tanh), CLOSE, "tanh");
        assertClose(await download(gpu, pre), withBias, CLOSE, "pre-activation");
        assertClose(await download(gpu, gelu), withBias.map((v, i) => gelu64(v) + residual[i]), CLOSE, "gelu");
      }
    });

    gpuTest(`linearBackwardInput: ${sizes}, written and added`, async (gpu) => {
      for (const seed of [3, 4]) {
        const [dy, w] = [randomArray(rows * outFeatures, seed), randomArray(outFeatures * inFeatures, seed + 10)];
        const before = randomArray(rows * inFeatures, seed + 20);
        const expected = reference(
          rows,
          inFeatures,
          outFeatures,
          (m, k) => dy[m * outFeatures + k],
          (k, n) => w[k * inFeatures + n],
        );
        const inputs = {
          dy: await upload(gpu, "dy", [rows, outFeatures], dy),
          weight: await upload(gpu, "weight", [outFeatures, inFeatures], w),
        };
        const written = await upload(gpu, "written", [rows, inFeatures]);
        const added = await upload(gpu, "added", [rows, inFeatures], before);
        const program = plan(gpu, matmul);
        const s = { rows: testRows(gpu, rows), inFeatures, outFeatures };
        linearBackwardInput(program, { ...inputs, dx: written }, { ...s, accumulate: false });
        linearBackwardInput(program, { ...inputs, dx: added }, { ...s, accumulate: true });
        await runPlan(gpu, program);
        assertClose(await download(gpu, written), expected, CLOSE, "written");
        assertClose(await download(gpu, added), expected.map((value, i) => value + before[i]), CLOSE, "added");
      }
    });

    gpuTest(`linearBackwardWeight: ${sizes}, added to the gradients`, async (gpu) => {
      for (const seed of [5, 6]) {
        const [dy, x] = [randomArray(rows * outFeatures, seed), randomArray(rows * inFeatures, seed + 10)];
        const before = randomArray(outFeatures * inFeatures, seed + 20);
        const biasBefore = randomArray(outFeatures, seed + 30);
        const expected = reference(
          outFeatures,
          inFeatures,
          rows,
          (m, k) => dy[k * outFeatures + m],
          (k, n) => x[k * inFeatures + n],
        );
        const expectedBias = reference(1, outFeatures, rows, () => 1, (k, n) => dy[k * outFeatures + n]);
        const inputs = {
          dy: await upload(gpu, "dy", [rows, outFeatures], dy),
          x: await upload(gpu, "x", [rows, inFeatures], x),
        };
        const dWeight = await upload(gpu, "dWeight", [outFeatures, inFeatures], before);
        const dBias = await upload(gpu, "dBias", [outFeatures], biasBefore);
        const alone = await upload(gpu, "dWeight alone", [outFeatures, inFeatures], before);
        const program = plan(gpu, matmul);
        const s = { rows: testRows(gpu, rows), inFeatures, outFeatures };
        linearBackwardWeight(program, { ...inputs, dWeight, dBias }, s);
        linearBackwardWeight(program, { ...inputs, dWeight: alone }, s);
        await runPlan(gpu, program);
        const actual = await download(gpu, dWeight);
        assertClose(actual, expected.map((value, i) => value + before[i]), CLOSE, "dWeight");
        assert.deepEqual(await download(gpu, alone), actual, "dWeight without dBias");
        assertClose(await download(gpu, dBias), expectedBias.map((v, i) => v + biasBefore[i]), CLOSE, "dBias");
      }
    });
  }
}

gpuTest("geluBackward: float64's derivative, also far out and at odd sizes", async (gpu) => {
  for (const [rows, columns] of [[1, 1], [37, 19], [50, 64]]) {
    const pre = randomArray(rows * columns, rows, 8);
    if (pre.length > 9) pre.set([0, -0, 1e-20, 40, -40, 5.2, -5.2, 1.31, -1.31]);
    const dy = randomArray(rows * columns, rows + 1);
    const dx = await upload(gpu, "dx", [rows, columns]);
    const program = plan(gpu, "register");
    geluBackward(program, {
      preActivation: await upload(gpu, "pre", [rows, columns], pre),
      dy: await upload(gpu, "dy", [rows, columns], dy),
      dx,
    }, { rows: testRows(gpu, rows), columns });
    await runPlan(gpu, program);
    const expected = Array.from(pre, (x, i) => dy[i] * geluDerivative64(x));
    assertClose(await download(gpu, dx), expected, { atol: 1e-6, rtol: 1e-6 }, "dx");
  }
});
