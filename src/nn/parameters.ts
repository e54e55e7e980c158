/**
 * The parameter store: where every parameter, its gradient and its two moments live.
 *
 * Parameters share chunks. A chunk has one buffer per role, all with the same layout, so the clearing of gradients,
 * the gradient norm and AdamW are plain ranges. Inside a chunk the parameters with weight decay come first; windows
 * are aligned for binding and the padding between them stays zero. A parameter that is larger than a chunk, such as
 * the word embeddings of a large vocabulary on an adapter with small bindings, is split into shards of whole rows.
 */
import { EntailError } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
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

export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  /** Whether AdamW's weight decay applies. */
  readonly decay: boolean;
  /** Whether it has a gradient; a frozen parameter has a value only. */
  readonly trainable: boolean;
}

export type ParameterRole = "value" | "gradient" | "firstMoment" | "secondMoment";

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
  readonly values: Tensor;
  readonly gradients: Tensor | null;
  readonly firstMoment: Tensor | null;
  readonly secondMoment: Tensor | null;
}

export interface ParameterStoreOptions {
  /** True to train: gradients and both moments beside the values. False: values alone. */
  moments: boolean;
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
  /** Its gradient; throws where it is split into shards or frozen. */
  gradient(name: string): Tensor;
  /** The parameter as one or several windows, in row order. */
  valueShards(name: string): readonly Shard[];
  gradientShards(name: string): readonly Shard[];
  /** Writes `data` from element `offset` of the parameter on, across shards. Ordered with the queue's other work. */
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
const ROLES: readonly ParameterRole[] = ["value", "gradient", "firstMoment", "secondMoment"];

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
  readonly pieces: Piece[];
  elements: number;
  decayedElements: number;
}

const padded = (count: number): number => alignBytes(count * 4) / 4;

/** Elements per index of the first dimension. */
const rowElements = (shape: readonly number[]): number => elements(shape.slice(1));

function chunkElements(limits: Pick<Gpu, "maxBindingBytes">, maxChunkBytes = LARGEST_CHUNK): number {
  const bytes = Math.min(limits.maxBindingBytes, maxChunkBytes, LARGEST_CHUNK);
  return Math.floor(bytes / TENSOR_ALIGNMENT) * TENSOR_ALIGNMENT / 4;
}

/** Puts every parameter, in the order of `specs`, into the first chunk with room; depends on nothing else. */
function layoutChunks(specs: readonly ParameterSpec[], capacity: number): ChunkLayout[] {
  const chunks: ChunkLayout[] = [];
  const open = (trainable: boolean): ChunkLayout => {
    const chunk = { trainable, pieces: [], elements: 0, decayedElements: 0 };
    chunks.push(chunk);
    return chunk;
  };
  const place = (chunk: ChunkLayout, piece: Piece) => {
    chunk.pieces.push(piece);
    chunk.elements += padded(piece.count);
  };
  for (const spec of specs) {
    const count = elements(spec.shape);
    if (padded(count) <= capacity) {
      const roomy = chunks.find((chunk) =>
        chunk.trainable === spec.trainable && chunk.elements + padded(count) <= capacity
      );
      place(roomy ?? open(spec.trainable), { spec, rowBegin: 0, rows: spec.shape[0] ?? 1, count, offset: 0 });
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
      place(open(spec.trainable), { spec, rowBegin, rows, count: rows * width, offset: 0 });
    }
  }
  for (const chunk of chunks) {
    let offset = 0;
    for (const decay of [true, false]) {
      for (const piece of chunk.pieces.filter(({ spec }) => spec.decay === decay)) {
        piece.offset = offset;
        offset += padded(piece.count);
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
  { moments, maxChunkBytes }: ParameterStoreOptions,
): Promise<ParameterStore> {
  const shards = new Map<string, Record<ParameterRole, Shard[]>>();
  for (const { name } of specs) {
    if (shards.has(name)) throw new Error(`two parameters are called ${name}`);
    shards.set(name, { value: [], gradient: [], firstMoment: [], secondMoment: [] });
  }
  const layouts = layoutChunks(specs, chunkElements(gpu, maxChunkBytes));
  const wanted = layouts.flatMap((layout, index) =>
    ROLES.filter((role) => role === "value" || (moments && layout.trainable)).map((role) => ({ layout, index, role }))
  );
  const buffers = await allocateBuffers(gpu, "parameters", wanted.map(({ layout }) => layout.elements * 4));
  const tensors = layouts.map((): Record<ParameterRole, Tensor | null> => ({
    value: null,
    gradient: null,
    firstMoment: null,
    secondMoment: null,
  }));
  wanted.forEach(({ layout, index, role }, i) => {
    const shape = [layout.elements];
    const label = `parameters ${index} ${role}`;
    tensors[index][role] = { label, shape, dtype: "f32", bytes: layout.elements * 4, buffer: buffers[i], offset: 0 };
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
    if (found.length === 0) throw new Error(`${name} has no ${role}: it is frozen, or the store holds values alone`);
    return found;
  }
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
      values: tensors[index].value!,
      gradients: tensors[index].gradient,
      firstMoment: tensors[index].firstMoment,
      secondMoment: tensors[index].secondMoment,
    })),
    bytes: wanted.reduce((sum, { layout }) => sum + layout.elements * 4, 0),
    value: (name) => single(name, "value"),
    compute: (name) => single(name, "value"),
    gradient: (name) => single(name, "gradient"),
    valueShards: (name) => shardsOf(name, "value"),
    gradientShards: (name) => shardsOf(name, "gradient"),
    upload(name, role, data, offset = 0) {
      for (const { tensor, inside, from, count } of ranges(name, role, offset, data.length)) {
        writeTensor(gpu, tensor, data.subarray(from, from + count), inside);
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
          const begin = tensor.offset / 4;
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
