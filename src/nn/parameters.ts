/**
 * The parameter store: where every parameter, its gradient and its two moments live.
 *
 * Parameters share chunks. A chunk has one buffer per role, all with the same layout, so the clearing of gradients,
 * the gradient norm and AdamW are plain ranges. In half precision the weights of products have chunks of their own with a
 * further role: `compute`, the copy that products read. Frozen weights of products may be in 8 or 4 bits, outside of all
 * chunks. Inside a chunk the parameters with weight decay come first; windows
 * are aligned for binding and the padding between them stays zero. A parameter that is larger than a chunk, such as
 * the word embeddings of a large vocabulary on an adapter with small bindings, is split into shards of whole rows.
 */
import { EntailError } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
import { type DType, elementBytes } from "../gpu/dtype.ts";
import {
  alignBytes,
  allocateBuffers,
  elements,
  mebibytes,
  readTensor,
  type Tensor,
  TENSOR_ALIGNMENT,
  windowOf,
  writeTensor,
} from "../gpu/tensor.ts";
import { type Precision, storageOf } from "./plan.ts";
import { quantize, type QuantizedBits, quantizedSizes, type QuantizedTensor } from "./quantize.ts";

export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  /** Whether AdamW's weight decay applies. */
  readonly decay: boolean;
  /** Whether it has a gradient; a frozen parameter has a value only. */
  readonly trainable: boolean;
  /** Whether it is the weight of products over tokens, which take it in half precision where they can. */
  readonly product?: boolean;
  /**
   * How such a weight is held if it is frozen and its value need never be read back: as products read it, and no more, or in
   * so many bits. Absent: with its value.
   */
  readonly held?: Held;
}

export type Held = "compute" | QuantizedBits;

export type ParameterRole = "value" | "compute" | "gradient" | "firstMoment" | "secondMoment";

/** Rows `rowBegin` … `rowBegin + rows` of a parameter. */
export interface Shard {
  readonly tensor: Tensor;
  readonly rowBegin: number;
  readonly rows: number;
}

export interface ParameterChunk {
  /** Length of each buffer, padding included. */
  readonly elements: number;
  /** Elements below this index have weight decay, those from it on do not. */
  readonly decayedElements: number;
  readonly trainable: boolean;
  /** What lies where, in order and without gaps: elements `begin` … `end`, padding included, are the named parameter's. */
  readonly parts: readonly { name: string; begin: number; end: number }[];
  /** Null where only the half copy is held. */
  readonly values: Tensor | null;
  readonly compute: Tensor | null;
  readonly gradients: Tensor | null;
  readonly firstMoment: Tensor | null;
  readonly secondMoment: Tensor | null;
}

export interface ParameterStoreOptions {
  /** True to train: gradients and both moments beside the values. False: values alone, or the half copies of them. */
  moments: boolean;
  /** How the weights of products are computed with; "fp32" by default. */
  precision?: Precision;
  /** Size limit of a chunk in bytes; by default what one binding can see, at most 1 GiB. */
  maxChunkBytes?: number;
}

export interface ParameterStore {
  readonly specs: readonly ParameterSpec[];
  readonly chunks: readonly ParameterChunk[];
  /** Device memory of all roles. */
  readonly bytes: number;
  /** The whole parameter; throws where it is split into shards. */
  value(name: string): Tensor;
  /** The parameter as products read it: its half copy, or its value where it has none. */
  compute(name: string): Tensor;
  /** The codes of a weight in 8 or 4 bits, which has neither value nor half copy. */
  quantized(name: string): QuantizedTensor | undefined;
  /** Whether it has a gradient, in one piece or in shards. */
  isTrainable(name: string): boolean;
  /** Its gradient; throws where it is split into shards or frozen. */
  gradient(name: string): Tensor;
  /** The parameter as one or several windows, in row order. */
  valueShards(name: string): readonly Shard[];
  gradientShards(name: string): readonly Shard[];
  /**
   * Writes `data` from element `offset` of the parameter on, across shards, a value to its half copy too; what is held in 8
   * or 4 bits in one piece. Ordered with the queue's other work.
   */
  upload(name: string, role: ParameterRole, data: Float32Array, offset?: number): void;
  /** Reads `count` elements (default: all) from `offset` on, across shards; waits for the queue. */
  read(name: string, role: ParameterRole, offset?: number, count?: number): Promise<Float32Array<ArrayBuffer>>;
  /**
   * Reads a whole role chunk by chunk, which waits for the queue far fewer times than reading parameter by parameter;
   * holds all of it on the host. The result gives a parameter's shards in row order.
   */
  readAll(role: ParameterRole): Promise<(name: string) => readonly Float32Array[]>;
  /** Both moments of every trainable parameter back to zero, as a new optimizer has them. */
  clearMoments(): void;
  release(): void;
}

