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
  const { gpu } = plan;
  const key = operation.key(shape);
  const named = (name: string | undefined) =>
    operation.variants.find((variant) => variant.name === name && variant.suits(gpu, shape));
  const asked = named(plan.prefer[operation.name]);
  const measured = named(gpu.tuned.get(`${operation.name} ${key}`));
  const usual = () => variantsFor(gpu, operation, shape)[0];
  const variant = asked ?? measured ?? usual();
  if (!variant) throw new Error(`${operation.name}: no variant suits ${key} on a ${gpu.kind} adapter`);
  const why = asked ? "asked for" : measured ? "measured" : "usual for this adapter";
  plan.choices.set(`${operation.name} ${key}`, { operation: operation.name, key, variant: variant.name, why });
  return variant;
}

/** The variants that are worth trying, the best guess first. */
export const variantsFor = <Shape, V extends Variant<Shape>>(
  gpu: Gpu,
  { variants }: Operation<Shape, V>,
  shape: Shape,
): V[] => {
  const suitable = variants.filter((variant) => variant.adapters.includes(gpu.kind) && variant.suits(gpu, shape));
  const isUsual = ({ usual }: V) => usual?.(gpu, shape) ?? true;
  return [...suitable.filter(isUsual), ...suitable.filter((variant) => !isUsual(variant))];
};
