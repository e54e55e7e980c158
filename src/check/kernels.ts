/** Compiles every kernel as real models would use it, in every variant, on software and on hardware adapters, and runs none. */
import { type Gpu, gpuError } from "../gpu/device.ts";
import { entryPoints, type KernelSpec } from "../gpu/kernel.ts";
import { specOf } from "../gpu/program.ts";
import type { Plan, Precision } from "../nn/plan.ts";
import { planRoof } from "../tuning/roof.ts";
import { type Model, MODELS, plansOf } from "./models.ts";

/** What a dispatch needs compiled, and who needs it. */
export interface KernelUse {
  spec: KernelSpec;
  user: string;
}

/** One line for each kernel that does not compile, and for each entry point below kernels/ that no model uses. */
export async function kernelProblems(gpu: Gpu, models: typeof MODELS = MODELS): Promise<string[]> {
  const problems: string[] = [];
  const used = new Set<string>();
  for await (const { spec, user } of kernelUses(gpu, models)) {
    used.add(`${spec.kernel}.wgsl ${spec.entry}`);
    const problem = await compileProblem(gpu, spec);
    if (problem) problems.push(`${problem} (${user})`);
  }
  if (!gpu.can.subgroups) used.add("product_broadcast.wgsl product");
  const unused = entryPoints().map(({ kernel, entry }) => `${kernel}.wgsl ${entry}`).filter((point) =>
    !used.has(point)
  );
  return [...problems, ...unused.map((point) => `kernels/${point}: no model of src/check/models.ts uses it`)];
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
  for (const kind of gpu.kind === "software" ? KINDS : KINDS.toReversed()) {
    for (const [name, model] of Object.entries(models)) {
      for (const precision of PRECISIONS) {
        const user = `${name}, ${precision}, ${kind} adapter`;
        for await (const plans of plansByVariant(gpu, model, { kind, precision })) yield* unseen(plans, user);
      }
    }
  }
  yield* unseen([planRoof(gpu).copy, planRoof(gpu).arithmetic], "the roof of benchmarks");
}

const KINDS: Gpu["kind"][] = ["software", "hardware"];
const PRECISIONS: Precision[] = ["fp32", "fp16", "bf16"];

/** The plans of a model as they usually are, then with the second variant of every choice, then with the third, … */
async function* plansByVariant(
  gpu: Gpu,
  model: Model,
  on: { kind: Gpu["kind"]; precision: Precision },
): AsyncGenerator<Plan[]> {
  const usual = await plansOf(gpu, model, on);
  yield usual;
  if (!model.everyVariant) return;
  const choices = new Map(usual.flatMap((plan) => [...plan.choices]));
  const most = Math.max(0, ...[...choices.values()].map(({ variants }) => variants.length));
  for (let row = 1; row < most; row++) {
    const rows = [...choices].filter(([, { variants }]) => row < variants.length);
    yield await plansOf(gpu, model, { ...on, tuned: new Map(rows.map(([id, { variants }]) => [id, variants[row]])) });
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
