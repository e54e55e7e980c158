/**
 * State dicts as `torch.save` writes them since version 1.6: a zip archive with a pickle that describes tensors, and a
 * stored file for the storage of each. https://github.com/pytorch/pytorch/blob/v2.13.0/torch/serialization.py
 */
import { EntailError } from "../errors.ts";
import { type PickleGlobal, unpickle } from "./pickle.ts";
import { type Dtype, DTYPE_BYTES, elementCount, type TensorInfo } from "./safetensors_header.ts";
import { isContiguous, reach, readStrided, type StridedView } from "./strided.ts";
import { readAt, type TensorSource, tensorSource } from "./tensor_source.ts";
import { readError } from "./text.ts";
import { readZip, type ZipEntry } from "./zip.ts";

/** Real ones have 200 bytes for a tensor. */
const LARGEST_PICKLE = 1 << 24;

/** More axes than any tensor has. */
const MOST_AXES = 8;

/** How every file of the format before 1.6 begins: a pickle of a magic number. */
const LEGACY_MAGIC = [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

const STORAGES: Record<string, Dtype> = {
  DoubleStorage: "F64",
  FloatStorage: "F32",
  HalfStorage: "F16",
  BFloat16Storage: "BF16",
  LongStorage: "I64",
  IntStorage: "I32",
  ShortStorage: "I16",
  CharStorage: "I8",
  ByteStorage: "U8",
  BoolStorage: "BOOL",
};

interface StorageClass extends PickleGlobal {
  dtype: Dtype;
}

class Storage {
  constructor(readonly dtype: Dtype, readonly begin: number, readonly elements: number) {}
}

class TorchTensor implements TensorInfo, StridedView {
  readonly dtype: Dtype;
  constructor(
    readonly storage: Storage,
    readonly offset: number,
    readonly shape: number[],
    readonly strides: number[],
  ) {
    this.dtype = storage.dtype;
  }
}

/**
 * Opens a `pytorch_model.bin` and reads its list of tensors; only the windows asked for are ever read. Data error, naming
 * the file, for one that is truncated or damaged, of the format before 1.6, or that asks for anything but tensors.
 */
export async function openTorchFile(path: string): Promise<TensorSource> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path);
  } catch (error) {
    throw readError(error, path);
  }
  try {
    return tensorSource({
      file,
      path,
      tensors: readTensors(file, path),
      metadata: {},
      readElements: (tensor, offset, count) => readElements(file, path, tensor, offset, count),
    });
  } catch (error) {
    file.close();
    throw readError(error, path);
  }
}

function readElements(
  file: Deno.FsFile,
  path: string,
  tensor: TorchTensor,
  offset: number,
  count: number,
): Uint8Array<ArrayBuffer> {
  const { storage } = tensor;
  const elementBytes = DTYPE_BYTES[tensor.dtype];
  const read = (start: number, length: number) =>
    readAt(file, path, storage.begin + start * elementBytes, length * elementBytes);
  if (isContiguous(tensor)) return read(tensor.offset + offset, count);
  return readStrided(tensor, { begin: offset, count, elementBytes, storageElements: storage.elements }, read);
}

function readTensors(file: Deno.FsFile, path: string): Map<string, TorchTensor> {
  const fail = (reason: string): never => {
    throw new EntailError("data", `${path}: ${reason}`);
  };
  const { isDirectory, size } = file.statSync();
  if (isDirectory) fail("is a folder, not a file");
  const head = readAt(file, path, 0, Math.min(size, LEGACY_MAGIC.length));
  if (LEGACY_MAGIC.every((byte, i) => head[i] === byte)) {
    fail(
      "is in torch's format before 1.6, which is not read; write it anew with a current torch: " +
        "torch.save(torch.load(file), file)",
    );
  }
  const entries = readZip(file, path);
  const pickle = entries.values().find(({ name }) => /^[^/]+\/data\.pkl$/.test(name));
  if (!pickle) return fail("has no data.pkl: it is not a file of torch.save");
  const archive = pickle.name.slice(0, -"data.pkl".length);
  if (entries.has(`${archive}constants.pkl`)) fail("is a TorchScript program; save its state_dict() instead");
  requireStored(pickle, fail);
  if (pickle.size > LARGEST_PICKLE) fail(`its data.pkl has ${pickle.size} bytes, it is damaged or hostile`);
  const order = entries.get(`${archive}byteorder`);
  if (order && new TextDecoder().decode(readAt(file, path, order.begin, Math.min(order.size, 8))) !== "little") {
    fail("was written on a big-endian machine, which is not read; save it anew on another one");
  }
  const state = unpickle(readAt(file, path, pickle.begin, pickle.size), {
    globals: tensorGlobals(fail),
    persistent: (id) => storageOf(id, entries, archive, fail),
    fail,
  });
  return namedTensors(state, fail);
}

