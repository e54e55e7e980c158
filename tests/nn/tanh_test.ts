/** The gradient through tanh against float64, also far out, at odd sizes and in both roles of a product's activation. */
import type { Gpu } from "../../src/gpu/device.ts";
import { linearForward } from "../../src/nn/linear.ts";
import { createPlan } from "../../src/nn/plan.ts";
import { tanhBackward, tanhForward } from "../../src/nn/tanh.ts";
import { centralDifferences, dot } from "../reference/central_differences.ts";
import { assertClose, randomArray } from "../support/close.ts";
import { download, gpuTest, negativeControl, runPlan, testRows, upload } from "../support/gpu.ts";

/** y = tanh(x·1 + 0) by a product with the unit matrix, then the gradient of Σ dy·y by x. */
async function checkTanh(gpu: Gpu) {
  for (const [rows, columns, seed] of [[1, 1, 1], [37, 19, 2], [50, 64, 3]]) {
    const x = randomArray(rows * columns, seed, 3);
    if (x.length > 9) x.set([0, -0, 1e-20, 40, -40, 100, -100, 1e4, -1e4]);
    const dy = randomArray(rows * columns, seed + 1);
    const unit = Float32Array.from({ length: columns ** 2 }, (_, i) => i % (columns + 1) === 0 ? 1 : 0);
    const [y, dx] = [await upload(gpu, "y", [rows, columns]), await upload(gpu, "dx", [rows, columns])];
    const plan = createPlan(gpu, "tanh");
    const size = testRows(gpu, rows);
    const weight = await upload(gpu, "unit", [columns, columns], unit);
    const input = await upload(gpu, "x", [rows, columns], x);
    linearForward(plan, { x: input, weight, y }, {
      rows: size,
      inFeatures: columns,
      outFeatures: columns,
      activation: "tanh",
    });
    const alone = await upload(gpu, "alone", [rows, columns]);
    tanhForward(plan, { x: input, y: alone }, { rows: size, columns });
    tanhBackward(plan, { y, dy: await upload(gpu, "dy", [rows, columns], dy), dx }, { rows: size, columns });
    await runPlan(gpu, plan);
    assertClose(await download(gpu, y), Array.from(x, Math.tanh), { atol: 2e-6, rtol: 2e-5 }, "y");
    assertClose(await download(gpu, alone), Array.from(x, Math.tanh), { atol: 2e-6, rtol: 2e-5 }, "tanh alone");
    const sum = (values: ArrayLike<number>) => dot(dy, Array.from(values, Math.tanh));
    assertClose(await download(gpu, dx), centralDifferences(sum, x), { atol: 1e-5, rtol: 1e-4 }, "dx");
  }
}

gpuTest("tanh: float64's values and derivative", checkTanh);

negativeControl("tanh.wgsl", "fma(-y, y,", "fma(-y, 0.99 * y,", checkTanh);
negativeControl("tanh.wgsl", "load_dy(at.row, at.quad) *", "abs(load_dy(at.row, at.quad)) *", checkTanh);
