/** What a benchmark of a kernel is made of, and the memory that it works on. */
import type { Gpu } from "../gpu/device.ts";
import { type DType, isHalf, narrow, widen } from "../gpu/dtype.ts";
import { createTensor, createUniform, elements, type Tensor, writeTensor } from "../gpu/tensor.ts";
import {
  type BatchSizes,
  createPlan,
  fixedRows,
  type Plan,
  type PlanOptions,
  type Rows,
  storageOf,
} from "../nn/plan.ts";

/** `m` is the number of rows (tokens), `n` output features or columns, `k` input features; attention: see there. */
export interface Shape {
  m: number;
  n: number;
  k: number;
}

/** What a kernel writes, and what float64 says of each element. */
export interface Output {
  tensor: Tensor;
  expected(at: number): number;
  /** The elements that `expected` knows; default: all. */
  elements?: Uint32Array;
}

/** A planned call: what it costs at least, and what can be compared. */
export interface Job {
  /** Floating-point operations of one call. */
  flops: number;
  /** Bytes moved at least once: see `bytesOf`. */
  bytes: number;
  sizes?: BatchSizes;
  outputs: readonly Output[];
}

export interface KernelBench {
  /** What is timed where no shape is asked for. */
  shapes: readonly Shape[];
  /** The operation whose variants are timed; a kernel without one has a single variant. */
  operation?: string;
  /** Shapes that it can be measured at; default: all. */
  takes?(shape: Shape): boolean;
  /** Appends the call under test to the workbench's plan. */
  build(bench: Workbench, shape: Shape): Promise<Job>;
}

export interface Input {
  tensor: Tensor;
  /** As the tensor holds them. */
  values: Float32Array<ArrayBuffer>;
}

export interface Workbench {
  readonly gpu: Gpu;
  /** What is compared and timed. */
  readonly plan: Plan;
  /** What runs once before that, and makes its inputs. */
  readonly before: Plan;
  /** Numbers from `low` to `high`, in f32. */
  random(label: string, shape: readonly number[], low?: number, high?: number): Promise<Input>;
  /** The same, stored as the plan's precision stores activations. */
  activation(label: string, shape: readonly number[], low?: number, high?: number): Promise<Input>;
  words(label: string, data: Uint32Array): Promise<Tensor>;
  /** Zeros. */
  output(label: string, shape: readonly number[], dtype?: DType): Promise<Tensor>;
  /** The type of an activation whose rows have so many columns. */
  storage(columns: number): DType;
  rows(count: number): Rows;
  /** A uniform of kernels/lib/dropout.wgsl. */
  dropout(settings: { rate: number; key: readonly [number, number]; step: number }): Tensor;
  release(): void;
}

export function createWorkbench(gpu: Gpu, name: string, options: PlanOptions): Workbench {
  const owned: Tensor[] = [];
  const plan = createPlan(gpu, name, options);
  const storage = (columns: number) => storageOf(plan.precision, columns);
  async function output(label: string, shape: readonly number[], dtype: DType = "f32"): Promise<Tensor> {
    const tensor = await createTensor(gpu, label, shape, dtype);
    owned.push(tensor);
    return tensor;
  }
  async function numbers(
    label: string,
    shape: readonly number[],
    dtype: DType,
    low = -0.5,
    high = 0.5,
  ): Promise<Input> {
    const tensor = await output(label, shape, dtype);
    const seed = owned.length * 40503;
    const exact = new Float32Array(elements(shape));
    for (let i = 0; i < exact.length; i++) {
      exact[i] = low + (high - low) * ((Math.imul(i + seed, 2654435761) >>> 0) / 2 ** 32);
    }
    writeTensor(gpu, tensor, exact);
    return { tensor, values: isHalf(dtype) ? widen(narrow(exact, dtype), dtype).subarray(0, exact.length) : exact };
  }
  function uniform(label: string, words: Uint32Array): Tensor {
    const tensor = createUniform(gpu, label, words.length);
    owned.push(tensor);
    writeTensor(gpu, tensor, words);
    return tensor;
  }
  const before = createPlan(gpu, `before ${name}`, options);
  return {
    gpu,
    plan,
    // What it leaves is read by the other plan: nothing of it gives its memory away.
    before: {
      ...before,
      transient: before.result,
      activation: (label, shape, unit = shape.at(-1)!) => before.result(label, shape, storage(unit)),
    },
    random: (label, shape, low, high) => numbers(label, shape, "f32", low, high),
    activation: (label, shape, low, high) => numbers(label, shape, storage(shape.at(-1)!), low, high),
    async words(label, data) {
      const tensor = await output(label, [data.length], "u32");
      writeTensor(gpu, tensor, data);
      return tensor;
    },
    output,
    storage,
    rows: (count) => fixedRows(gpu, "rows", count),
    dropout({ rate, key, step }) {
      const words = Uint32Array.of(...key, step, Math.round(rate * 2 ** 32), 0, 0, 0, 0);
      new Float32Array(words.buffer)[4] = 1 / (1 - rate);
      return uniform("dropout", words);
    },
    release: () => owned.forEach(({ buffer }) => buffer?.destroy()),
  };
}

/** The layers of the demo's model and of DeBERTa-v3-base. */
export const LAYERS: readonly Shape[] = [
  { m: 2048, n: 64, k: 64 },
  { m: 2048, n: 128, k: 64 },
  { m: 1024, n: 768, k: 768 },
  { m: 512, n: 3072, k: 768 },
];

/** Of tensors, each as often as it is read or written. */
export const bytesOf = (...tensors: readonly Tensor[]): number => tensors.reduce((sum, { bytes }) => sum + bytes, 0);

/** Σ over `count` of term(i). */
export function sum(count: number, term: (i: number) => number): number {
  let total = 0;
  for (let i = 0; i < count; i++) total += term(i);
  return total;
}

/** An output of which the reference computes everything at once, when it is first asked. */
export function whole(tensor: Tensor, reference: () => ArrayLike<number>): Output {
  let values: ArrayLike<number> | undefined;
  return { tensor, expected: (at) => (values ??= reference())[at] };
}

/** Calls `compute` when its result is first asked for. */
export function once<T>(compute: () => T): () => T {
  let known: { value: T } | undefined;
  return () => (known ??= { value: compute() }).value;
}
