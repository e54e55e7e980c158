/** Work that nothing but a device's arithmetic limits. */
import type { Gpu } from "../gpu/device.ts";
import { linearGrid } from "../gpu/program.ts";
import { createPlan, type Plan } from "../nn/plan.ts";

/** Constants of kernels/roof.wgsl. */
export const ARITHMETIC = { CHAINS: 8, STEPS: 8, ROUNDS: 64 };

/** Multiply-adds that stay in registers, by so many workgroups, and their floating-point operations. */
export function planArithmetic(gpu: Gpu, workgroups: number): { plan: Plan; flops: number } {
  const plan = createPlan(gpu, "arithmetic");
  const invocations = 64 * workgroups;
  plan.dispatch({
    kernel: "roof",
    entry: "arithmetic",
    constants: { QUADS: 0, ...ARITHMETIC },
    bindings: { y: plan.transient("sums", [4 * invocations]) },
    grid: () => linearGrid(workgroups),
  });
  const { CHAINS, STEPS, ROUNDS } = ARITHMETIC;
  return { plan, flops: 2 * 4 * CHAINS * STEPS * ROUNDS * invocations };
}
