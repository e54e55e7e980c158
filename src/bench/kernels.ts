/** Microbenchmarks of kernels: each builds a plan for one shape; the GPU's own clock times it. */
import type { Gpu } from "../gpu/device.ts";
import { allocateMemory, compileProgram, planMemory } from "../gpu/program.ts";
import { createTensor, type Tensor, writeTensor } from "../gpu/tensor.ts";
import { adamw, adamwUniform } from "../nn/adamw.ts";
import { gradNorm } from "../nn/grad_norm.ts";
import { layerNormBackward, layerNormForward } from "../nn/layer_norm.ts";
import { geluBackward, linearBackwardInput, linearBackwardWeight, linearForward } from "../nn/linear.ts";
import { createUniform } from "../gpu/tensor.ts";
import { createPlan, fixedRows, type Plan } from "../nn/plan.ts";

export interface Shape {
  m: number;
  n: number;
  k: number;
}

export interface KernelResult {
  kernel: string;
  variant: string;
  dtype: "f32";
  shape: Shape;
  /** Median GPU time of a call. */
  ms: number;
  gflops: number;
  gbps: number;
}

interface Work {
  /** Floating-point operations and bytes moved at least once, of one call. */
  flops: number;
  bytes: number;
}

interface KernelBench {
  variant(plan: Plan): string;
  /** Appends the call under test for a shape; inputs are made with `input`. */
  build(plan: Plan, shape: Shape, input: (label: string, shape: number[]) => Promise<Tensor>): Promise<Work>;
}

const matmulWork = ({ m, n, k }: Shape): Work => ({ flops: 2 * m * n * k, bytes: 4 * (m * k + n * k + m * n) });

/** Every benchmark; `m` is the number of rows (tokens), `n` output features or columns, `k` input features. */
export const KERNEL_BENCHES: Record<string, KernelBench> = {
  matmul: {
    variant: (plan) => plan.variants.matmul,
    async build(plan, { m, n, k }, input) {
      const [x, weight, y] = [await input("x", [m, k]), await input("weight", [n, k]), await input("y", [m, n])];
      linearForward(plan, { x, weight, y }, { rows: fixedRows(plan.gpu, "rows", m), inFeatures: k, outFeatures: n });
      return matmulWork({ m, n, k });
    },
  },
  matmul_input_gradient: {
    variant: (plan) => plan.variants.matmul,
    async build(plan, { m, n, k }, input) {
      const [dy, weight, dx] = [await input("dy", [m, n]), await input("weight", [n, k]), await input("dx", [m, k])];
      const rows = fixedRows(plan.gpu, "rows", m);
      linearBackwardInput(plan, { dy, weight, dx }, { rows, inFeatures: k, outFeatures: n, accumulate: false });
      return matmulWork({ m, n, k });
    },
  },
  matmul_weight_gradient: {
    variant: (plan) => plan.variants.matmul,
    async build(plan, { m, n, k }, input) {
      const [dy, x, dWeight] = [await input("dy", [m, n]), await input("x", [m, k]), await input("dw", [n, k])];
      linearBackwardWeight(plan, { dy, x, dWeight }, {
        rows: fixedRows(plan.gpu, "rows", m),
        inFeatures: k,
        outFeatures: n,
      });
      return matmulWork({ m, n, k });
    },
  },
  layer_norm: {
    variant: (plan) => plan.variants.row,
    async build(plan, { m, n }, input) {
      const [x, weight, bias, y] = [
        await input("x", [m, n]),
        await input("weight", [n]),
        await input("bias", [n]),
        await input("y", [m, n]),
      ];
      layerNormForward(plan, { x, weight, bias, y }, { rows: fixedRows(plan.gpu, "rows", m), columns: n, eps: 1e-7 });
      return { flops: 8 * m * n, bytes: 8 * m * n };
    },
  },
  layer_norm_backward: {
    variant: (plan) => plan.variants.row,
    async build(plan, { m, n }, input) {
      const kept = { normalised: await input("normalised", [m, n]), rstd: await input("rstd", [m]) };
      layerNormBackward(plan, {
        dy: await input("dy", [m, n]),
        weight: await input("weight", [n]),
        kept,
        dx: await input("dx", [m, n]),
        dWeight: await input("dw", [n]),
        dBias: await input("db", [n]),
      }, { rows: fixedRows(plan.gpu, "rows", m), columns: n, eps: 1e-7 });
      return { flops: 14 * m * n, bytes: 12 * m * n };
    },
  },
  gelu_backward: {
    variant: () => "elementwise",
    async build(plan, { m, n }, input) {
      const [preActivation, dy, dx] = [await input("x", [m, n]), await input("dy", [m, n]), await input("dx", [m, n])];
      geluBackward(plan, { preActivation, dy, dx }, { rows: fixedRows(plan.gpu, "rows", m), columns: n });
      return { flops: 30 * m * n, bytes: 12 * m * n };
    },
  },
  grad_norm: {
    variant: () => "tree",
    async build(plan, { m, n }, input) {
      const parameters = createUniform(plan.gpu, "largest norm", 4);
      gradNorm(plan, {
        gradientChunks: [await input("gradients", [m * n])],
        norm: await input("norm", [2]),
        parameters,
      });
      return { flops: 2 * m * n, bytes: 4 * m * n };
    },
  },
  adamw: {
    variant: () => "fused",
    async build(plan, { m, n }, input) {
      const count = m * n;
      const [values, gradients, firstMoment, secondMoment] = [
        await input("values", [count]),
        await input("gradients", [count]),
        await input("first moment", [count]),
        await input("second moment", [count]),
      ];
      const parameters = createUniform(plan.gpu, "optimizer parameters", 8);
      const hyper = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01, step: 1 };
      writeTensor(plan.gpu, parameters, adamwUniform(hyper));
      const norm = await input("norm", [2]);
      adamw(plan, { values, gradients, firstMoment, secondMoment, norm, parameters }, {
        elements: count,
        decayedElements: count,
      });
      return { flops: 15 * count, bytes: 28 * count };
    },
  },
};

