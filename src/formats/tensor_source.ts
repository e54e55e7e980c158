/** Tensors in files, whatever the format: found by name, read window by window, widened to fp32. */
import { EntailError } from "../errors.ts";
import { type Dtype, elementCount, type TensorInfo } from "./safetensors_header.ts";

/** A part of a tensor, in elements of its flat row-major data; by default from the start, to the end. */
export interface TensorWindow {
  offsetElements?: number;
  countElements?: number;
}

/** Tensors by name, read from disk on demand. */
export interface TensorSource {
  tensors: ReadonlyMap<string, TensorInfo>;
  metadata: Record<string, string>;
  /** The file that holds a tensor, for errors. */
  fileOf(name: string): string;
  /** A window of an F32, F16, BF16 or F64 tensor as fp32. Data error for a missing tensor or one of integers. */
  readTensor(name: string, window?: TensorWindow): Promise<Float32Array<ArrayBuffer>>;
  /** A window of an I32 or I64 tensor. Data error for a missing tensor or one of another type. */
  readIntegers(name: string, window?: TensorWindow): Promise<Int32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>>;
  close(): void;
}

/** An open file with tensors, as its format sees it. */
interface TensorFile<Info extends TensorInfo> {
  file: Deno.FsFile;
  path: string;
  tensors: ReadonlyMap<string, Info>;
  metadata: Record<string, string>;
  /** The bytes of `count` elements from element `offset` of a tensor's row-major data. */
  readElements(info: Info, offset: number, count: number): Uint8Array<ArrayBuffer>;
}

/** The tensors of an open file, which `close` closes. */
export function tensorSource<Info extends TensorInfo>(
  { file, path, tensors, metadata, readElements }: TensorFile<Info>,
): TensorSource {
  const readWindow = (name: string, window: TensorWindow | undefined, allowed: readonly Dtype[]) => {
    const info = tensors.get(name);
    if (!info) throw new EntailError("data", `${path}: has no tensor "${name}"`);
    if (!allowed.includes(info.dtype)) {
      throw new EntailError("data", `${path}: tensor "${name}": is ${info.dtype}, expected ${allowed.join(", ")}`);
    }
    const elements = elementCount(info.shape);
    const offset = window?.offsetElements ?? 0;
    const count = window?.countElements ?? elements - offset;
    if (offset < 0 || count < 0 || offset + count > elements) {
      throw new RangeError(`window ${offset}+${count} of tensor "${name}" with ${elements} elements`);
    }
    return { bytes: readElements(info, offset, count), dtype: info.dtype };
  };
  return {
    tensors,
    metadata,
    fileOf: () => path,
    readTensor: async (name, window) => {
      const { bytes, dtype } = await readWindow(name, window, ["F32", "F16", "BF16", "F64"]);
      return widen(bytes, dtype);
    },
    readIntegers: async (name, window) => {
      const { bytes, dtype } = await readWindow(name, window, ["I32", "I64"]);
      return dtype === "I32" ? new Int32Array(bytes.buffer) : new BigInt64Array(bytes.buffer);
    },
    close: () => file.close(),
  };
}

/** The values as fp32; exact but for F64. */
function widen(bytes: Uint8Array<ArrayBuffer>, dtype: Dtype): Float32Array<ArrayBuffer> {
  if (dtype === "F32") return new Float32Array(bytes.buffer);
  if (dtype === "F64") return new Float32Array(new Float64Array(bytes.buffer));
  if (dtype === "F16") return new Float32Array(new Float16Array(bytes.buffer));
  // A bf16 number is the upper half of an fp32 number.
  const halves = new Uint16Array(bytes.buffer);
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i] << 16;
  return new Float32Array(bits.buffer);
}

/** Reads exactly `length` bytes; synchronous, so that concurrent callers cannot move each other's file position. */
export function readAt(file: Deno.FsFile, path: string, position: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  file.seekSync(position, Deno.SeekMode.Start);
  for (let done = 0; done < length;) {
    const count = file.readSync(bytes.subarray(done));
    if (count === null) throw new EntailError("data", `${path}: ends at byte ${position + done}, it is truncated`);
    done += count;
  }
  return bytes;
}
