/** What layers append to: a program for packed batches, how it stores activations, and which variants it has chosen. */
import type { Gpu } from "../gpu/device.ts";
import type { DType } from "../gpu/dtype.ts";
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

/** How activations, their gradients and the weights of products are stored. All arithmetic is in f32. */
export type Precision = "fp32" | "fp16" | "bf16";

const STORAGE: Readonly<Record<Precision, DType>> = { fp32: "f32", fp16: "f16", bf16: "bf16" };

/** Only whole quads may be half: no two rows of a tensor share a word. `unit`: elements of what is read together. */
export const storageOf = (precision: Precision, unit: number): DType => unit % 4 === 0 ? STORAGE[precision] : "f32";

/** A decision of `choose` (variants.ts), for `info`, the tuner and the record of a run. */
export interface Choice {
  readonly operation: string;
  readonly key: string;
  readonly variant: string;
  readonly why: "asked for" | "measured" | "usual for this adapter";
  /** The variants that are worth trying here, the best guess first; the last one suits every shape. */
  readonly variants: readonly string[];
  /** How often the plan calls it. */
  readonly calls: number;
  /** Appends the first of these calls to another plan, by the variant of this name; absent where it cannot be tuned. */
  readonly append?: (plan: Plan, variant: string) => void;
}

export interface Plan extends Program<BatchSizes> {
  readonly gpu: Gpu;
  readonly precision: Precision;
  /** Variants by operation that are taken wherever they suit: what tests and benches ask for. */
  readonly prefer: Readonly<Record<string, string>>;
  /** What `choose` has decided so far, by operation and key. */
  readonly choices: Map<string, Choice>;
  /**
   * A transient tensor as `precision` stores it. `unit`: the length of the rows that kernels read it by, where that is
   * not the last of `shape`.
   */
  activation(label: string, shape: readonly number[], unit?: number): Tensor;
}

export interface PlanOptions {
  precision?: Precision;
  prefer?: Readonly<Record<string, string>>;
}

/** An empty plan. */
export function createPlan(
  gpu: Gpu,
  label: string,
  { precision = "fp32", prefer = {} }: PlanOptions = {},
): Plan {
  const program = createProgram<BatchSizes>(label);
  return {
    ...program,
    gpu,
    precision,
    prefer,
    choices: new Map(),
    activation: (name, shape, unit = shape.at(-1)!) => program.transient(name, shape, storageOf(precision, unit)),
  };
}

/** A row count that never changes, e.g. the rows of a relative position table. */
export function fixedRows(gpu: Gpu, label: string, count: number): Rows {
  const uniform = createUniform(gpu, label, 1);
  gpu.device.queue.writeBuffer(uniform.buffer!, 0, new Uint32Array([count, 0, 0, 0]));
  return { uniform, capacity: count, count: () => count };
}
