/** What an adapter can do at most, measured: what a kernel's speed is a share of. */
import type { Gpu } from "../gpu/device.ts";
import { allocateMemory, compileProgram, createProgram, linearGrid, planMemory } from "../gpu/program.ts";
import { type BatchSizes, createPlan, type Plan } from "../nn/plan.ts";
import { ARITHMETIC, planArithmetic } from "./arithmetic.ts";
import { hostTime, timeProgram } from "./timing.ts";

export interface Roof {
  /** Billions of f32 operations a second, a multiply-add being two. */
  gflops: number;
  /** Billions of bytes a second, read and written. */
  gbps: number;
}

/** More than caches hold, where one binding can see it. */
const MOST_COPIED_BYTES = 128 << 20;
const WORKGROUPS = { software: 64, hardware: 8192 };
const NO_SIZES = { tokens: 0, sequences: 0, longest: 0, uniqueIds: 0 };

/** The two programs, with what a run of them does. */
export function planRoof(gpu: Gpu): { copy: Plan; bytes: number; arithmetic: Plan; flops: number } {
  const bytes = Math.min(MOST_COPIED_BYTES, gpu.maxBindingBytes);
  const quads = Math.floor(bytes / 16);
  const copy = createPlan(gpu, "copy");
  const [x, y] = [copy.transient("x", [4 * quads]), copy.transient("y", [4 * quads])];
  const grid = () => linearGrid(Math.ceil(quads / 64));
  copy.dispatch({
    kernel: "roof",
    entry: "copy",
    constants: { QUADS: quads, ...ARITHMETIC },
    bindings: { x, y },
    grid,
  });
  const { plan: arithmetic, flops } = planArithmetic(gpu, WORKGROUPS[gpu.kind]);
  return { copy, bytes: 2 * 16 * quads, arithmetic, flops };
}

/** Bytes are moved by a kernel or by the device itself: a software adapter is faster at the latter. */
export async function measureRoof(gpu: Gpu): Promise<Roof> {
  const { copy, bytes, arithmetic, flops } = planRoof(gpu);
  const memory = await allocateMemory(gpu, "roof", planMemory([copy, arithmetic]));
  try {
    const ms = async (plan: Plan) =>
      await timeProgram(gpu, await compileProgram(gpu, plan), NO_SIZES, { warmUps: 3, runs: 15, enoughMs: 1000 });
    const [x, y] = copy.lifetimes().map(({ tensor }) => tensor);
    const copies = createProgram<BatchSizes>("copies");
    copies.copy(x, y);
    const copyAtOnce = await compileProgram(gpu, copies);
    const copyMs = Math.min(await ms(copy), await hostTime(gpu, () => copyAtOnce.run(NO_SIZES)));
    return { gflops: flops / await ms(arithmetic) / 1e6, gbps: bytes / copyMs / 1e6 };
  } finally {
    memory.release();
  }
}

/** How near a kernel comes to what its floating-point operations, or its bytes, take at least. */
export const shareOfRoof = (roof: Roof, { gflops, gbps }: Roof): number =>
  Math.max(gflops / roof.gflops, gbps / roof.gbps);
