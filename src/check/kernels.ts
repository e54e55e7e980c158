/**
 * Compiles every kernel as real models would use it, in every variant, on software and on hardware adapters with and
 * without tensor cores, and runs none.
 */
import { type Gpu, gpuError } from "../gpu/device.ts";
import { withMatrices } from "../gpu/emulation.ts";
import { entryPoints, type KernelSpec } from "../gpu/kernel.ts";
import { PROBE } from "../gpu/probe.ts";
import { specOf } from "../gpu/program.ts";
import type { Plan, Precision } from "../nn/plan.ts";
import { LANES } from "../nn/product.ts";
import { planRoof } from "../tuning/roof.ts";
import { type Model, MODELS, plansOf } from "./models.ts";

/** What a dispatch needs compiled, and who needs it. */
export interface KernelUse {
  spec: KernelSpec;
  user: string;
}

/** Says of each kernel in one line what keeps it from being compiled, or null. */
export type Compile = (specs: readonly KernelSpec[]) => Promise<(string | null)[]>;

/** The number of kernels, with a line for each that does not compile and each entry point below kernels/ that no model uses. */
export async function kernelProblems(
  gpu: Gpu,
  models: typeof MODELS = MODELS,
  compile: Compile = (specs) => compileProblems(gpu, specs),
): Promise<{ kernels: number; problems: string[] }> {
  const uses = await Array.fromAsync(kernelUses(gpu, models));
  const found = await compile(uses.map(({ spec }) => spec));
  const problems = uses.flatMap(({ user }, i) => found[i] === null ? [] : [`${found[i]} (${user})`]);
  const used = new Set(uses.map(({ spec }) => `${spec.kernel}.wgsl ${spec.entry}`));
  if (!gpu.can.subgroups) {
    used.add("product_broadcast.wgsl product");
    used.add("probe.wgsl subgroups");
  }
  for (const { kernel, entry } of entryPoints()) {
    const point = `${kernel}.wgsl ${entry}`;
    if (!used.has(point)) problems.push(`kernels/${point}: no model of src/check/models.ts uses it`);
  }
  return { kernels: uses.length, problems };
}

export async function compileProblems(gpu: Gpu, specs: readonly KernelSpec[]): Promise<(string | null)[]> {
  const problems: (string | null)[] = [];
  for (const spec of specs) problems.push(await compileProblem(gpu, spec));
  return problems;
}

/** Every kernel of these models in every variant and on every kind of adapter, each once. */
export async function* kernelUses(
  gpu: Gpu,
  models: Readonly<Record<string, Model>> = MODELS,
): AsyncGenerator<KernelUse> {
  const seen = new Set<string>();
  function* unseen(plans: readonly Plan[], user: string): Generator<KernelUse> {
    for (const spec of plans.flatMap(specsOf)) {
      const id = JSON.stringify([spec.kernel, spec.entry, spec.constants, spec.types]);
      if (seen.has(id)) continue;
      seen.add(id);
      yield { spec, user };
    }
  }
  const adapters = Object.entries(ADAPTERS);
  for (const [kind, as] of gpu.kind === "software" ? adapters : adapters.toReversed()) {
    for (const [name, model] of Object.entries(models)) {
      for (const precision of PRECISIONS) {
        const user = `${name}, ${precision}, ${kind}`;
        for await (const plans of plansByVariant(as(gpu), model, precision)) yield* unseen(plans, user);
      }
    }
  }
  yield* unseen([planRoof(gpu).copy, planRoof(gpu).arithmetic], "the roof of benchmarks");
  if (gpu.can.subgroups) yield { spec: PROBE, user: "the probe of subgroups" };
}

/** Kinds of adapter that plans differ for, as views of the one at hand; compiling needs no more of it than subgroups. */
const ADAPTERS: Record<string, (gpu: Gpu) => Gpu> = {
  "software adapter": (gpu) => ({ ...gpu, kind: "software", subgroupSize: gpu.can.subgroups ? LANES : 0 }),
  "hardware adapter": (gpu) => ({ ...gpu, kind: "hardware", can: { ...gpu.can, matrices: false } }),
  "adapter with tensor cores": withMatrices,
};
const PRECISIONS: Precision[] = ["fp32", "fp16", "bf16"];

/** The plans of a model as they usually are, then with the second variant of every choice, then with the third, … */
async function* plansByVariant(
  gpu: Gpu,
  model: Model,
  precision: Precision,
): AsyncGenerator<Plan[]> {
  const usual = await plansOf(gpu, model, precision);
  yield usual;
  if (!model.everyVariant) return;
  const choices = new Map(usual.flatMap((plan) => [...plan.choices]));
  const most = Math.max(0, ...[...choices.values()].map(({ variants }) => variants.length));
  for (let row = 1; row < most; row++) {
    const rows = [...choices].filter(([, { variants }]) => row < variants.length);
    const tuned = new Map(rows.map(([id, { variants }]) => [id, variants[row]]));
    yield await plansOf({ ...gpu, tuned }, model, precision);
  }
}

const specsOf = ({ commands }: Plan): KernelSpec[] =>
  commands.flatMap((command) => command.kind === "dispatch" ? [specOf(command.dispatch)] : []);

/** What keeps a kernel from being compiled, in one line; null if nothing does. */
export async function compileProblem(gpu: Gpu, spec: KernelSpec): Promise<string | null> {
  gpu.device.pushErrorScope("validation");
  let thrown: unknown;
  let locate: ((message: string) => string) | undefined;
  try {
    ({ locate } = gpu.kernels.get(spec));
  } catch (error) {
    thrown = error;
  }
  const error = await gpu.device.popErrorScope();
  if (error) return gpuError(gpu.backend, error, `kernels/${spec.kernel}.wgsl ${spec.entry}`, locate).message;
  return thrown === undefined ? null : (thrown as Error).message;
}
