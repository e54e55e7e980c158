/**
 * Making a call of a planned session again by other variants, on stand-ins for its tensors: what they compute is compared
 * with the table's last variant, which suits every shape and is what the tests of the operation compare with float64.
 */
import type { Gpu } from "../gpu/device.ts";
import type { DType } from "../gpu/dtype.ts";
import { allocateMemory, compileProgram, planMemory, specOf } from "../gpu/program.ts";
import { allocateBuffers, elements, readTensor, type Tensor, writeTensor } from "../gpu/tensor.ts";
import { type BatchSizes, type Choice, createPlan, type Plan, type Precision } from "../nn/plan.ts";
import type { VariantTimes } from "./cache.ts";
import { compare } from "./compare.ts";
import { timeProgram } from "./timing.ts";

/** A call that a session makes. Its tensors of indices have memory and hold those of a batch of `sizes`. */
export interface Call {
  choice: Choice;
  precision: Precision;
  sizes: BatchSizes;
}

/** Share of the largest result by which variants may differ, by the narrowest type that takes part. */
const TOLERANCE: Readonly<Record<DType, number>> = { f32: 3e-5, f16: 2e-3, bf16: 2e-2, u32: 0 };

const PATIENCE = { warmUps: 2, runs: 7, enoughMs: 500 };
/** A variant that takes so many times as long as the best so far is not timed again. */
const HOPELESS = 2;

/** Times the call by the variants of these names. `wrong` is told of one that does not compute what it should. */
export async function measure(
  gpu: Gpu,
  { choice, precision, sizes }: Call,
  names: readonly string[],
  { measured, wrong }: { measured(): void; wrong(line: string): void },
): Promise<VariantTimes> {
  const standIns = createStandIns(gpu);
  const times: Record<string, number | null> = {};
  const written = new Set<Tensor>();
  let expected: Map<Tensor, Float32Array> | undefined;

  async function by(name: string, cutoffMs: number | null): Promise<number> {
    const plan = createPlan(gpu, `${choice.operation} ${choice.key} ${name}`, { precision });
    choice.append!(plan, name);
    const { inputs, outputs } = tensorsOf(gpu, plan);
    await standIns.fill([...inputs, ...outputs]);
    for (const tensor of outputs) written.add(tensor);
    const memory = await allocateMemory(gpu, plan.label, planMemory([plan]));
    try {
      const program = await compileProgram(gpu, plan);
      program.run(sizes);
      const results = new Map<Tensor, Float32Array>();
      for (const tensor of written) results.set(tensor, await readTensor(gpu, tensor));
      expected ??= results;
      const problem = difference(results, expected, tolerance([...inputs, ...outputs]));
      if (problem) throw new Error(problem);
      return cutoffMs === null ? 0 : await timeProgram(gpu, program, sizes, { ...PATIENCE, cutoffMs });
    } finally {
      memory.release();
    }
  }

  try {
    const reference = choice.variants.at(-1)!;
    if (names.length > 1) await by(reference, null);
    for (const name of names) {
      const best = Math.min(...Object.values(times).map((ms) => ms ?? Infinity));
      try {
        times[name] = await by(name, HOPELESS * best);
      } catch (error) {
        gpu.check();
        times[name] = null;
        wrong(`${choice.operation} ${choice.key}: ${name} is left out: ${(error as Error).message}`);
      }
      measured();
    }
    return times;
  } finally {
    standIns.release();
  }
}

const tolerance = (tensors: readonly Tensor[]): number =>
  tensors.reduce((most, { dtype }) => Math.max(most, TOLERANCE[dtype]), 0);

/** What is wrong with results, in words; null if nothing is. */
function difference(
  results: ReadonlyMap<Tensor, Float32Array>,
  expected: ReadonlyMap<Tensor, Float32Array>,
  share: number,
): string | null {
  for (const [tensor, right] of expected) {
    const values = results.get(tensor)!;
    const size = right.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const { off, worst } = compare(values, right, { atol: share * size, rtol: share });
    if (off === 0) continue;
    return `${tensor.label}[${worst}] is ${values[worst]}, expected ${
      right[worst]
    } (${off} of ${right.length} are off)`;
  }
  return null;
}

/** The tensors of other plans that a plan reads, and those that it writes. */
function tensorsOf(gpu: Gpu, plan: Plan): { inputs: Set<Tensor>; outputs: Set<Tensor> } {
  const own = new Set(plan.lifetimes().map(({ tensor }) => tensor));
  const [inputs, outputs] = [new Set<Tensor>(), new Set<Tensor>()];
  for (const command of plan.commands) {
    const bindings = command.kind === "dispatch"
      ? Object.entries(command.dispatch.bindings).map(([name, tensor]) => ({
        tensor,
        written: gpu.kernels.get(specOf(command.dispatch)).bindings.get(name)?.access === "read_write",
      }))
      : command.kind === "clear"
      ? [{ tensor: command.tensor, written: true }]
      : [{ tensor: command.from, written: false }, { tensor: command.to, written: true }];
    for (const { tensor, written } of bindings) {
      if (!own.has(tensor.base ?? tensor)) (written ? outputs : inputs).add(tensor);
    }
  }
  return { inputs, outputs };
}

/** Memory for tensors that have none, and numbers in all so far that hold numbers; the same in each call of `fill`. */
function createStandIns(gpu: Gpu): { fill(tensors: readonly Tensor[]): Promise<void>; release(): void } {
  const lent: { tensor: Tensor; buffer: GPUBuffer }[] = [];
  const seeds = new Map<GPUBuffer, number>();
  const known = new Set<Tensor>();
  return {
    async fill(tensors) {
      for (const tensor of tensors) known.add(tensor.base ?? tensor);
      for (const whole of known) {
        if (whole.buffer === null) {
          const [buffer] = await allocateBuffers(gpu, whole.label, [Math.ceil(whole.bytes / 16) * 16]);
          whole.buffer = buffer;
          lent.push({ tensor: whole, buffer });
        }
        const { buffer, dtype, offset, bytes, shape } = whole;
        if (dtype === "u32") continue;
        if (!seeds.has(buffer!)) seeds.set(buffer!, seeds.size);
        const count = elements(shape);
        writeTensor(gpu, whole, numbers(count, seeds.get(buffer!)! * 7919 + Math.floor(offset * count / bytes)));
      }
    },
    release() {
      for (const { tensor, buffer } of lent) {
        tensor.buffer = null;
        buffer.destroy();
      }
    },
  };
}

/** From 0.25 to 1 of either sign: nothing is small, so that nothing that is left out goes unnoticed. */
let pattern: Float32Array | undefined;
const PATTERN_LENGTH = (1 << 20) - 3;

function numbers(count: number, from: number): Float32Array<ArrayBuffer> {
  pattern ??= Float32Array.from({ length: PATTERN_LENGTH }, (_, i) => {
    const random = Math.imul(i + 1, 2654435761) >>> 0;
    return (random & 1 ? 1 : -1) * (0.25 + 0.75 * random / 2 ** 32);
  });
  const values = new Float32Array(count);
  for (let at = 0; at < count;) {
    const begin = (from + at) % PATTERN_LENGTH;
    const piece = pattern.subarray(begin, begin + Math.min(count - at, PATTERN_LENGTH - begin));
    values.set(piece, at);
    at += piece.length;
  }
  return values;
}
