/** `bench`: microbenchmarks of kernels, or whole training steps, on this machine's adapter. */
import { benchKernel, type KernelResult } from "../bench/bench_kernel.ts";
import { KERNEL_BENCHES } from "../bench/kernels.ts";
import { benchStep, type StepResult } from "../bench/step.ts";
import type { Shape } from "../bench/workbench.ts";
import type { Config } from "../config/config.ts";
import { EntailError } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { mebibytes } from "../gpu/tensor.ts";
import { openModelSource } from "../training/model_source.ts";
import { choosePrecision } from "../training/precision.ts";
import { openConfiguredGpu, resolveConfig } from "./context.ts";
import type { CommonOptions } from "./options.ts";
import { createReporter, printTable } from "./terminal.ts";

interface BenchOptions extends CommonOptions {
  kernel?: string;
  shape?: string;
  json?: boolean;
}

export async function bench(what: string, overrides: string[], options: BenchOptions): Promise<void> {
  if (what.includes("=")) return await bench("kernels", [what, ...overrides], options);
  if (what !== "kernels" && what !== "step") {
    throw new EntailError("usage", `bench ${what}: expected "bench kernels" or "bench step"`);
  }
  const shape = options.shape === undefined ? undefined : parseShape(options.shape);
  const names = Object.keys(KERNEL_BENCHES);
  if (options.kernel !== undefined && !names.includes(options.kernel)) {
    throw new EntailError("usage", `--kernel ${options.kernel}: expected one of ${names.join(", ")}`);
  }
  const config = resolveConfig(overrides, options);
  if (!config) return;
  const gpu = await openConfiguredGpu(config);
  const reporter = createReporter({ quiet: options.quiet || options.json });
  try {
    const results = what === "step"
      ? [await stepResult(gpu, config)]
      : await kernelResults(gpu, options.kernel ? [options.kernel] : names, shape, reporter.progress);
    reporter.close();
    if (options.json) {
      const adapter = { name: gpu.name, vendor: gpu.vendor, kind: gpu.kind, features: gpu.features };
      console.log(JSON.stringify({ adapter, deno: Deno.version.deno, results }, null, 2));
    } else if (what === "step") {
      printStep(results[0] as StepResult);
    } else {
      printKernels(results as KernelResult[]);
    }
  } finally {
    reporter.close();
    gpu.close();
  }
}

function parseShape(text: string): Shape {
  const sizes = /^(\d+)x(\d+)x(\d+)$/.exec(text)?.slice(1).map(Number);
  if (!sizes || sizes.some((size) => size < 1)) {
    throw new EntailError(
      "usage",
      `--shape ${text}: expected MxNxK, e.g. 1024x768x768 (attention: tokens x hidden size x tokens of a sequence)`,
    );
  }
  const [m, n, k] = sizes;
  return { m, n, k };
}

async function kernelResults(
  gpu: Gpu,
  names: readonly string[],
  shape: Shape | undefined,
  progress: (stage: string, done: number, total: number) => void,
): Promise<KernelResult[]> {
  const calls = names.flatMap((name) => (shape ? [shape] : KERNEL_BENCHES[name].shapes).map((of) => ({ name, of })));
  const results: KernelResult[] = [];
  for (const { name, of } of calls) {
    results.push(await benchKernel(gpu, name, of));
    progress("timing kernels", results.length, calls.length);
  }
  return results;
}

async function stepResult(gpu: Gpu, config: Config): Promise<StepResult> {
  const model = await openModelSource(config);
  return await benchStep(gpu, config.model.model_name ?? "from scratch", model.config, {
    batchSize: config.training.batch_size,
    maxLength: config.data.max_length,
    lossKind: config.model.loss_type,
    precision: choosePrecision(gpu, config.training.optimization.precision),
  });
}

function printKernels(results: readonly KernelResult[]): void {
  printTable(
    ["kernel", "variant", "m x n x k", "ms", "GFLOP/s", "GB/s"],
    results.map(({ kernel, variant, shape: { m, n, k }, ms, gflops, gbps }) => [
      kernel,
      variant,
      `${m}x${n}x${k}`,
      ms.toFixed(3),
      gflops.toFixed(2),
      gbps.toFixed(2),
    ]),
  );
}

function printStep({ profile, ...step }: StepResult): void {
  printTable(["model", "precision", "batch", "length", "ms per step", "tokens/s", "busy", "memory"], [[
    step.model,
    step.precision,
    `${step.batch_size}`,
    `${step.max_length}`,
    step.ms.toFixed(2),
    step.tokens_per_second.toFixed(0),
    step.busy === null ? "?" : percent(step.busy),
    mebibytes(step.peak_bytes),
  ]]);
  const total = profile.reduce((sum, row) => sum + row.ms, 0);
  if (total === 0) return;
  printTable(
    ["kernel", "ms per step", "share"],
    profile.map(({ kernel, ms }) => [kernel, ms.toFixed(3), percent(ms / total)]),
  );
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
