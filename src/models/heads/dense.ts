/** A dense layer with its activation as a stage of a head. */
import type { Tensor } from "../../gpu/tensor.ts";
import { geluBackward } from "../../nn/gelu.ts";
import type { Plan, Rows } from "../../nn/plan.ts";
import { tanhBackward } from "../../nn/tanh.ts";
import { linear, linearBackward, type Scope } from "../scope.ts";
import type { Stage } from "./head.ts";

export type HeadActivation = "gelu" | "tanh";

interface Kept {
  preActivation: Tensor;
  y: Tensor;
}

/** The gradient of the pre-activation from that of y. */
const ACTIVATION_BACKWARD: Record<
  HeadActivation,
  (plan: Plan, kept: Kept & { dy: Tensor; dx: Tensor }, sizes: { rows: Rows; columns: number }) => void
> = {
  gelu: geluBackward,
  tanh: tanhBackward,
};

/** y [sequences, outFeatures] = act(x·Wᵀ + b) with the parameters `<name>.weight` and `<name>.bias`. */
export function dense(
  scope: Scope,
  name: string,
  x: Tensor,
  { outFeatures, activation }: { outFeatures: number; activation: HeadActivation },
): Stage {
  const { plan, batch: { sequences: rows }, dropout } = scope;
  const sizes = { rows, inFeatures: x.shape[1], outFeatures };
  const shape = [rows.capacity, outFeatures];
  const preActivation = plan.transient(`${name} pre-activation`, shape);
  const y = plan.transient(`${name} features`, shape);
  linear(scope, name, x, { ...sizes, activation, preActivation: dropout ? preActivation : undefined, y });
  return {
    y,
    backward(scope, dy) {
      const dPreActivation = scope.plan.transient(`d ${name} pre-activation`, shape);
      const kept = { preActivation, y, dy, dx: dPreActivation };
      ACTIVATION_BACKWARD[activation](scope.plan, kept, { rows, columns: outFeatures });
      const dx = scope.plan.transient(`d ${name} input`, [rows.capacity, x.shape[1]]);
      linearBackward(scope, name, { x, dy: dPreActivation, dx }, sizes);
      return dx;
    },
  };
}
