/** What a folder or a hub id names: the weights of a model, or an adapter with the model that it belongs to. */
import { join } from "node:path";
import { EntailError } from "../errors.ts";
import { ADAPTER_CONFIG, isAdapterFolder } from "../formats/checkpoint_tensors.ts";
import { hasTokenizer, modelFolder, type ModelFolderOptions } from "../hub/model_folder.ts";
import type { WeightsFolder } from "../models/adapter.ts";
import { readAdapterConfig } from "../models/adapter_folder.ts";
import { readModelConfig } from "../models/checkpoint.ts";
import type { ModelConfig } from "../models/model_config.ts";

export interface CheckpointFolder {
  readonly weights: WeightsFolder;
  readonly config: ModelConfig;
  /** An adapter without a tokenizer has that of its base. */
  readonly tokenizerFolder: string;
}

/**
 * Finds a checkpoint and what it needs, downloading it if need be, and reads its configuration, for a task with
 * `numLabels` if given. Data errors.
 */
export async function openCheckpoint(
  name: string,
  { numLabels, ...download }: ModelFolderOptions & { numLabels?: number } = {},
): Promise<CheckpointFolder> {
  const task = { numLabels };
  const options = { accept: (folder: string) => readModelConfig(folder, task), ...download };
  const folder = await modelFolder(name, options);
  const weights = await withBase(folder, options);
  const isOwn = typeof weights === "string" || await hasTokenizer(folder);
  return { weights, config: await readModelConfig(weights, task), tokenizerFolder: isOwn ? folder : weights.base };
}

async function withBase(folder: string, options: ModelFolderOptions): Promise<WeightsFolder> {
  if (!await isAdapterFolder(folder)) return folder;
  const { base: { name, revision } } = await readAdapterConfig(folder);
  const where = `${join(folder, ADAPTER_CONFIG)}: base_model_name_or_path`;
  let base: string;
  try {
    base = await modelFolder(revision === null ? name : `${name}@${revision}`, options);
  } catch (error) {
    if (!(error instanceof EntailError) || error.kind !== "data") throw error;
    throw new EntailError("data", `${where}: ${error.message}`, { cause: error });
  }
  if (!await isAdapterFolder(base)) return { adapter: folder, base };
  throw new EntailError("data", `${where}: ${name}: is itself an adapter; merge it into a model first`);
}