const LARGEST_CHUNK = 2 ** 30;
const ROLES: readonly ParameterRole[] = ["value", "compute", "gradient", "firstMoment", "secondMoment"];

interface Piece {
  readonly spec: ParameterSpec;
  readonly rowBegin: number;
  readonly rows: number;
  readonly count: number;
  /** In elements from the chunk's begin. */
  offset: number;
}

interface ChunkLayout {
  readonly trainable: boolean;
  /** Whether the value is held where there is a half copy. */
  readonly withValue: boolean;
  /** How products read it. */
  readonly dtype: DType;
  readonly pieces: Piece[];
  elements: number;
  decayedElements: number;
}

export const isQuantized = (held: string | undefined): held is QuantizedBits => held === "8bit" || held === "4bit";

/** Bytes of the buffer of a weight's codes and scales, and both in it. */
function quantizedLayout({ name, shape }: ParameterSpec, bits: QuantizedBits) {
  const { codes, scales } = quantizedSizes(shape, bits);
  const begin = alignBytes(codes * 4);
  return {
    name,
    bytes: begin + alignBytes(scales * 4),
    on(buffer: GPUBuffer): QuantizedTensor {
      const words = { dtype: "u32", bytes: codes * 4, buffer, offset: 0 } as const;
      const factors = { dtype: "f32", bytes: scales * 4, buffer, offset: begin } as const;
      return {
        ...{ bits, shape },
        codes: { label: `codes of ${name}`, shape: [codes], ...words },
        scales: { label: `scales of ${name}`, shape: [scales], ...factors },
      };
    },
  };
}

/** Elements up to the next place where a window may begin, in every role. */
const padded = (count: number, dtype: DType): number => alignBytes(count * elementBytes(dtype)) / elementBytes(dtype);

const roleType = (role: ParameterRole, { dtype }: ChunkLayout): DType => role === "compute" ? dtype : "f32";

/** Elements per index of the first dimension. */
const rowElements = (shape: readonly number[]): number => elements(shape.slice(1));

function chunkElements(limits: Pick<Gpu, "maxBindingBytes">, maxChunkBytes = LARGEST_CHUNK): number {
  const bytes = Math.min(limits.maxBindingBytes, maxChunkBytes, LARGEST_CHUNK);
  return Math.floor(bytes / TENSOR_ALIGNMENT) * TENSOR_ALIGNMENT / 4;
}

/** Puts every parameter, in the order of `specs`, into the first chunk with room; depends on nothing else. */
function layoutChunks(specs: readonly ParameterSpec[], precision: Precision, capacity: number): ChunkLayout[] {
  const chunks: ChunkLayout[] = [];
  const place = (chunk: ChunkLayout, piece: Piece) => {
    chunk.pieces.push(piece);
    chunk.elements += padded(piece.count, chunk.dtype);
  };
  for (const spec of specs) {
    const { trainable, shape } = spec;
    const count = elements(shape);
    const dtype = spec.product ? storageOf(precision, shape.at(-1)!) : "f32";
    const size = padded(count, dtype);
    const withValue = spec.held === undefined;
    const open = (): ChunkLayout => {
      const chunk = { trainable, withValue, dtype, pieces: [], elements: 0, decayedElements: 0 };
      chunks.push(chunk);
      return chunk;
    };
    if (size <= capacity) {
      const roomy = chunks.find((chunk) =>
        chunk.trainable === trainable && chunk.withValue === withValue && chunk.dtype === dtype &&
        chunk.elements + size <= capacity
      );
      place(roomy ?? open(), { spec, rowBegin: 0, rows: spec.shape[0] ?? 1, count, offset: 0 });
      continue;
    }
    const width = rowElements(spec.shape);
    const rowsPerShard = Math.floor(capacity / width);
    if (rowsPerShard < 1) {
      throw new EntailError(
        "memory",
        `out of memory on the device: a row of ${spec.name} (${mebibytes(width * 4)}) is larger than one binding ` +
          `(${mebibytes(capacity * 4)})`,
      );
    }
    for (let rowBegin = 0; rowBegin < spec.shape[0]; rowBegin += rowsPerShard) {
      const rows = Math.min(rowsPerShard, spec.shape[0] - rowBegin);
      place(open(), { spec, rowBegin, rows, count: rows * width, offset: 0 });
    }
  }
  for (const chunk of chunks) {
    let offset = 0;
    for (const decay of [true, false]) {
      for (const piece of chunk.pieces.filter(({ spec }) => spec.decay === decay)) {
        piece.offset = offset;
        offset += padded(piece.count, chunk.dtype);
      }
      if (decay) chunk.decayedElements = offset;
    }
  }
  return chunks;
}

