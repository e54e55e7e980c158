import { EntailError } from "../errors.ts";
import { atomicFile, type OutputFile } from "./atomic_write.ts";
import { parseJson } from "./json.ts";
import {
  type Dtype,
  DTYPE_BYTES,
  elementCount,
  parseHeader,
  type SafetensorsHeader,
  type TensorInfo,
} from "./safetensors_header.ts";
import { decodeUtf8, readError } from "./text.ts";

export type { Dtype, TensorInfo } from "./safetensors_header.ts";

/** The reference reader's limit for the header, in bytes. */
const MAX_HEADER_BYTES = 100_000_000;

/** A part of a tensor, in elements of its flat row-major data; by default from the start, to the end. */
export interface TensorWindow {
  offsetElements?: number;
  countElements?: number;
}

/** Tensors by name, read from disk on demand. */
export interface TensorSource {
  tensors: Map<string, TensorInfo>;
  metadata: Record<string, string>;
  /** The file that holds a tensor, for errors. */
  fileOf(name: string): string;
  /** A window of an F32, F16, BF16 or F64 tensor as fp32. Data error for a missing tensor or one of integers. */
  readTensor(name: string, window?: TensorWindow): Promise<Float32Array<ArrayBuffer>>;
  /** A window of an I32 or I64 tensor. Data error for a missing tensor or one of another type. */
  readIntegers(name: string, window?: TensorWindow): Promise<Int32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>>;
  close(): void;
}

/** A tensor to write: `read` hands its fp32 data over in row-major chunks, each of which it may reuse afterwards. */
export interface TensorEntry {
  name: string;
  shape: readonly number[];
  dtype: "F32";
  read(emit: (chunk: Float32Array) => void): Promise<void>;
}

/**
 * Opens a safetensors file and checks its header; only the windows asked for are ever read. Data error, naming file
 * and tensor, for a truncated or damaged file.
 */
export async function openSafetensors(path: string): Promise<TensorSource> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path);
  } catch (error) {
    throw readError(error, path);
  }
  try {
    const { header, dataStart } = readHeader(file, path);
    return tensorSource(file, path, header, dataStart);
  } catch (error) {
    file.close();
    throw readError(error, path);
  }
}

/**
 * Writes a safetensors file atomically, tensors in the given order, without holding more than a chunk of it.
 * The header is padded so that the data begins at a multiple of 8 bytes.
 */
export async function writeSafetensors(
  path: string,
  entries: readonly TensorEntry[],
  metadata: Record<string, string> = { format: "pt" },
): Promise<void> {
  const header: Record<string, unknown> = Object.create(null);
  header.__metadata__ = metadata;
  let position = 0;
  for (const { name, shape, dtype } of entries) {
    if (name in header) throw new Error(`writeSafetensors: two tensors are called "${name}"`);
    const end = position + elementCount(shape) * DTYPE_BYTES[dtype];
    header[name] = { dtype, shape, data_offsets: [position, end] };
    position = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(json.length / 8) * 8;
  const head = new Uint8Array(8 + padded).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true);
  head.set(json, 8);
  await atomicFile(path, async (file) => {
    writeFully(file, head);
    for (const { name, shape, read } of entries) {
      const expected = elementCount(shape);
      let written = 0;
      await read((chunk) => {
        written += chunk.length;
        if (written <= expected) writeFully(file, new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
      });
      if (written !== expected) {
        throw new Error(`writeSafetensors: "${name}" gave ${written} elements, its shape has ${expected}`);
      }
    }
  });
}

function readHeader(file: Deno.FsFile, path: string): { header: SafetensorsHeader; dataStart: number } {
  const info = file.statSync();
  if (info.isDirectory) throw new EntailError("data", `${path}: is a folder, not a file`);
  if (info.size < 8) throw new EntailError("data", `${path}: has only ${info.size} bytes, it is truncated`);
  const length = Number(new DataView(readAt(file, path, 0, 8).buffer).getBigUint64(0, true));
  if (length > MAX_HEADER_BYTES) {
    throw new EntailError("data", `${path}: its header would have ${length} bytes, it is not a safetensors file`);
  }
  const dataStart = 8 + length;
  if (dataStart > info.size) {
    throw new EntailError("data", `${path}: its header of ${length} bytes is cut off, the file is truncated`);
  }
  const text = decodeUtf8(readAt(file, path, 8, length), `${path} (header)`);
  return { header: parseHeader(parseJson(text, `${path} (header)`), info.size - dataStart, path), dataStart };
}

function tensorSource(file: Deno.FsFile, path: string, header: SafetensorsHeader, dataStart: number): TensorSource {
  const readWindow = (name: string, window: TensorWindow | undefined, allowed: readonly Dtype[]) => {
    const info = header.tensors.get(name);
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
    const size = DTYPE_BYTES[info.dtype];
    const bytes = readAt(file, path, dataStart + info.begin + offset * size, count * size);
    return { bytes, dtype: info.dtype };
  };
  return {
    ...header,
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
function readAt(file: Deno.FsFile, path: string, position: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  file.seekSync(position, Deno.SeekMode.Start);
  for (let done = 0; done < length;) {
    const count = file.readSync(bytes.subarray(done));
    if (count === null) throw new EntailError("data", `${path}: ends at byte ${position + done}, it is truncated`);
    done += count;
  }
  return bytes;
}

function writeFully(file: OutputFile, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
}
