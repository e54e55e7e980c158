/** Tensors: a shape, a type of elements, and a window of a device buffer. */
import { EntailError } from "../errors.ts";
import { type Gpu, gpuError } from "./device.ts";
import { type DType, elementBytes, isHalf, narrow, widen } from "./dtype.ts";

/** A window of a buffer. `buffer` is null for a transient tensor until its program's memory has been allocated. */
export interface Tensor {
  readonly label: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly bytes: number;
  buffer: GPUBuffer | null;
  /** In bytes, a multiple of `TENSOR_ALIGNMENT`. */
  offset: number;
  /** For a view of another tensor: the tensor whose lifetime it shares. */
  readonly base?: Tensor;
}

/** Offsets of bound windows: WebGPU's guaranteed minimum. */
export const TENSOR_ALIGNMENT = 256;

/** Uploads and downloads larger than this go in pieces, so that staging memory stays small. */
const TRANSFER_BYTES = 32 << 20;

/** Uploads from this size on are submitted at once. */
const SUBMITTED_BYTES = 1 << 20;

export const elements = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

export const alignBytes = (bytes: number): number => Math.ceil(bytes / TENSOR_ALIGNMENT) * TENSOR_ALIGNMENT;

/** Uniform too: software adapters read small uniform windows an order of magnitude faster than storage. */
const storageUsage = ({ backend: { BufferUsage } }: Gpu) =>
  BufferUsage.STORAGE | BufferUsage.UNIFORM | BufferUsage.COPY_SRC | BufferUsage.COPY_DST;

/** Allocates buffers of the given sizes in bytes, all or none. Throws an `EntailError` of kind "memory". */
export async function allocateBuffers(gpu: Gpu, label: string, sizes: readonly number[]): Promise<GPUBuffer[]> {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const tooLarge = sizes.find((size) => size > gpu.maxBufferBytes);
  const refuse = (why: string) =>
    new EntailError(
      "memory",
      `out of memory on the device: ${label} needs ${mebibytes(total)}: ${why}; lower training.batch_size`,
    );
  if (tooLarge !== undefined) throw refuse(`one buffer of ${mebibytes(tooLarge)} is over the adapter's limit`);
  if (gpu.kind === "software") {
    // Memory of a software adapter is this process's own and is committed lazily: nothing else would stop us in time.
    const available = availableHostBytes();
    if (total > 0.9 * available) throw refuse(`${mebibytes(available)} are free`);
  }
  gpu.device.pushErrorScope("out-of-memory");
  const usage = storageUsage(gpu);
  const buffers = sizes.map((size) => gpu.device.createBuffer({ label, size: Math.max(size, 16), usage }));
  const error = await gpu.device.popErrorScope();
  if (error) {
    for (const buffer of buffers) buffer.destroy();
    throw gpuError(gpu.backend, error, `${label} (${mebibytes(total)})`);
  }
  return buffers;
}

/** Memory this process may still take, in bytes: what the machine has free, or what its control group leaves. */
export function availableHostBytes(): number {
  const { available } = Deno.systemMemoryInfo();
  try {
    const limit = Number(Deno.readTextFileSync("/sys/fs/cgroup/memory.max"));
    const used = Number(Deno.readTextFileSync("/sys/fs/cgroup/memory.current"));
    return Number.isFinite(limit) ? Math.min(available, Math.max(limit - used, 0)) : available;
  } catch {
    return available; // no control group
  }
}

export const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** A tensor with a buffer of its own. Zero at first, as WebGPU promises. */
export async function createTensor(
  gpu: Gpu,
  label: string,
  shape: readonly number[],
  dtype: DType = "f32",
): Promise<Tensor> {
  const bytes = elements(shape) * elementBytes(dtype);
  const [buffer] = await allocateBuffers(gpu, label, [4 * Math.ceil(bytes / 4)]);
  return { label, shape, dtype, bytes, buffer, offset: 0 };
}

/** A tensor that shaders read as `var<uniform>`; small, with a buffer of its own. */
export function createUniform(gpu: Gpu, label: string, words: number): Tensor {
  const bytes = Math.ceil(words / 4) * 16;
  const { BufferUsage } = gpu.backend;
  const usage = BufferUsage.UNIFORM | BufferUsage.COPY_DST;
  const buffer = gpu.device.createBuffer({ label, size: bytes, usage });
  return { label, shape: [words], dtype: "u32", bytes, buffer, offset: 0 };
}

