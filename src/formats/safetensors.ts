import { EntailError } from "../errors.ts";
import { atomicFile, type OutputFile } from "./atomic_write.ts";
import { parseJson } from "./json.ts";
import { DTYPE_BYTES, elementCount, parseHeader, type SafetensorsHeader } from "./safetensors_header.ts";
import { readAt, type TensorSource, tensorSource } from "./tensor_source.ts";
import { decodeUtf8, readError } from "./text.ts";

/** The reference reader's limit for the header, in bytes. */
const MAX_HEADER_BYTES = 100_000_000;

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
    return tensorSource({
      file,
      path,
      ...header,
      readElements({ dtype, begin }, offset, count) {
        const size = DTYPE_BYTES[dtype];
        return readAt(file, path, dataStart + begin + offset * size, count * size);
      },
    });
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

function writeFully(file: OutputFile, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
}
