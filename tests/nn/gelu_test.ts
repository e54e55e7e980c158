import { geluDerivativeReference, geluReference } from "../../src/bench/reference/gelu.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { geluBackward, geluForward } from "../../src/nn/gelu.ts";
import { createPlan } from "../../src/nn/plan.ts";
import { assertClose, randomArray } from "../support/close.ts";
import { download, gpuTest, negativeControl, runPlan, testRows, upload } from "../support/gpu.ts";

/** Of both passes, also far out and at odd sizes. */
async function checkGelu(gpu: Gpu) {
  for (const [rows, columns] of [[1, 1], [37, 19], [50, 64]]) {
    const pre = randomArray(rows * columns, rows, 8);
    if (pre.length > 9) pre.set([0, -0, 1e-20, 40, -40, 5.2, -5.2, 1.31, -1.31]);
    const dy = randomArray(rows * columns, rows + 1);
    const [y, dx] = [await upload(gpu, "y", [rows, columns]), await upload(gpu, "dx", [rows, columns])];
    const plan = createPlan(gpu, "gelu");
    const preActivation = await upload(gpu, "pre", [rows, columns], pre);
    const sizes = { rows: testRows(gpu, rows), columns };
    geluForward(plan, { preActivation, y }, sizes);
    geluBackward(plan, { preActivation, dy: await upload(gpu, "dy", [rows, columns], dy), dx }, sizes);
    await runPlan(gpu, plan);
    const close = { atol: 1e-6, rtol: 1e-6 };
    assertClose(await download(gpu, y), Array.from(pre, geluReference), close, "y");
    const expected = Array.from(pre, (x, i) => dy[i] * geluDerivativeReference(x));
    assertClose(await download(gpu, dx), expected, close, "dx");
  }
}

gpuTest("gelu: float64's values and derivative", checkGelu);

negativeControl("gelu.wgsl", "load_dy(at.row, at.quad) *", "abs(load_dy(at.row, at.quad)) *", checkGelu);
negativeControl("gelu.wgsl", "gelu_quad(load", "0.999 * gelu_quad(load", checkGelu);
negativeControl("lib/gelu.wgsl", "0.39894228040143268", "0.3989", checkGelu);
