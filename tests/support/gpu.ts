/** Running layers on the machine's adapter: one device for all tests of a process, memory with canaries. */
import assert, { AssertionError } from "node:assert/strict";
import { composeConfig } from "../../src/config/config.ts";
import { type Gpu, openGpu } from "../../src/gpu/device.ts";
import type { DType } from "../../src/gpu/dtype.ts";
import { withMatrices } from "../../src/gpu/emulation.ts";
import { kernelCache, type SourceEdit, specialise } from "../../src/gpu/kernel.ts";
import { allocateMemory, compileProgram, planMemory, type Program } from "../../src/gpu/program.ts";
import {
  createTensor,
  createUniform,
  elements,
  readTensor,
  type Tensor,
  windowOf,
  writeTensor,
} from "../../src/gpu/tensor.ts";
import { type BatchSizes, fixedRows, type Rows } from "../../src/nn/plan.ts";

let shared: Promise<Gpu> | undefined;

/** Whose WebGPU the tests use, and the commands that they run: ENTAIL_BACKEND=dawn ./entail test */
export const testBackend = composeConfig([]).gpu.backend;

/** A device of the test's own. Fails, never skips, where there is no adapter. */
export const openTestGpu = (): Promise<Gpu> => openGpu({ backend: testBackend });

/** The shared device. */
export const testGpu = (): Promise<Gpu> => shared ??= openTestGpu();

type GpuTest = (gpu: Gpu) => Promise<void>;

/** A test with the shared device, returned as well; it outlives the test, so Deno's leak checks are off. */
export function gpuTest(name: string, fn: GpuTest): GpuTest {
  Deno.test({ name, sanitizeOps: false, sanitizeResources: false, fn: async () => await fn(await testGpu()) });
  return fn;
}

/**
 * A test on tensor cores, emulated in this shape on adapters without. `./entail test --matrices` runs all that are made by
 * this, and only those, on real ones.
 */
export const matrixTest = (name: string, fn: GpuTest, size?: Parameters<typeof withMatrices>[1]): GpuTest =>
  gpuTest(`${name}, on matrices`, (gpu) => fn(withMatrices(gpu, size)));

/**
 * `gpu` with kernels of its own, in whose file below `kernels/` every `from` reads `to`. Everywhere it gets the kernels of
 * a software adapter, unless a test asks for others.
 */
export function brokenGpu(gpu: Gpu, file: string, from: string, to: string): Gpu {
  let used = false;
  const edit: SourceEdit = (path, text) => {
    if (path !== file) return text;
    if (!text.includes(from)) throw new Error(`kernels/${file} has no "${from}" to break`);
    used = true;
    return text.replaceAll(from, () => to);
  };
  const broken = kernelCache(gpu, edit);
  return {
    ...gpu,
    kind: "software",
    kernels: {
      get(spec) {
        used = false;
        specialise(spec, { backend: gpu.backend, edit });
        // Kernels without that file are what they were: the shared ones, compiled once.
        return (used ? broken : gpu.kernels).get(spec);
      },
      get size() {
        return broken.size;
      },
    },
  };
}

/** A comparison that cannot fail proves nothing: `test` must find that the kernels of `file` compute something else. */
export function negativeControl(file: string, from: string, to: string, test: GpuTest): void {
  gpuTest(`negative control: ${file} with "${to}" for "${from}" is noticed`, async (gpu) => {
    await assert.rejects(test(brokenGpu(gpu, file, from, to)), AssertionError);
  });
}

/** Words behind every uploaded tensor and output that no kernel may touch. */
const CANARY_WORDS = 64;
export const CANARY = -12352; // the same in every type
const guarded = new Map<Tensor, Tensor>();

/** A persistent tensor with canaries behind it, holding `data` or, for outputs, the canary value everywhere. */
export async function upload(
  gpu: Gpu,
  label: string,
  shape: number[],
  data?: Float32Array | Uint32Array | Int32Array,
  dtype: DType = "f32",
): Promise<Tensor> {
  const size = elements(shape);
  const whole = await createTensor(gpu, label, [size + CANARY_WORDS], dtype);
  writeTensor(gpu, whole, new Float32Array(size + CANARY_WORDS).fill(CANARY));
  if (data) writeTensor(gpu, whole, data);
  const tensor = windowOf(whole, label, 0, shape);
  guarded.set(tensor, whole);
  return tensor;
}

/** The tensor's content, after checking that the words behind it are untouched. */
export async function download(gpu: Gpu, tensor: Tensor): Promise<Float32Array<ArrayBuffer>> {
  const whole = guarded.get(tensor);
  if (!whole) return await readTensor(gpu, tensor);
  const words = await readTensor(gpu, whole);
  const size = elements(tensor.shape);
  const broken = words.subarray(size).findIndex((word) => word !== CANARY);
  if (broken >= 0) throw new Error(`${tensor.label}: word ${size + broken} behind the tensor was overwritten`);
  return words.slice(0, size);
}

/** A uniform holding the given words; floats go through `floatBits`. */
export function uniform(gpu: Gpu, label: string, words: number[]): Tensor {
  const tensor = createUniform(gpu, label, words.length);
  writeTensor(gpu, tensor, Uint32Array.from(words));
  return tensor;
}

/** The bits of a float32 as an unsigned integer. */
export const floatBits = (value: number): number => new Uint32Array(new Float32Array([value]).buffer)[0];

/** A dropout uniform as kernels/lib/dropout.wgsl reads it. */
export function dropoutUniform(gpu: Gpu, rate: number, key: [number, number] = [1, 2], step = 0): Tensor {
  return uniform(gpu, "dropout", [...key, step, Math.round(rate * 2 ** 32), floatBits(1 / (1 - rate)), 0, 0, 0]);
}

export const testRows = (gpu: Gpu, count: number): Rows => fixedRows(gpu, "rows", count);

/** Plans, allocates, runs a program once and frees its transient memory when the queue is done. */
export async function runPlan(gpu: Gpu, program: Program<BatchSizes>, sizes: Partial<BatchSizes> = {}): Promise<void> {
  const memory = await allocateMemory(gpu, program.label, planMemory([program]));
  const executable = await compileProgram(gpu, program);
  executable.run({ tokens: 0, sequences: 0, longest: 0, uniqueIds: 0, ...sizes });
  await gpu.device.queue.onSubmittedWorkDone();
  memory.release();
  gpu.check();
}
