import assert from "node:assert/strict";
import { BENCH_TYPES, benchKernel, type BenchType, benchVariants } from "../../src/bench/bench_kernel.ts";
import { KERNEL_BENCHES } from "../../src/bench/kernels.ts";
import { createWorkbench } from "../../src/bench/workbench.ts";
import { exitStatus } from "../../src/errors.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { entryPoints } from "../../src/gpu/kernel.ts";
import { withMatrices } from "../../src/gpu/emulation.ts";
import { brokenGpu, gpuTest } from "../support/gpu.ts";

const SHAPE = { m: 100, n: 32, k: 24 };
const ODD = { m: 37, n: 18, k: 7 };
const ROOF = { gflops: 1e6, gbps: 1e6 };

/** A mistake for each benchmark, in a kernel that a software adapter runs at `SHAPE`. */
const MISTAKES: Record<string, [file: string, from: string, to: string]> = {
  matmul: ["lib/product_fma.wgsl", "= fma(", "= 1.01 * fma("],
  matmul_input_gradient: ["lib/product_fma.wgsl", "= fma(", "= -fma("],
  matmul_weight_gradient: ["lib/product_fma.wgsl", "= fma(", "= -fma("],
  matmul_batched: ["lib/product_operand.wgsl", "matrix * ${STEP / UNIT}u", "matrix"],
  attention: ["lib/attention.wgsl", "exp(softmax.highest - peak)", "vec4(1.0)"],
  attention_backward: ["lib/attention.wgsl", "-known.dot_context", "known.dot_context"],
  convolution: ["convolution.wgsl", "load_x(to.row + tap - SIZE / 2u", "load_x(to.row"],
  convolution_backward: ["convolution.wgsl", "min(4u, CHANNELS", "min(3u, CHANNELS"],
  dequantize_8bit: ["dequantize.wgsl", "* scales[row]", "* scales[0]"],
  dequantize_4bit: ["dequantize.wgsl", "index % 8u * 4u", "index % 8u * 2u"],
  layer_norm: ["lib/normalise_row.wgsl", "+ EPS", "+ 1e-3"],
  layer_norm_again: ["layer_norm.wgsl", "load_normalised(at.row, at.quad) *", "load_normalised(at.row, at.quad) +"],
  layer_norm_backward: ["layer_norm.wgsl", "weight_sum += g", "weight_sum -= g"],
  gelu: ["lib/gelu.wgsl", "0.5 * x * (1.0 + erf(", "0.5 * x * (1.001 + erf("],
  tanh_backward: ["tanh.wgsl", "vec4(1.0)", "vec4(1.001)"],
  gelu_backward: ["lib/gelu.wgsl", "0.39894228040143268", "0.398"],
  dropout: ["dropout.wgsl", "value *= dropout_at(at.row", "value *= dropout_at(at.row + 1u"],
  accumulate: ["dropout.wgsl", "value += load_y", "value -= load_y"],
  embedding: ["embedding.wgsl", "load_word(ids[row] - ROW_BEGIN", "load_word(ids[row / 2u] - ROW_BEGIN"],
  embedding_backward: [
    "embedding.wgsl",
    "sum += load_dz(token_order[at], segment.quad)",
    "sum -= load_dz(token_order[at], segment.quad)",
  ],
  pooling: ["pooling.wgsl", "max(end - begin, 1u)", "max(end, 1u)"],
  pooling_backward: ["pooling.wgsl", "offsets[sequence + 1u] - offsets[sequence]", "offsets[sequence + 1u]"],
  attention_pooling: ["attention_pooling.wgsl", "load_x(token, quad) * load_query", "load_x(token, quad) + load_query"],
  attention_pooling_backward: ["attention_pooling.wgsl", "flowing + d_scores", "flowing - d_scores"],
  loss: ["loss.wgsl", "let other_nll = softplus(margin);", "let other_nll = softplus(-margin);"],
  grad_norm: ["grad_norm.wgsl", "(q4 + q5) + (q6 + q7)", "(q4 + q5) + (q6 + q6)"],
  adamw: ["adamw.wgsl", "optimizer.beta2", "1.01 * optimizer.beta2"],
};

