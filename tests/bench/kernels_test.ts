import assert from "node:assert/strict";
import { benchKernel } from "../../src/bench/bench_kernel.ts";
import { KERNEL_BENCHES } from "../../src/bench/kernels.ts";
import { exitStatus } from "../../src/errors.ts";
import { brokenGpu, gpuTest } from "../support/gpu.ts";

const SHAPE = { m: 100, n: 32, k: 24 };

/** A mistake for each benchmark, in a kernel that a software adapter runs at `SHAPE`. */
const MISTAKES: Record<string, [file: string, from: string, to: string]> = {
  matmul: ["product_windows.wgsl", "s${I}_${J} = fma(", "s${I}_${J} = 1.01 * fma("],
  matmul_input_gradient: ["product_windows.wgsl", "s${I}_${J} = fma(", "s${I}_${J} = -fma("],
  matmul_weight_gradient: ["product_windows.wgsl", "s${I}_${4 * Q + J} = fma(", "s${I}_${4 * Q + J} = -fma("],
  attention: ["lib/attention.wgsl", "exp(softmax.highest - peak)", "vec4(1.0)"],
  attention_backward: ["lib/attention.wgsl", "-known.dot_context", "known.dot_context"],
  layer_norm: ["lib/normalise_row.wgsl", "+ EPS", "+ 1e-3"],
  layer_norm_backward: ["layer_norm.wgsl", "weight_sum += g", "weight_sum -= g"],
  gelu_backward: ["lib/gelu.wgsl", "0.39894228040143268", "0.398"],
  grad_norm: ["grad_norm.wgsl", "(q4 + q5) + (q6 + q7)", "(q4 + q5) + (q6 + q6)"],
  adamw: ["adamw.wgsl", "parameters.beta2", "1.01 * parameters.beta2"],
};

gpuTest("benchKernel: every kernel that is right is timed, at shapes that fill nothing evenly too", async (gpu) => {
  for (const kernel of Object.keys(KERNEL_BENCHES)) {
    for (const shape of [SHAPE, { m: 37, n: 18, k: 7 }]) {
      const result = await benchKernel(gpu, kernel, shape);
      assert.deepEqual({ ...result, variant: "", ms: 0, gflops: 0, gbps: 0 }, {
        kernel,
        variant: "",
        dtype: "f32",
        shape,
        ms: 0,
        gflops: 0,
        gbps: 0,
      });
      const { ms, gflops, gbps, variant } = result;
      assert.ok([ms, gflops, gbps].every((value) => value > 0 && value < Infinity), JSON.stringify(result));
      assert.match(variant, /^[a-z]+( \d+x\d+)?$/);
    }
  }
});

for (const kernel of Object.keys(KERNEL_BENCHES)) {
  gpuTest(`benchKernel: a wrong ${kernel} is named and not timed`, async (gpu) => {
    const broken = brokenGpu(gpu, ...MISTAKES[kernel]);
    await assert.rejects(benchKernel(broken, kernel, SHAPE), (error: Error) => {
      assert.match(
        error.message,
        new RegExp(`^${kernel} \\([a-z]+( \\d+x\\d+)?\\) is wrong at 100x32x24: .*; nothing was timed$`),
      );
      assert.equal(exitStatus(error), 1);
      return true;
    });
  });
}