/** What is timed where no shape is asked for: the layers of the demo's model and of DeBERTa-v3-base. */
export const DEFAULT_SHAPES: readonly Shape[] = [
  { m: 2048, n: 64, k: 64 },
  { m: 2048, n: 128, k: 64 },
  { m: 1024, n: 768, k: 768 },
  { m: 512, n: 3072, k: 768 },
];

const RUNS = 15;
const WARM_UP = 3;

/** Times one kernel for one shape: the median of repeated runs after a warm-up. */
export async function benchKernel(gpu: Gpu, name: string, shape: Shape): Promise<KernelResult> {
  const owned: Tensor[] = [];
  const plan = createPlan(gpu, name);
  const work = await KERNEL_BENCHES[name].build(plan, shape, async (label, tensorShape) => {
    const tensor = await createTensor(gpu, label, tensorShape);
    owned.push(tensor);
    const values = new Float32Array(tensor.bytes / 4);
    for (let i = 0; i < values.length; i++) values[i] = ((i * 2654435761) >>> 0) / 2 ** 32 - 0.5;
    writeTensor(gpu, tensor, values);
    return tensor;
  });
  const memory = await allocateMemory(gpu, name, planMemory([plan]));
  const executable = await compileProgram(gpu, plan);
  const none = { tokens: 0, sequences: 0, longest: 0, uniqueIds: 0 };
  const times: number[] = [];
  for (let run = -WARM_UP; run < RUNS; run++) {
    const ms = gpu.hasTimestamps
      ? (await executable.profile(none)).reduce((sum, { nanoseconds }) => sum + nanoseconds, 0) / 1e6
      : await hostTime(gpu, () => executable.run(none));
    if (run >= 0) times.push(ms);
  }
  memory.release();
  for (const { buffer } of owned) buffer?.destroy();
  const ms = times.sort((a, b) => a - b)[RUNS >> 1];
  const variant = KERNEL_BENCHES[name].variant(plan);
  return { kernel: name, variant, dtype: "f32", shape, ms, gflops: work.flops / ms / 1e6, gbps: work.bytes / ms / 1e6 };
}

/** Without timestamp queries: many calls between two waits, since a wait alone can take 10 ms. */
async function hostTime(gpu: Gpu, call: () => void): Promise<number> {
  const calls = 50;
  await gpu.device.queue.onSubmittedWorkDone();
  const start = performance.now();
  for (let i = 0; i < calls; i++) call();
  await gpu.device.queue.onSubmittedWorkDone();
  return (performance.now() - start) / calls;
}
