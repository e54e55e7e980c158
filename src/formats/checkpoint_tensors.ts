import { join } from "node:path";
import { EntailError } from "../errors.ts";
import { readJson } from "./json.ts";
import { openSafetensors } from "./safetensors.ts";
import type { TensorInfo } from "./safetensors_header.ts";
import type { TensorSource } from "./tensor_source.ts";
import { openTorchFile } from "./torch_file.ts";

/** The files that a Hugging Face folder may have its weights in, the preferred first; an index names shards. */
export const WEIGHT_FILES = [
  "model.safetensors",
  "model.safetensors.index.json",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
] as const;

/**
 * The files of an adapter that `peft` saved: what it is, and where its tensors may be, the preferred first. What a
 * config.json would say of the whole model stands in a file of entail's own: transformers takes a folder with a
 * config.json for a whole model, adapter or not.
 */
export const ADAPTER_CONFIG = "adapter_config.json";
export const ADAPTER_MODEL_CONFIG = "model_config.json";
export const ADAPTER_FILES = ["adapter_model.safetensors", "adapter_model.bin"] as const;

const isIndex = (file: string): boolean => file.endsWith(".index.json");

/** Opens one file of tensors, whatever its format. */
export async function openTensorFile(path: string): Promise<TensorSource> {
  await refusePointer(path);
  return path.endsWith(".bin") ? await openTorchFile(path) : await openSafetensors(path);
}

/** Bytes that git-lfs's pointers have at most: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md */
const LARGEST_POINTER = 1024;

/** A repository that was cloned without git-lfs has texts in the place of its large files. */
async function refusePointer(path: string): Promise<void> {
  const { isFile, size } = await Deno.stat(path).catch(() => ({ isFile: false, size: 0 }));
  if (!isFile || size >= LARGEST_POINTER) return;
  const text = new TextDecoder().decode(await Deno.readFile(path).catch(() => new Uint8Array()));
  if (!text.startsWith("version https://git-lfs")) return;
  throw new EntailError("data", `${path}: is git-lfs's pointer to the file, not the file; \`git lfs pull\` brings it`);
}

/**
 * Opens the weights of a Hugging Face folder: the first of `WEIGHT_FILES` that is there. Data error where none is, a
 * shard is missing, or a tensor is not in its shard.
 */
export async function openCheckpointTensors(folder: string): Promise<TensorSource> {
  const file = await weightFile(folder);
  return isIndex(file) ? await openShards(folder, file) : await openTensorFile(join(folder, file));
}

/** The files that `openCheckpointTensors` reads. */
export async function weightFiles(folder: string): Promise<string[]> {
  const file = await weightFile(folder);
  const names = isIndex(file) ? [file, ...await shardNames(join(folder, file))] : [file];
  return names.map((name) => join(folder, name));
}

/** The shards that an index names, each once, in alphabetical order. Data error for what is no index. */
export async function shardNames(indexPath: string): Promise<string[]> {
  return [...new Set((await readIndex(indexPath)).values())].sort();
}

/** Whether a folder has an adapter and no weights of its own. */
export async function isAdapterFolder(folder: string): Promise<boolean> {
  const hasWeights = await Promise.all(WEIGHT_FILES.map((file) => exists(join(folder, file))));
  return !hasWeights.includes(true) && await exists(join(folder, ADAPTER_CONFIG));
}

/** The file of an adapter's tensors. Data error where there is none. */
export async function adapterFile(folder: string): Promise<string> {
  for (const name of ADAPTER_FILES) if (await exists(join(folder, name))) return join(folder, name);
  throw new EntailError("data", `${folder}: has an ${ADAPTER_CONFIG}, but no ${ADAPTER_FILES.join(" or ")}`);
}

async function weightFile(folder: string): Promise<string> {
  for (const file of WEIGHT_FILES) if (await exists(join(folder, file))) return file;
  if (!await exists(folder)) throw new EntailError("data", `${folder}: no such folder`);
  throw new EntailError(
    "data",
    `${folder}: no model.safetensors or pytorch_model.bin (or an index of one), expected a Hugging Face folder`,
  );
}

/** The file of each tensor. */
async function readIndex(indexPath: string): Promise<Map<string, string>> {
  const index = await readJson(indexPath) as { weight_map?: unknown } | null;
  const weightMap = index?.weight_map;
  if (typeof weightMap !== "object" || weightMap === null || Array.isArray(weightMap)) {
    throw new EntailError("data", `${indexPath}: has no "weight_map" object`);
  }
  const isFileName = (file: unknown) => typeof file === "string" && /^[^\\/\0]+$/.test(file) && !/^\.+$/.test(file);
  for (const [name, file] of Object.entries(weightMap as Record<string, unknown>)) {
    if (isFileName(file)) continue;
    throw new EntailError("data", `${indexPath}: tensor "${name}": ${JSON.stringify(file)} is not a file name`);
  }
  return new Map(Object.entries(weightMap as Record<string, string>));
}

async function openShards(folder: string, indexFile: string): Promise<TensorSource> {
  const indexPath = join(folder, indexFile);
  const shards = new Map<string, TensorSource>();
  const owners = new Map<string, TensorSource>();
  const tensors = new Map<string, TensorInfo>();
  const metadata: Record<string, string> = {};
  const close = (): void => shards.forEach((shard) => shard.close());
  try {
    for (const [name, file] of await readIndex(indexPath)) {
      let shard = shards.get(file);
      if (!shard) {
        shard = await openTensorFile(join(folder, file));
        shards.set(file, shard);
        Object.assign(metadata, shard.metadata);
      }
      const info = shard.tensors.get(name);
      if (!info) {
        throw new EntailError("data", `${join(folder, file)}: has no tensor "${name}", which ${indexPath} puts there`);
      }
      owners.set(name, shard);
      tensors.set(name, info);
    }
  } catch (error) {
    close();
    throw error;
  }
  const owner = (name: string): TensorSource => {
    const shard = owners.get(name);
    if (!shard) throw new EntailError("data", `${indexPath}: has no tensor "${name}"`);
    return shard;
  };
  return {
    tensors,
    metadata,
    fileOf: (name) => owner(name).fileOf(name),
    readTensor: async (name, window) => await owner(name).readTensor(name, window),
    readIntegers: async (name, window) => await owner(name).readIntegers(name, window),
    close,
  };
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
