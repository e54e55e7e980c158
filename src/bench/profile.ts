/** Where the time of a step goes, dispatch by dispatch, and how near each kernel comes to the adapter's roof. */
import type { Gpu } from "../gpu/device.ts";
import type { Dispatch, Executable } from "../gpu/program.ts";
import { elements } from "../gpu/tensor.ts";
import type { BatchSizes } from "../nn/plan.ts";
import type { Roof } from "../tuning/roof.ts";
import { workOf } from "./work.ts";

/** A dispatch of a step, with its time by the device's own clock; null where that cannot be asked. */
export interface TimedDispatch {
  dispatch: Dispatch<BatchSizes>;
  ms: number | null;
}

/** Everything that one kernel does in a step for operands of one shape. */
export interface Part {
  kernel: string;
  /** Of a product, e.g. "12288x768x3072 nt f16"; "" of others. */
  shape: string;
  calls: number;
  /** GPU time in milliseconds; null without timestamp queries. */
  ms: number | null;
  /** See `Work`. */
  bytes: number;
  flops: number;
  /** The least time that an adapter with this roof takes for them, and which of the two takes it. */
  roof_ms: number;
  bound: "bytes" | "operations";
  /** roof_ms / ms: above 1 where caches or tensor cores do more than the roof knows. */
  share: number | null;
}

/** Runs every program once with timestamps around its dispatches, where the device has them. */
export async function timeDispatches(
  { hasTimestamps }: Gpu,
  programs: readonly Executable<BatchSizes>[],
  sizes: BatchSizes,
): Promise<TimedDispatch[]> {
  const timed: TimedDispatch[] = [];
  for (const program of programs) {
    const running = program.dispatches.filter(({ grid }) => grid(sizes).every((count) => count !== 0));
    const times = hasTimestamps ? await program.profile(sizes) : [];
    timed.push(...running.map((dispatch, i) => ({ dispatch, ms: hasTimestamps ? times[i].nanoseconds / 1e6 : null })));
  }
  return timed;
}

/** The times by kernel, the largest first; empty without times. */
export function timesByKernel(timed: readonly TimedDispatch[]): { kernel: string; ms: number }[] {
  const byKernel = new Map<string, number>();
  for (const { dispatch, ms } of timed) {
    if (ms !== null) byKernel.set(kernelOf(dispatch), (byKernel.get(kernelOf(dispatch)) ?? 0) + ms);
  }
  return [...byKernel].map(([kernel, ms]) => ({ kernel, ms })).sort((a, b) => b.ms - a.ms);
}

/** What takes the most time first, or without times what would on the roof. */
export function partsOf(timed: readonly TimedDispatch[], sizes: BatchSizes, roof: Roof): Part[] {
  const parts = new Map<string, Pick<Part, "kernel" | "shape" | "calls" | "ms" | "bytes" | "flops">>();
  for (const { dispatch, ms } of timed) {
    const [kernel, shape] = [kernelOf(dispatch), shapeOf(dispatch)];
    const { bytes, flops } = workOf(dispatch, sizes);
    const before = parts.get(`${kernel} ${shape}`) ?? { calls: 0, ms: ms === null ? null : 0, bytes: 0, flops: 0 };
    parts.set(`${kernel} ${shape}`, {
      kernel,
      shape,
      calls: before.calls + 1,
      ms: ms === null || before.ms === null ? null : before.ms + ms,
      bytes: before.bytes + bytes,
      flops: before.flops + flops,
    });
  }
  return [...parts.values()].map((part) => ({ ...part, ...againstRoof(part, roof) }))
    .sort((a, b) => (b.ms ?? b.roof_ms) - (a.ms ?? a.roof_ms));
}

function againstRoof({ bytes, flops, ms }: Pick<Part, "bytes" | "flops" | "ms">, { gflops, gbps }: Roof) {
  const [moving, computing] = [bytes / gbps / 1e6, flops / gflops / 1e6];
  const roof_ms = Math.max(moving, computing);
  return {
    roof_ms,
    bound: computing > moving ? "operations" as const : "bytes" as const,
    share: ms === null || ms === 0 ? null : roof_ms / ms,
  };
}

const kernelOf = ({ kernel, entry }: Dispatch<BatchSizes>): string => `${kernel}.${entry}`;

function shapeOf({ entry, constants = {}, bindings }: Dispatch<BatchSizes>): string {
  if (entry !== "product") return "";
  const { M, N, K, A_K, B_K, BATCH, A_STRIDE } = constants as Record<string, number>;
  const rows = elements(bindings.a.shape) / A_STRIDE;
  const layout = (A_K ? "n" : "t") + (B_K ? "t" : "n");
  return `${BATCH > 1 ? `${BATCH} of ` : ""}${M || rows}x${N}x${K || rows} ${layout} ${bindings.a.dtype}`;
}