/**
 * Allocates zero-filled memory for the parameters. The layout depends on the specs, their order and the chunk size
 * only. Throws an `EntailError` of kind "memory" if the device does not have it.
 */
export async function createParameterStore(
  gpu: Gpu,
  specs: readonly ParameterSpec[],
  { moments, precision = "fp32", maxChunkBytes }: ParameterStoreOptions,
): Promise<ParameterStore> {
  const shards = new Map<string, Record<ParameterRole, Shard[]>>();
  for (const { name } of specs) {
    if (shards.has(name)) throw new Error(`two parameters are called ${name}`);
    shards.set(name, { value: [], compute: [], gradient: [], firstMoment: [], secondMoment: [] });
  }
  const inChunks = specs.filter(({ held }) => !isQuantized(held));
  const layouts = layoutChunks(inChunks, precision, chunkElements(gpu, maxChunkBytes));
  const isHeld = (role: ParameterRole, { dtype, trainable, withValue }: ChunkLayout): boolean =>
    role === "value"
      ? moments && withValue || dtype === "f32"
      : role === "compute"
      ? dtype !== "f32"
      : moments && trainable;
  const wanted = layouts.flatMap((layout, index) =>
    ROLES.filter((role) => isHeld(role, layout)).map((role) => {
      const dtype = roleType(role, layout);
      return { layout, index, role, dtype, bytes: layout.elements * elementBytes(dtype) };
    })
  );
  const codes = specs.flatMap((spec) => isQuantized(spec.held) ? [quantizedLayout(spec, spec.held)] : []);
  const sizes = [...wanted, ...codes].map(({ bytes }) => bytes);
  const buffers = await allocateBuffers(gpu, "parameters", sizes);
  const quantized = new Map(codes.map((layout, i) => [layout.name, layout.on(buffers[wanted.length + i])]));
  const tensors = layouts.map((): Record<ParameterRole, Tensor | null> => ({
    value: null,
    compute: null,
    gradient: null,
    firstMoment: null,
    secondMoment: null,
  }));
  wanted.forEach(({ layout, index, role, dtype, bytes }, i) => {
    const label = `parameters ${index} ${role}`;
    tensors[index][role] = { label, shape: [layout.elements], dtype, bytes, buffer: buffers[i], offset: 0 };
  });

  layouts.forEach((layout, index) => {
    for (const { spec, rowBegin, rows, offset } of layout.pieces) {
      for (const role of ROLES) {
        const whole = tensors[index][role];
        if (!whole) continue;
        const label = role === "value" ? spec.name : `${role} of ${spec.name}`;
        const shape = spec.shape.length === 0 ? [] : [rows, ...spec.shape.slice(1)];
        shards.get(spec.name)![role].push({ tensor: windowOf(whole, label, offset, shape), rowBegin, rows });
      }
    }
  });

  function shardsOf(name: string, role: ParameterRole): readonly Shard[] {
    const found = shards.get(name)?.[role];
    if (!found) throw new Error(`no parameter is called ${name}`);
    if (found.length > 0) return found;
    const why = role === "value"
      ? `only what products read of it is held, computing in ${precision}`
      : "it is frozen, or the store holds values alone";
    throw new Error(`${name} has no ${role}: ${why}`);
  }
  const has = (name: string, role: ParameterRole): boolean => (shards.get(name)?.[role] ?? []).length > 0;
  function single(name: string, role: ParameterRole): Tensor {
    const found = shardsOf(name, role);
    if (found.length === 1) return found[0].tensor;
    const bytes = found.reduce((sum, { tensor }) => sum + tensor.bytes, 0);
    throw new EntailError(
      "memory",
      `out of memory on the device: ${name} takes ${mebibytes(bytes)}, more than one binding of this adapter shows`,
    );
  }
  /** The parts of elements `offset` … `offset + count` in each shard: shard, begin inside it, position in the whole. */
  function* ranges(name: string, role: ParameterRole, offset: number, count: number) {
    const found = shardsOf(name, role);
    const total = found.reduce((sum, { tensor }) => sum + elements(tensor.shape), 0);
    if (offset < 0 || count < 0 || offset + count > total) {
      throw new RangeError(`elements ${offset} to ${offset + count} of ${name}, which has ${total}`);
    }
    let at = 0;
    for (const { tensor } of found) {
      const size = elements(tensor.shape);
      const begin = Math.max(offset, at);
      const end = Math.min(offset + count, at + size);
      if (begin < end) yield { tensor, inside: begin - at, from: begin - offset, count: end - begin };
      at += size;
    }
  }

  return {
    specs,
    chunks: layouts.map((layout, index) => ({
      elements: layout.elements,
      decayedElements: layout.decayedElements,
      trainable: layout.trainable,
      parts: layout.pieces.toSorted((a, b) => a.offset - b.offset).map(({ spec: { name }, offset, count }) => ({
        name,
        begin: offset,
        end: offset + padded(count, layout.dtype),
      })),
      values: tensors[index].value,
      compute: tensors[index].compute,
      gradients: tensors[index].gradient,
      firstMoment: tensors[index].firstMoment,
      secondMoment: tensors[index].secondMoment,
    })),
    bytes: sizes.reduce((sum, bytes) => sum + bytes, 0),
    value: (name) => single(name, "value"),
    compute: (name) => single(name, has(name, "compute") ? "compute" : "value"),
    quantized: (name) => quantized.get(name),
    isTrainable: (name) => has(name, "gradient"),
    gradient: (name) => single(name, "gradient"),
    valueShards: (name) => shardsOf(name, "value"),
    gradientShards: (name) => shardsOf(name, "gradient"),
    upload(name, role, data, offset = 0) {
      const matrix = quantized.get(name);
      if (matrix) {
        if (data.length !== elements(matrix.shape)) throw new RangeError(`a part of ${name}, which is in codes`);
        const { codes, scales } = quantize(data, matrix.shape, matrix.bits);
        writeTensor(gpu, matrix.codes, codes);
        return writeTensor(gpu, matrix.scales, scales);
      }
      const half = role === "value" && has(name, "compute");
      if (half && (offset % 2 || data.length % 2)) throw new RangeError(`half a word of ${name}`);
      for (const each of half ? ["value", "compute"] as const : [role]) {
        if (half && !has(name, each)) continue;
        for (const { tensor, inside, from, count } of ranges(name, each, offset, data.length)) {
          writeTensor(gpu, tensor, data.subarray(from, from + count), inside);
        }
      }
    },
    async read(name, role, offset = 0, count) {
      const spec = specs.find((candidate) => candidate.name === name);
      const wantedCount = count ?? (spec ? elements(spec.shape) - offset : 0);
      const result = new Float32Array(wantedCount);
      for (const part of ranges(name, role, offset, wantedCount)) {
        result.set(await readTensor(gpu, part.tensor, part.inside, part.count), part.from);
      }
      return result;
    },
    async readAll(role) {
      const whole = new Map<GPUBuffer, Float32Array>();
      for (const tensor of tensors.map((roles) => roles[role])) {
        if (tensor) whole.set(tensor.buffer!, await readTensor(gpu, tensor));
      }
      return (name) => {
        return shardsOf(name, role).map(({ tensor }) => {
          const begin = tensor.offset / elementBytes(tensor.dtype);
          return whole.get(tensor.buffer!)!.subarray(begin, begin + elements(tensor.shape));
        });
      };
    },
    clearMoments() {
      const encoder = gpu.device.createCommandEncoder({ label: "clear moments" });
      for (const { firstMoment, secondMoment } of tensors) {
        for (const tensor of [firstMoment, secondMoment]) if (tensor) encoder.clearBuffer(tensor.buffer!);
      }
      gpu.submit(encoder);
    },
    release: () => buffers.forEach((buffer) => buffer.destroy()),
  };
}
