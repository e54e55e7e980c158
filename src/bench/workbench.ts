/** What a benchmark of a kernel is made of, and the memory that it works on. */
import type { Gpu } from "../gpu/device.ts";
import { createTensor, elements, type Tensor, writeTensor } from "../gpu/tensor.ts";
import { type BatchSizes, createPlan, type Plan } from "../nn/plan.ts";

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
  /** Bytes moved at least once. */
  bytes: number;
  sizes?: BatchSizes;
  outputs: readonly Output[];
}

export interface KernelBench {
  /** What is timed where no shape is asked for. */
  shapes: readonly Shape[];
  /** Which of its implementations the plan has taken. */
  variant(plan: Plan): string;
  /** Appends the call under test to the workbench's plan. */
  build(bench: Workbench, shape: Shape): Promise<Job>;
}

export interface Input {
  tensor: Tensor;
  values: Float32Array<ArrayBuffer>;
}

export interface Workbench {
  readonly gpu: Gpu;
  /** What is compared and timed. */
  readonly plan: Plan;
  /** What runs once before that, and makes its inputs. */
  readonly before: Plan;
  /** Numbers from `low` to `high`. */
  random(label: string, shape: readonly number[], low?: number, high?: number): Promise<Input>;
  words(label: string, data: Uint32Array): Promise<Tensor>;
  /** Zeros. */
  output(label: string, shape: readonly number[]): Promise<Tensor>;
  release(): void;
}

export function createWorkbench(gpu: Gpu, name: string): Workbench {
  const owned: Tensor[] = [];
  const create = async (label: string, shape: readonly number[]) => {
    const tensor = await createTensor(gpu, label, shape);
    owned.push(tensor);
    return tensor;
  };
  return {
    gpu,
    plan: createPlan(gpu, name),
    before: createPlan(gpu, `before ${name}`),
    async random(label, shape, low = -0.5, high = 0.5) {
      const tensor = await create(label, shape);
      const seed = owned.length * 40503;
      const values = Float32Array.from(
        { length: elements(shape) },
        (_, i) => low + (high - low) * ((Math.imul(i + seed, 2654435761) >>> 0) / 2 ** 32),
      );
      writeTensor(gpu, tensor, values);
      return { tensor, values };
    },
    async words(label, data) {
      const tensor = await create(label, [data.length]);
      writeTensor(gpu, tensor, data);
      return tensor;
    },
    output: create,
    release: () => owned.forEach(({ buffer }) => buffer?.destroy()),
  };
}
