/** Measuring one kernel for one shape: compared with float64 first, then timed by the device's own clock. */
import type { Gpu } from "../gpu/device.ts";
import { type DType, isHalf } from "../gpu/dtype.ts";
import { allocateMemory, compileProgram, planMemory } from "../gpu/program.ts";
import { readTensor } from "../gpu/tensor.ts";
import type { BatchSizes, Plan, Precision } from "../nn/plan.ts";
import { compare, type Tolerance } from "../tuning/compare.ts";
import { type Roof, shareOfRoof } from "../tuning/roof.ts";
import { timeProgram } from "../tuning/timing.ts";
import { KERNEL_BENCHES } from "./kernels.ts";
import { createWorkbench, type Output, type Shape } from "./workbench.ts";

export interface KernelResult {
  kernel: string;
  variant: string;
  /** How activations are stored. */
  dtype: BenchType;
  shape: Shape;
  /** Median GPU time of a call. */
  ms: number;
  gflops: number;
  gbps: number;
  /** Share of what the adapter can do at most. */
  roof: number;
}

/** Precisions by the type that activations have in them. */
export const BENCH_TYPES = { f32: "fp32", f16: "fp16", bf16: "bf16" } as const satisfies Partial<
  Record<DType, Precision>
>;
export type BenchType = keyof typeof BENCH_TYPES;

export interface KernelRequest {
  kernel: string;
  shape: Shape;
  dtype?: BenchType;
  /** Of the kernel's operation; default: the one that is chosen. */
  variant?: string;
}

const PATIENCE = { warmUps: 3, runs: 15, enoughMs: 2000 };
const NONE: BatchSizes = { tokens: 0, sequences: 0, longest: 0, uniqueIds: 0 };

/** Where there are no variants. */
const ONLY = "one";

/** Share of the largest result by which an element may be off, and of its own size. */
const TOLERANCE: Readonly<Record<BenchType, number>> = { f32: 3e-5, f16: 2e-3, bf16: 1.5e-2 };

/**
 * Times one kernel for one shape: the median of repeated runs after a warm-up, and the names of the variants that suit it
 * here. Null where nothing of it is ever of type `dtype`. Throws an `Error` that names the kernel, its variant and a wrong
 * element where it does not compute what float64 does; then nothing is timed.
 */
export async function benchKernel(
  gpu: Gpu,
  { kernel, shape, dtype = "f32", variant }: KernelRequest,
  roof: Roof,
): Promise<{ result: KernelResult; variants: readonly string[] } | null> {
  const { operation, build } = KERNEL_BENCHES[kernel];
  const prefer = operation && variant ? { [operation]: variant } : {};
  const bench = createWorkbench(gpu, kernel, { precision: BENCH_TYPES[dtype], prefer });
  try {
    const { flops, bytes, outputs, sizes = NONE } = await build(bench, shape);
    if (dtype !== "f32" && !bindsHalf(bench.plan)) return null;
    const choice = [...bench.plan.choices.values()].find((made) => made.operation === operation);
    const chosen = choice?.variant ?? ONLY;
    const memory = await allocateMemory(gpu, kernel, planMemory([bench.before, bench.plan]));
    try {
      (await compileProgram(gpu, bench.before)).run(sizes);
      const executable = await compileProgram(gpu, bench.plan);
      executable.run(sizes);
      for (const output of outputs) {
        const problem = await wrong(gpu, output, { atol: TOLERANCE[dtype], rtol: TOLERANCE[dtype] });
        if (!problem) continue;
        const { m, n, k } = shape;
        throw new Error(`${kernel} (${chosen}, ${dtype}) is wrong at ${m}x${n}x${k}: ${problem}; nothing was timed`);
      }
      const ms = await timeProgram(gpu, executable, sizes, PATIENCE);
      const speed = { gflops: flops / ms / 1e6, gbps: bytes / ms / 1e6 };
      const result = { kernel, variant: chosen, dtype, shape, ms, ...speed, roof: shareOfRoof(roof, speed) };
      return { result, variants: choice?.variants ?? [ONLY] };
    } finally {
      memory.release();
    }
  } finally {
    bench.release();
  }
}

const bindsHalf = ({ commands }: Plan): boolean =>
  commands.some((command) =>
    command.kind === "dispatch" && Object.values(command.dispatch.bindings).some(({ dtype }) => isHalf(dtype))
  );

/** Outputs with more elements than this are compared in so many of them. */
const SAMPLE = 1024;

/** What is wrong with an output, in words; null if nothing is. `atol` is a share of the largest element. */
async function wrong(
  gpu: Gpu,
  { tensor, expected, elements }: Output,
  { atol, rtol }: Tolerance,
): Promise<string | null> {
  const values = await readTensor(gpu, tensor);
  const count = elements?.length ?? values.length;
  const sample = sampleOf(count).map((at) => elements ? elements[at] : at);
  const right = Float64Array.from(sample, expected);
  const size = right.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
  const actual = Float32Array.from(sample, (at) => values[at]);
  const { off, worst } = compare(actual, right, { atol: atol * size, rtol });
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

/** The results of every variant, the chosen one first, or of the one asked for; none where `dtype` does not apply. */
export async function* benchVariants(gpu: Gpu, request: KernelRequest, roof: Roof): AsyncGenerator<KernelResult> {
  const first = await benchKernel(gpu, request, roof);
  if (!first || (request.variant && first.result.variant !== request.variant)) return;
  yield first.result;
  if (request.variant) return;
  for (const variant of first.variants) {
    if (variant === first.result.variant) continue;
    const other = await benchKernel(gpu, { ...request, variant }, roof);
    if (other) yield other.result;
  }
}
