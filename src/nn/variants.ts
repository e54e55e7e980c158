/**
 * Choosing between implementations of an operation. An operation is a table of variants, each a row of data and a kernel
 * file; the one function here decides by shape and adapter: what a test or a bench asks for, what was measured on this
 * adapter (gpu.tune), or else the first row of the table that is meant for adapters of this class.
 */
import type { Gpu } from "../gpu/device.ts";
import type { Plan } from "./plan.ts";

export interface Variant<Shape> {
  /** What the tuning cache, `info` and `bench kernels` call it; unique within its operation. */
  readonly name: string;
  /** Classes of adapters it is meant for. On others it is correct, and may be asked for by name. */
  readonly adapters: readonly Gpu["kind"][];
  /** Whether it can compute this shape on this adapter. */
  suits(gpu: Gpu, shape: Shape): boolean;
  /** Whether it is a good guess for this shape on this very adapter; without it, it is. Others come last. */
  usual?(gpu: Gpu, shape: Shape): boolean;
}

export interface Operation<Shape, V extends Variant<Shape>> {
  readonly name: string;
  /** The best guess first. The last row for each class of adapters suits every shape. */
  readonly variants: readonly V[];
  /** What two shapes with the same best variant have in common, e.g. "1024x768x768 nt f32". */
  key(shape: Shape): string;
}

/** Decides, and notes the decision in `plan.choices`. Throws an `Error` where none suits: a hole in the table. */
export function choose<Shape, V extends Variant<Shape>>(plan: Plan, operation: Operation<Shape, V>, shape: Shape): V {
  const { gpu, choices } = plan;
  const { name, variants } = operation;
  const key = operation.key(shape);
  const id = `${name} ${key}`;
  const named = (asked: string | undefined) =>
    variants.find((variant) => variant.name === asked && variant.suits(gpu, shape));
  const worthTrying = variantsFor(gpu, operation, shape);
  const asked = named(plan.prefer[name]);
  const measured = named(gpu.tuned.get(id));
  const variant = asked ?? measured ?? worthTrying[0];
  if (!variant) throw new Error(`${name}: no variant suits ${key} on a ${gpu.kind} adapter`);
  choices.set(id, {
    operation: name,
    key,
    variant: variant.name,
    why: asked ? "asked for" : measured ? "measured" : "usual for this adapter",
    variants: worthTrying.map((candidate) => candidate.name),
    calls: (choices.get(id)?.calls ?? 0) + 1,
    append: choices.get(id)?.append,
  });
  return variant;
}

/** The variants that are worth trying, the best guess first. */
export function variantsFor<Shape, V extends Variant<Shape>>(
  gpu: Gpu,
  { variants }: Operation<Shape, V>,
  shape: Shape,
): V[] {
  const suitable = variants.filter((variant) => variant.adapters.includes(gpu.kind) && variant.suits(gpu, shape));
  const isUsual = ({ usual }: V) => usual?.(gpu, shape) ?? true;
  return [...suitable.filter(isUsual), ...suitable.filter((variant) => !isUsual(variant))];
}

/**
 * Appends a call by the variant that is chosen for it. The plan keeps `append`, by which the tuner makes the same call by
 * other variants: it appends to the plan that it is given.
 */
export function appendChosen<Shape, V extends Variant<Shape>>(
  plan: Plan,
  operation: Operation<Shape, V>,
  shape: Shape,
  append: (plan: Plan, variant: V) => void,
): void {
  const chosen = choose(plan, operation, shape);
  const id = `${operation.name} ${operation.key(shape)}`;
  const by = (name: string) => operation.variants.find((variant) => variant.name === name)!;
  const choice = plan.choices.get(id)!;
  plan.choices.set(id, { ...choice, append: choice.append ?? ((other, name) => append(other, by(name))) });
  append(plan, chosen);
}
