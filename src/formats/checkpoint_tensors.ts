import { join } from "node:path";
import { EntailError } from "../errors.ts";
import { readJson } from "./json.ts";
import { openSafetensors, type TensorInfo, type TensorSource } from "./safetensors.ts";

/**
 * Opens the weights of a Hugging Face folder: `model.safetensors`, or the shards that `model.safetensors.index.json`
 * lists. Data error where neither is there, a shard is missing, or a tensor is not in its shard.
 */
export async function openCheckpointTensors(folder: string): Promise<TensorSource> {
  const single = join(folder, "model.safetensors");
  if (await exists(single)) return await openSafetensors(single);
  const indexPath = join(folder, "model.safetensors.index.json");
  if (await exists(indexPath)) return await openShards(folder, indexPath);
  if (!await exists(folder)) throw new EntailError("data", `${folder}: no such folder`);
  const pickled = await exists(join(folder, "pytorch_model.bin"));
  const advice = pickled ? "it has pytorch_model.bin, convert it to safetensors" : "expected a Hugging Face folder";
  throw new EntailError("data", `${folder}: no model.safetensors (or model.safetensors.index.json), ${advice}`);
}

/** The files that `openCheckpointTensors` reads. */
export async function weightFiles(folder: string): Promise<string[]> {
  const single = join(folder, "model.safetensors");
  if (await exists(single)) return [single];
  const indexPath = join(folder, "model.safetensors.index.json");
  const index = await readJson(indexPath) as { weight_map: Record<string, string> };
  return [indexPath, ...[...new Set(Object.values(index.weight_map))].sort().map((file) => join(folder, file))];
}

async function openShards(folder: string, indexPath: string): Promise<TensorSource> {
  const index = await readJson(indexPath) as { weight_map?: unknown } | null;
  const weightMap = index?.weight_map;
  if (typeof weightMap !== "object" || weightMap === null || Array.isArray(weightMap)) {
    throw new EntailError("data", `${indexPath}: has no "weight_map" object`);
  }
  const shards = new Map<string, TensorSource>();
  const owners = new Map<string, TensorSource>();
  const tensors = new Map<string, TensorInfo>();
  const metadata: Record<string, string> = {};
  const close = (): void => shards.forEach((shard) => shard.close());
  try {
    for (const [name, file] of Object.entries(weightMap as Record<string, unknown>)) {
      if (typeof file !== "string" || file === "" || /[\\/]/.test(file)) {
        throw new EntailError("data", `${indexPath}: tensor "${name}": ${JSON.stringify(file)} is not a file name`);
      }
      let shard = shards.get(file);
      if (!shard) {
        shard = await openSafetensors(join(folder, file));
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