gpuTest("benchKernel: every kernel that is right is timed, at shapes that fill nothing evenly too", async (gpu) => {
  for (const [kernel, { takes = () => true }] of Object.entries(KERNEL_BENCHES)) {
    for (const shape of [SHAPE, ODD].filter(takes)) {
      const { result, variants } = (await benchKernel(gpu, { kernel, shape }, ROOF))!;
      const { ms, gflops, gbps, roof, variant, ...asked } = result;
      assert.deepEqual(asked, { kernel, dtype: "f32", shape });
      assert.ok([ms, gbps, roof].every((value) => value > 0 && value < Infinity), JSON.stringify(result));
      assert.ok(gflops > 0, JSON.stringify(result));
      assert.equal(roof, Math.max(gflops, gbps) / 1e6);
      assert.ok(variants.includes(variant));
    }
  }
});

gpuTest("benchVariants: every variant, in the type that is asked for, or the one that is", async (gpu) => {
  const resultsOf = async (request: { kernel: string; dtype: BenchType; variant?: string }) =>
    (await Array.fromAsync(benchVariants(gpu, { ...request, shape: SHAPE }, ROOF))).map(({ variant, dtype }) => {
      assert.equal(dtype, request.dtype);
      return variant;
    });
  const products = await resultsOf({ kernel: "matmul", dtype: "bf16" });
  assert.ok(products.length > 3 && new Set(products).size === products.length, products.join(", "));
  const [, second] = products;
  assert.deepEqual(await resultsOf({ kernel: "matmul", dtype: "f32", variant: second }), [second]);
  assert.deepEqual(await resultsOf({ kernel: "matmul", dtype: "f32", variant: "no such" }), []);
  for (const dtype of ["f16", "bf16"] as const) {
    for (const kernel of ["attention", "attention_backward", "layer_norm_backward", "adamw", "dropout"]) {
      assert.ok((await resultsOf({ kernel, dtype })).length > 0, kernel);
    }
    assert.deepEqual(await resultsOf({ kernel: "grad_norm", dtype }), []);
  }
});

/** What no benchmark has: it moves a few words, or belongs to what DeBERTa-v3 has not, or is the roof itself. */
const NOT_TIMED = [
  ...["step_log.record", "embedding.position_gradient", "embedding.type_partials", "embedding.sum", "roof.", "probe."],
  ...["convolution.spread", "convolution.gather", "tanh.forward"],
];

gpuTest("KERNEL_BENCHES: every kernel is in one of them", async (gpu) => {
  const timed = new Set<string>();
  const software = { ...gpu, kind: "software" } as const;
  const adapters: Gpu[] = [software, { ...software, subgroupSize: 0 }, { ...gpu, kind: "hardware" }, withMatrices(gpu)];
  for (const adapter of adapters) {
    for (const [kernel, { build }] of Object.entries(KERNEL_BENCHES)) {
      for (const [, precision] of Object.entries(BENCH_TYPES)) {
        const bench = createWorkbench(adapter, kernel, { precision });
        await build(bench, SHAPE);
        for (const command of [...bench.plan.commands, ...bench.before.commands]) {
          if (command.kind === "dispatch") timed.add(`${command.dispatch.kernel}.${command.dispatch.entry}`);
        }
        bench.release();
      }
    }
  }
  const missing = entryPoints().map(({ kernel, entry }) => `${kernel}.${entry}`).filter((name) =>
    !timed.has(name) && !NOT_TIMED.some((not) => name.startsWith(not))
  );
  assert.deepEqual(missing, []);
});

for (const kernel of Object.keys(KERNEL_BENCHES)) {
  gpuTest(`benchKernel: a wrong ${kernel} is named and not timed`, async (gpu) => {
    const broken = brokenGpu(gpu, ...MISTAKES[kernel]);
    await assert.rejects(benchKernel(broken, { kernel, shape: SHAPE }, ROOF), (error: Error) => {
      assert.match(error.message, new RegExp(`^${kernel} \\(.+, f32\\) is wrong at 100x32x24: .*; nothing was timed$`));
      assert.equal(exitStatus(error), 1);
      return true;
    });
  });
}
