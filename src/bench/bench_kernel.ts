/** Measuring one kernel for one shape: compared with float64 first, then timed by the device's own clock. */
import type { Gpu } from "../gpu/device.ts";
import { allocateMemory, compileProgram, planMemory } from "../gpu/program.ts";
import { readTensor } from "../gpu/tensor.ts";
import type { BatchSizes } from "../nn/plan.ts";
import { compare } from "../tuning/compare.ts";
import { KERNEL_BENCHES } from "./kernels.ts";
import { median } from "../tuning/median.ts";
import { createWorkbench, type Output, type Shape } from "./workbench.ts";

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

const RUNS = 15;
const WARM_UP = 3;
/** Time enough for a slow kernel, which needs fewer runs. */
const ENOUGH_MS = 2000;
const FEWEST_RUNS = 3;
const NONE: BatchSizes = { tokens: 0, sequences: 0, longest: 0, uniqueIds: 0 };

/**
 * Times one kernel for one shape: the median of repeated runs after a warm-up. Throws an `Error` that names the kernel,
 * its variant and a wrong element where it does not compute what float64 does; then nothing is timed.
 */
export async function benchKernel(gpu: Gpu, kernel: string, shape: Shape): Promise<KernelResult> {
  const bench = createWorkbench(gpu, kernel);
  const { flops, bytes, outputs, sizes = NONE } = await KERNEL_BENCHES[kernel].build(bench, shape);
  const variant = KERNEL_BENCHES[kernel].variant(bench.plan);
  const memory = await allocateMemory(gpu, kernel, planMemory([bench.before, bench.plan]));
  try {
    (await compileProgram(gpu, bench.before)).run(sizes);
    const executable = await compileProgram(gpu, bench.plan);
    executable.run(sizes);
    for (const output of outputs) {
      const problem = await wrong(gpu, output);
      if (!problem) continue;
      const { m, n, k } = shape;
      throw new Error(`${kernel} (${variant}) is wrong at ${m}x${n}x${k}: ${problem}; nothing was timed`);
    }
    const time = async () =>
      gpu.hasTimestamps
        ? (await executable.profile(sizes)).reduce((sum, { nanoseconds }) => sum + nanoseconds, 0) / 1e6
        : await hostTime(gpu, () => executable.run(sizes));
    await repeated(time, WARM_UP);
    const times = await repeated(time, RUNS);
    const ms = median(times);
    return { kernel, variant, dtype: "f32", shape, ms, gflops: flops / ms / 1e6, gbps: bytes / ms / 1e6 };
  } finally {
    memory.release();
    bench.release();
  }
}

/** Outputs with more elements than this are compared in so many of them. */
const SAMPLE = 1024;

/** What is wrong with an output, in words; null if nothing is. */
async function wrong(gpu: Gpu, { tensor, expected, elements }: Output): Promise<string | null> {
  const values = await readTensor(gpu, tensor);
  const count = elements?.length ?? values.length;
  const sample = sampleOf(count).map((at) => elements ? elements[at] : at);
  const right = Float64Array.from(sample, expected);
  const size = right.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
  const { off, worst } = compare(Float32Array.from(sample, (at) => values[at]), right, {
    atol: 3e-5 * size,
    rtol: 3e-5,
  });
  if (off === 0) return null;
  const at = sample[worst];
  return `${tensor.label}[${at}] is ${values[at]}, float64 says ${right[worst]} ` +
    `(${off} of ${sample.length} compared are off)`;
}

/** All of `count` indices if they are few, else the first, the last and some from everywhere between. */
function sampleOf(count: number): Uint32Array {
  if (count <= SAMPLE) return Uint32Array.from({ length: count }, (_, i) => i);
  const edge = SAMPLE / 8;
  return Uint32Array.from({ length: SAMPLE }, (_, i) => {
    if (i < edge) return i;
    if (i < 2 * edge) return count - 1 - (i - edge);
    return Math.floor((Math.imul(i, 2654435761) >>> 0) / 2 ** 32 * count);
  });
}

/** `most` times, or as many as take long enough. */
async function repeated(time: () => Promise<number>, most: number): Promise<number[]> {
  const times: number[] = [];
  let total = 0;
  while (times.length < most && (times.length < FEWEST_RUNS || total < ENOUGH_MS)) {
    times.push(await time());
    total += times[times.length - 1];
  }
  return times;
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
