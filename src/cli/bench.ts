/** `bench`: microbenchmarks of kernels, or whole training steps, on this machine's adapter. */
import { basename, dirname, join } from "node:path";
import { BENCH_TYPES, type BenchType, benchVariants, type KernelResult } from "../bench/bench_kernel.ts";
import { KERNEL_BENCHES } from "../bench/kernels.ts";
import type { Part } from "../bench/profile.ts";
import { benchStep, type StepResult } from "../bench/step.ts";
import type { Shape } from "../bench/workbench.ts";
import type { Config } from "../config/config.ts";
import { EntailError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic_write.ts";
import type { Gpu } from "../gpu/device.ts";
import { mebibytes } from "../gpu/tensor.ts";
import { stepPicture } from "../report/step_picture.ts";
import { measureRoof, type Roof } from "../tuning/roof.ts";
import { pairLimits } from "../training/chunking.ts";
import { LOSSES } from "../training/losses.ts";
import { openModelSource } from "../training/model_source.ts";
import { waysOf } from "../training/physical_batch.ts";
import type { Reporter } from "../training/reporter.ts";
import { tunerOf } from "../training/tune_session.ts";
import { choosePrecision } from "../training/precision.ts";
import { openConfiguredGpu, resolveConfig } from "./context.ts";
import type { CommonOptions } from "./options.ts";
import { say } from "./say.ts";
import { createReporter, printTable } from "./terminal.ts";

interface BenchOptions extends CommonOptions {
  kernel?: string;
  shape?: string;
  dtype?: string;
  variant?: string;
  profile?: boolean;
  json?: boolean;
}

export async function bench(what: string, overrides: string[], options: BenchOptions): Promise<void> {
  if (what.includes("=")) return await bench("kernels", [what, ...overrides], options);
  if (what !== "kernels" && what !== "step") {
    throw new EntailError("usage", `bench ${what}: expected "bench kernels" or "bench step"`);
  }
  if (options.profile && what !== "step") throw new EntailError("usage", "--profile is for bench step");
  const shape = options.shape === undefined ? undefined : parseShape(options.shape);
  const names = Object.keys(KERNEL_BENCHES);
  if (options.kernel !== undefined && !names.includes(options.kernel)) {
    throw new EntailError("usage", `--kernel ${options.kernel}: expected one of ${names.join(", ")}`);
  }
  const types = Object.keys(BENCH_TYPES) as BenchType[];
  if (options.dtype !== undefined && !types.includes(options.dtype as BenchType)) {
    throw new EntailError("usage", `--dtype ${options.dtype}: expected one of ${types.join(", ")}`);
  }
  const config = resolveConfig(overrides, options);
  if (!config) return;
  const gpu = await openConfiguredGpu(config);
  const reporter = createReporter({ quiet: options.quiet || options.json });
  try {
    const adapter = { name: gpu.name, vendor: gpu.vendor, kind: gpu.kind, features: gpu.features };
    const print = (found: { results: readonly unknown[]; roof?: Roof }) =>
      console.log(JSON.stringify({ adapter, deno: Deno.version.deno, ...found }, null, 2));
    const roof = what === "kernels" || options.profile ? await measureRoof(gpu) : undefined;
    if (what === "step") {
      const step = await stepResult(gpu, config, reporter, roof);
      reporter.close();
      if (roof) await writePicture(step, roof);
      if (options.json) print({ roof, results: [step] });
      else printStep(step, roof);
      if (roof && !options.quiet) say(`written to ${PICTURE}`);
      return;
    }
    const results = await kernelResults(
      gpu,
      {
        names: options.kernel ? [options.kernel] : names,
        shape,
        types: options.dtype ? [options.dtype as BenchType] : types,
        variant: options.variant,
      },
      roof!,
      reporter.progress,
    );
    reporter.close();
    if (options.json) print({ roof, results });
    else printKernels(results, roof!);
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

/** Usage error where nothing of what is asked for is there to be timed. */
async function kernelResults(
  gpu: Gpu,
  { names, shape, types, variant }: {
    names: readonly string[];
    shape?: Shape;
    types: readonly BenchType[];
    variant?: string;
  },
  roof: Roof,
  progress: (stage: string, done: number, total: number) => void,
): Promise<KernelResult[]> {
  const requests = names.flatMap((kernel) => {
    const { shapes, takes = () => true } = KERNEL_BENCHES[kernel];
    const wanted = (shape ? [shape] : shapes).filter(takes);
    return wanted.flatMap((of) => types.map((dtype) => ({ kernel, shape: of, dtype, variant })));
  });
  const results: KernelResult[] = [];
  for (const [done, request] of requests.entries()) {
    for await (const result of benchVariants(gpu, request, roof)) results.push(result);
    progress("timing kernels", done + 1, requests.length);
  }
  if (results.length > 0) return results;
  throw new EntailError(
    "usage",
    "no kernel has this shape, type and variant here; ./entail info lists the variants, --shape takes multiples of 4",
  );
}

async function stepResult(gpu: Gpu, config: Config, reporter: Reporter, roof: Roof | undefined): Promise<StepResult> {
  const model = await openModelSource(config);
  return await benchStep(gpu, config.model.model_name ?? "from scratch", model.config, {
    batchSize: config.training.batch_size,
    maxLength: pairLimits(config.data).maxLength,
    lossKind: LOSSES[config.model.loss_type].kind,
    precision: choosePrecision(gpu, config.training.optimization.precision),
    recompute: waysOf(config),
    tuned: tunerOf(config, { reporter }),
  }, roof);
}

/** Where `bench step --profile` leaves its picture. */
const PICTURE = join("outputs", "bench", "step.svg");

async function writePicture({ parts = [], model, precision, batch_size, max_length }: StepResult, roof: Roof) {
  const title = `${basename(model)}, ${precision}, ${batch_size} x ${max_length} tokens`;
  await Deno.mkdir(dirname(PICTURE), { recursive: true });
  await writeFileAtomic(PICTURE, stepPicture(parts, { title, roof }));
}

function printKernels(results: readonly KernelResult[], roof: Roof): void {
  printTable(
    ["kernel", "variant", "type", "m x n x k", "ms", "GFLOP/s", "GB/s", "of the roof"],
    results.map(({ kernel, variant, dtype, shape: { m, n, k }, ms, gflops, gbps, roof: share }) => [
      kernel,
      variant,
      dtype,
      `${m}x${n}x${k}`,
      ms.toFixed(3),
      gflops.toFixed(2),
      gbps.toFixed(2),
      percent(share),
    ]),
  );
  printRoof(roof);
}

function printRoof({ gflops, gbps }: Roof): void {
  printTable(["the roof of this adapter", "GFLOP/s", "GB/s"], [
    ["multiply-adds in registers, copies", gflops.toFixed(1), gbps.toFixed(1)],
  ]);
}

function printStep({ profile, parts, ...step }: StepResult, roof?: Roof): void {
  printTable(["model", "precision", "batch", "length", "ms per step", "tokens/s", "busy", "recording ms", "memory"], [[
    step.model,
    step.precision,
    `${step.batch_size}`,
    `${step.max_length}`,
    step.ms.toFixed(2),
    step.tokens_per_second.toFixed(0),
    step.busy === null ? "?" : percent(step.busy),
    `${step.record_ms.toFixed(2)} (${step.dispatches} dispatches)`,
    `${mebibytes(step.peak_bytes)}${step.recompute ? ", recomputing" : ""}`,
  ]]);
  const total = profile.reduce((sum, row) => sum + row.ms, 0);
  if (parts && roof) printParts(parts, roof, total);
  else if (total > 0) {
    printTable(
      ["kernel", "ms per step", "share"],
      profile.map(({ kernel, ms }) => [kernel, ms.toFixed(3), percent(ms / total)]),
    );
  }
}

function printParts(parts: readonly Part[], roof: Roof, total: number): void {
  const sum = (of: (part: Part) => number) => parts.reduce((sum, part) => sum + of(part), 0);
  const least = sum(({ roof_ms }) => roof_ms);
  printTable(
    ["kernel", "operands", "calls", "ms per step", "share", "GB", "GFLOP", "bound by", "ms on the roof", "of the roof"],
    [
      ...parts.map(({ kernel, shape, calls, ms, bytes, flops, bound, roof_ms, share }) => [
        kernel,
        shape,
        `${calls}`,
        ms === null ? "?" : ms.toFixed(3),
        ms === null ? "?" : percent(ms / total),
        (bytes / 1e9).toFixed(3),
        (flops / 1e9).toFixed(2),
        bound,
        roof_ms.toFixed(3),
        share === null ? "?" : percent(share),
      ]),
      [
        "all",
        "",
        `${sum(({ calls }) => calls)}`,
        total > 0 ? total.toFixed(3) : "?",
        total > 0 ? percent(1) : "?",
        (sum(({ bytes }) => bytes) / 1e9).toFixed(3),
        (sum(({ flops }) => flops) / 1e9).toFixed(2),
        "",
        least.toFixed(3),
        total > 0 ? percent(least / total) : "?",
      ],
    ],
  );
  printRoof(roof);
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
