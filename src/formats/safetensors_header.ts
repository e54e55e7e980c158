import { EntailError } from "../errors.ts";

/** Bytes per element of each type that the format knows. */
export const DTYPE_BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  I64: 8,
  U64: 8,
  F64: 8,
} as const;

export type Dtype = keyof typeof DTYPE_BYTES;

export interface TensorInfo {
  dtype: Dtype;
  shape: number[];
}

/** Where a tensor lies: `begin` and `end` count bytes from the start of the data section of its file. */
interface PlacedTensor extends TensorInfo {
  begin: number;
  end: number;
}

export interface SafetensorsHeader {
  tensors: Map<string, PlacedTensor>;
  metadata: Record<string, string>;
}

/** The number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * Checks a parsed header against the size of the data section, as strictly as the reference reader does: known types,
 * sizes that fit the shapes, tensors that fill the data section without overlap or hole. Data error with file and tensor.
 * Format: https://github.com/huggingface/safetensors#format
 */
export function parseHeader(header: unknown, dataBytes: number, path: string): SafetensorsHeader {
  if (!isRecord(header)) throw new EntailError("data", `${path}: the header is not a JSON object`);
  const tensors = new Map<string, PlacedTensor>();
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name !== "__metadata__") {
      tensors.set(name, parseEntry(name, entry, dataBytes, path));
      continue;
    }
    if (!isRecord(entry) || Object.values(entry).some((value) => typeof value !== "string")) {
      throw new EntailError("data", `${path}: __metadata__ is not an object of strings`);
    }
    metadata = entry as Record<string, string>;
  }
  checkCoverage(tensors, dataBytes, path);
  return { tensors, metadata };
}

function parseEntry(name: string, entry: unknown, dataBytes: number, path: string): PlacedTensor {
  const fail = (reason: string): never => {
    throw new EntailError("data", `${path}: tensor "${name}": ${reason}`);
  };
  if (!isRecord(entry)) return fail("its entry in the header is not an object");
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== "string" || !Object.hasOwn(DTYPE_BYTES, dtype)) return fail(`unknown type ${show(dtype)}`);
  if (!isSizes(shape)) return fail(`shape ${show(shape)} is not a list of sizes`);
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0] > offsets[1]) {
    return fail(`data_offsets ${show(offsets)} are not a begin and an end`);
  }
  const [begin, end] = offsets;
  if (end > dataBytes) {
    return fail(`ends at byte ${end} of ${dataBytes} bytes of data, the file is truncated or damaged`);
  }
  const bytes = elementCount(shape) * DTYPE_BYTES[dtype as Dtype];
  if (bytes !== end - begin) {
    return fail(`has ${end - begin} bytes, but ${dtype} [${shape.join(", ")}] needs ${bytes}`);
  }
  return { dtype: dtype as Dtype, shape: [...shape], begin, end };
}

function checkCoverage(tensors: Map<string, PlacedTensor>, dataBytes: number, path: string): void {
  const ordered = [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let position = 0;
  for (const [name, { begin, end }] of ordered) {
    if (begin !== position) {
      const fault = begin < position ? "overlaps the tensor before it" : "leaves a hole before it";
      throw new EntailError("data", `${path}: tensor "${name}": ${fault} (begins at ${begin}, expected ${position})`);
    }
    position = end;
  }
  if (position !== dataBytes) {
    throw new EntailError("data", `${path}: has ${dataBytes - position} bytes after its last tensor, it is damaged`);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? "(missing)";
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
