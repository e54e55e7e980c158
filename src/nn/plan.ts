/** What layers append to: a program for packed batches, and the kernel variants that suit the adapter. */
import type { Gpu } from "../gpu/device.ts";
import { createProgram, type Program } from "../gpu/program.ts";
import { createUniform, type Tensor } from "../gpu/tensor.ts";

/** Sizes of one packed batch: the tokens of its sequences one after another, no padding. */
export interface BatchSizes {
  readonly tokens: number;
  readonly sequences: number;
  /** Tokens of the longest sequence. */
  readonly longest: number;
  /** Distinct token ids. */
  readonly uniqueIds: number;
}

/** The number of rows of a matrix: fixed, or that of the batch at hand. */
export interface Rows {
  /** What shaders read as `var<uniform> rows: u32`. */
  readonly uniform: Tensor;
  readonly capacity: number;
  count(sizes: BatchSizes): number;
}

/**
 * Which implementations of the kernels suit an adapter. Among those of one name the layers choose by size:
 * matmul_windows.ts, attention_uniform.ts and rows.ts say when.
 */
export interface Variants {
  /** `register`: blocks of outputs in registers, no workgroup memory. `tiled`: tiles staged in workgroup memory. */
  readonly matmul: "register" | "tiled";
  /** `invocation`: one invocation walks a row. `workgroup`: a workgroup shares it. */
  readonly row: "invocation" | "workgroup";
  /** `invocation`: one invocation per head and row. `tiled`: a workgroup per head and tile of rows. */
  readonly attention: "invocation" | "tiled";
  /** Rows of an invocation of a product whose left operand is read from storage, where the right one is in windows. */
  readonly windowRows: 4 | 8;
}

export function variantsFor({ kind, name }: Gpu): Variants {
  if (kind === "hardware") return { matmul: "tiled", row: "workgroup", attention: "tiled", windowRows: 4 };
  // Newer versions of lavapipe read storage faster, so that registers are worth more than fewer reads.
  const [, llvm] = /LLVM (\d+)/.exec(name) ?? [];
  return { matmul: "register", row: "invocation", attention: "invocation", windowRows: Number(llvm) < 18 ? 8 : 4 };
}

export interface Plan extends Program<BatchSizes> {
  readonly gpu: Gpu;
  readonly variants: Variants;
}

/** An empty plan; `variants` overrides what suits the adapter. */
export function createPlan(gpu: Gpu, label: string, variants: Partial<Variants> = {}): Plan {
  return { ...createProgram<BatchSizes>(label), gpu, variants: { ...variantsFor(gpu), ...variants } };
}

/** A row count that never changes, e.g. the rows of a relative position table. */
export function fixedRows(gpu: Gpu, label: string, count: number): Rows {
  const uniform = createUniform(gpu, label, 1);
  gpu.device.queue.writeBuffer(uniform.buffer!, 0, new Uint32Array([count, 0, 0, 0]));
  return { uniform, capacity: count, count: () => count };
}