/** torch stores files as they are, so that they can be read in place. */
function requireStored({ name, compressed }: ZipEntry, fail: (reason: string) => never): void {
  if (compressed) {
    fail(`its file "${name}" is compressed, which torch.save does not do; unpack and pack it with zip -0`);
  }
}

/** All that a state dict may name: classes of storages, and what makes tensors and ordered dictionaries. */
function tensorGlobals(fail: (reason: string) => never): Map<string, PickleGlobal> {
  const functions: Record<string, (args: readonly unknown[]) => unknown> = {
    "collections.OrderedDict": (args) => args.length === 0 ? new Map() : fail("has an OrderedDict with arguments"),
    "torch._utils._rebuild_tensor_v2": (args) => tensorOf(args, fail),
    "torch._utils._rebuild_parameter": ([tensor]) =>
      tensor instanceof TorchTensor ? tensor : fail("has a parameter that is no tensor"),
  };
  const globals = new Map<string, PickleGlobal>();
  for (const [name, call] of Object.entries(functions)) globals.set(name, { name, call });
  for (const [storage, dtype] of Object.entries(STORAGES)) {
    const name = `torch.${storage}`;
    globals.set(name, { name, dtype } as StorageClass);
  }
  return globals;
}

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const areSizes = (value: unknown): value is number[] => Array.isArray(value) && value.every(isSize);

/** `("storage", class, key, location, number of elements)`: a file of the archive. */
function storageOf(
  id: unknown,
  entries: ReadonlyMap<string, ZipEntry>,
  archive: string,
  fail: (reason: string) => never,
): Storage {
  if (!Array.isArray(id) || id.length !== 5) return fail("refers to something that is no storage");
  const [kind, storageClass, key, , elements] = id;
  const dtype = (storageClass as StorageClass | null)?.dtype;
  if (kind !== "storage" || !dtype || typeof key !== "string" || !isSize(elements)) {
    return fail("refers to something that is no storage");
  }
  const entry = entries.get(`${archive}data/${key}`);
  if (!entry) return fail("refers to a storage that is not in the archive");
  requireStored(entry, fail);
  if (entry.size !== elements * DTYPE_BYTES[dtype]) {
    fail(`${entry.name} has ${entry.size} bytes, but ${elements} elements of ${dtype}`);
  }
  return new Storage(dtype, entry.begin, elements);
}

/** `(storage, offset, sizes, strides, …)`: the rest is about gradients. */
function tensorOf([storage, offset, shape, strides]: readonly unknown[], fail: (reason: string) => never): TorchTensor {
  const isView = storage instanceof Storage && isSize(offset) && areSizes(shape) && areSizes(strides) &&
    shape.length === strides.length && shape.length <= MOST_AXES;
  if (!isView) return fail("has a tensor without a storage, sizes or strides");
  // Copies: a list that the pickle still holds could be changed after these checks.
  const tensor = new TorchTensor(storage, offset, [...shape], [...strides]);
  const fits = Number.isSafeInteger(elementCount(shape)) && reach(tensor) <= storage.elements;
  return fits ? tensor : fail("has a tensor that reaches beyond its storage");
}

function namedTensors(state: unknown, fail: (reason: string) => never): Map<string, TorchTensor> {
  const tensors = new Map<string, TorchTensor>();
  if (state instanceof Map) {
    for (const [name, value] of state) {
      if (typeof name === "string" && value instanceof TorchTensor) tensors.set(name, value);
    }
  }
  return tensors.size > 0 ? tensors : fail("holds no tensors by name; save a state_dict()");
}