/** Offset and bytes of `shape` in `tensor`, beginning `offsetElements` elements into it (aligned by the caller). */
function placed({ dtype, ...tensor }: Tensor, label: string, offsetElements: number, shape: readonly number[]) {
  const size = elementBytes(dtype);
  const bytes = elements(shape) * size;
  if (offsetElements * size + bytes > tensor.bytes) {
    throw new RangeError(`${label} reaches past the end of ${tensor.label}`);
  }
  return { label, shape, dtype, bytes, inside: offsetElements * size };
}

/** A window of a tensor that has memory. */
export function windowOf(tensor: Tensor, label: string, offsetElements: number, shape: readonly number[]): Tensor {
  const { inside, ...window } = placed(tensor, label, offsetElements, shape);
  return { ...window, buffer: tensor.buffer, offset: tensor.offset + inside };
}

/** Like `windowOf`, but of a tensor that may not have memory yet, and with its lifetime. */
export function viewOf(tensor: Tensor, label: string, offsetElements: number, shape: readonly number[]): Tensor {
  const { inside, ...window } = placed(tensor, label, offsetElements, shape);
  return {
    ...window,
    get buffer() {
      return tensor.buffer;
    },
    get offset() {
      return tensor.offset + inside;
    },
    base: tensor.base ?? tensor,
  };
}

/** Writes `data` from `offsetElements` on, rounded where the tensor is half. Ordered with the queue's other work; never waits. */
export function writeTensor(
  gpu: Gpu,
  tensor: Tensor,
  data: Float32Array | Uint32Array | Int32Array,
  offsetElements = 0,
): void {
  const { dtype, label, buffer, offset } = tensor;
  const size = elementBytes(dtype);
  if ((offsetElements + data.length) * size > alignBytes(tensor.bytes)) {
    throw new RangeError(`too much data for ${label}`);
  }
  const step = TRANSFER_BYTES / 4;
  for (let at = 0; at < data.length; at += step) {
    const piece = data.subarray(at, at + step);
    const words = isHalf(dtype) ? narrow(piece as Float32Array, dtype) : piece;
    gpu.device.queue.writeBuffer(buffer!, offset + (offsetElements + at) * size, words as BufferSource);
    // Staging memory is given back when the copy has been submitted: small pieces wait for other work, or a large one.
    if (piece.byteLength >= SUBMITTED_BYTES) gpu.device.queue.submit([]);
  }
}

/** Reads `countElements` elements (default: all) from `offsetElements` on, u32 as the same bits; waits for the queue. */
export async function readTensor(
  gpu: Gpu,
  tensor: Tensor,
  offsetElements = 0,
  countElements = elements(tensor.shape) - offsetElements,
): Promise<Float32Array<ArrayBuffer>> {
  const { BufferUsage, MapMode } = gpu.backend;
  const { dtype, label, buffer, offset } = tensor;
  const size = elementBytes(dtype);
  const result = new Float32Array(countElements);
  const step = TRANSFER_BYTES / size;
  const whole = (count: number) => 4 * Math.ceil(count * size / 4);
  const staging = gpu.device.createBuffer({
    label: `read ${label}`,
    size: Math.max(whole(Math.min(countElements, step)), 4),
    usage: BufferUsage.MAP_READ | BufferUsage.COPY_DST,
  });
  try {
    for (let at = 0; at < countElements; at += step) {
      const count = Math.min(step, countElements - at);
      const encoder = gpu.device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer!, offset + (offsetElements + at) * size, staging, 0, whole(count));
      const copied = gpu.submit(encoder);
      await staging.mapAsync(MapMode.READ, 0, whole(count));
      gpu.activity.finished(copied);
      const range = staging.getMappedRange(0, whole(count));
      result.set(isHalf(dtype) ? widen(new Uint16Array(range, 0, count), dtype) : new Float32Array(range), at);
      staging.unmap();
    }
  } catch (cause) {
    gpu.check();
    const { name, message } = cause as Error;
    throw new EntailError("adapter", `reading ${label} from the device failed: ${message || name}`, { cause });
  } finally {
    staging.destroy();
  }
  gpu.check();
  return result;
}
