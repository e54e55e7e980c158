/** The folder of a model that a folder or a hub id names, downloaded where it is not there yet. */
import { join } from "node:path";
import { EntailError } from "../errors.ts";
import {
  ADAPTER_CONFIG,
  ADAPTER_FILES,
  ADAPTER_MODEL_CONFIG,
  adapterFile,
  isAdapterFolder,
  shardNames,
  WEIGHT_FILES,
  weightFiles,
} from "../formats/checkpoint_tensors.ts";
import { fetchBlob, type StageProgress } from "./blobs.ts";
import { linkBlob, type RepoCache, repoCache } from "./cache.ts";
import { idText, isCommit, type ModelId, parseModelId } from "./model_id.ts";
import { describeFile, type Hub, type HubFile, HubUnavailable, shown } from "./requests.ts";
import { type HubSettings, hubSettings } from "./settings.ts";

const CONFIG_FILE = "config.json";

/** Each of these makes a tokenizer. */
const TOKENIZER_SETS: string[][] = [
  ["tokenizer.json"],
  ["spm.model"],
  ["sentencepiece.bpe.model"],
  ["vocab.txt"],
  ["vocab.json", "merges.txt"],
];
/** In this order, so that a tokenizer that is there has its settings too. */
const TOKENIZER_FILES = [
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  ...TOKENIZER_SETS.flat(),
];

export interface ModelFolderOptions {
  /** Checks config.json in the folder before the weights are downloaded. */
  accept?: (folder: string) => Promise<unknown>;
  info?: (line: string) => void;
  /** Begins a stage of a download; its result is called often. */
  stage?: StageProgress;
  signal?: AbortSignal;
}

/** What this process has found already: the hub is asked once. */
const found = new Map<string, string>();

/**
 * The folder that `name` is, or that of `org/name` or `org/name@revision` in Hugging Face's cache, where configuration,
 * tokenizer and one set of weights are downloaded unless they are there; of an adapter, what it has of these. Data errors
 * say what to do.
 */
export async function modelFolder(name: string, options: ModelFolderOptions = {}): Promise<string> {
  if (await isFolder(name)) return name;
  const id = parseModelId(name);
  if (id === null) {
    throw new EntailError(
      "data",
      `${name}: no such folder; name a Hugging Face folder, or a model of the hub as org/name or org/name@revision`,
    );
  }
  const settings = hubSettings();
  const key = JSON.stringify([id, settings.endpoint, settings.cache]);
  const folder = found.get(key) ?? await modelOfHub(id, settings, options);
  found.set(key, folder);
  return folder;
}

/** The folder of a model of the hub, as `settings` say. */
export async function modelOfHub(
  id: ModelId,
  settings: HubSettings,
  { accept = () => Promise.resolve(), info = () => {}, stage = () => () => {}, signal }: ModelFolderOptions = {},
): Promise<string> {
  const cache = repoCache(settings.cache, id.repo);
  const known = await cache.commitOf(id.revision);
  const missing = known !== undefined
    ? await missingPart(cache.snapshot(known))
    : await exists(cache.folder)
    ? "no such revision"
    : "nothing of it";
  if (settings.offline && missing !== null) {
    throw new EntailError(
      "data",
      `${
        idText(id)
      }: no such folder, and not whole in the cache ${cache.folder} (${missing}); HF_HUB_OFFLINE is set: ` +
        "unset it once to download it, or name a folder",
    );
  }
  if (missing === null && (settings.offline || isCommit(id.revision))) return cache.snapshot(known!);

  const hub: Hub = { settings, id, signal };
  const config = await describeFile(hub, CONFIG_FILE, id.revision).catch((error) => {
    if (!(error instanceof HubUnavailable)) throw error;
    if (missing !== null) throw new HubUnavailable(error.message.replace(": ", ": no such folder, and "));
    info(`${error.message.split(";")[0]}: going on with what the cache has`);
    return undefined;
  });
  if (config === undefined) return cache.snapshot(known!);
  const first = config ?? await describeFile(hub, ADAPTER_CONFIG, id.revision);
  if (first === null) {
    throw new EntailError("data", `${idText(id)}: has no ${CONFIG_FILE}; see ${shown(settings)}/${id.repo}`);
  }
  const { commit } = first;
  const folder = cache.snapshot(commit);
  if (await missingPart(folder) !== null) {
    info(`downloading ${idText(id)} into ${cache.folder}`);
    const fetched = (file: HubFile) => fetchFile({ ...hub, info, stage }, cache, file);
    await fetched(first);
    if (config !== null) await accept(folder);
    await fetchTokenizer(hub, folder, commit, { fetched, isNeeded: config !== null });
    await fetchWeights(hub, folder, commit, fetched);
  }
  await cache.remember(id.revision, commit);
  return folder;
}

/** What a snapshot lacks, in words; null where it is whole. */
async function missingPart(folder: string): Promise<string | null> {
  if (await isAdapterFolder(folder)) return await adapterFile(folder).then(() => null, () => `no ${ADAPTER_FILES[0]}`);
  if (!await exists(join(folder, CONFIG_FILE))) return `no ${CONFIG_FILE}`;
  if (!await hasTokenizer(folder)) return "no tokenizer";
  const weights = await weightFiles(folder).catch(() => null);
  if (weights === null) return "no weights";
  for (const file of weights) if (!await exists(file)) return `no ${file.slice(folder.length + 1)}`;
  return null;
}

export async function hasTokenizer(folder: string): Promise<boolean> {
  for (const set of TOKENIZER_SETS) {
    const there = await Promise.all(set.map((file) => exists(join(folder, file))));
    if (there.every((each) => each)) return true;
  }
  return false;
}

async function fetchFile(
  download: Parameters<typeof fetchBlob>[0],
  cache: RepoCache,
  file: HubFile,
): Promise<void> {
  const pointer = join(cache.snapshot(file.commit), file.name);
  if (await exists(pointer)) return;
  const blob = cache.blob(file.etag);
  await fetchBlob(download, file, blob, cache.lock(file.etag));
  await linkBlob(blob, pointer);
}

async function fetchTokenizer(
  hub: Hub,
  folder: string,
  commit: string,
  { fetched, isNeeded }: { fetched: (file: HubFile) => Promise<void>; isNeeded: boolean },
): Promise<void> {
  const files = await Promise.all(TOKENIZER_FILES.map((name) => describeFile(hub, name, commit)));
  for (const file of files) if (file) await fetched(file);
  if (!isNeeded || await hasTokenizer(folder)) return;
  const names = TOKENIZER_SETS.map((set) => set.join(" with ")).join(", ");
  throw new EntailError("data", `${idText(hub.id)}: has no tokenizer that can be read (${names})`);
}

/** The first set of weights that the repository has, its index before its shards; without any, its adapter. */
async function fetchWeights(
  hub: Hub,
  folder: string,
  commit: string,
  fetched: (file: HubFile) => Promise<void>,
): Promise<void> {
  for (const name of WEIGHT_FILES) {
    const file = await describeFile(hub, name, commit);
    if (file === null) continue;
    await fetched(file);
    if (!name.endsWith(".index.json")) return;
    for (const shard of await shardNames(join(folder, name))) {
      const described = await describeFile(hub, shard, commit);
      if (described === null) throw new EntailError("data", `${idText(hub.id)}: has no ${shard}, which ${name} names`);
      await fetched(described);
    }
    return;
  }
  for (const name of ADAPTER_FILES) {
    const [settings, file] = [await describeFile(hub, ADAPTER_CONFIG, commit), await describeFile(hub, name, commit)];
    if (settings === null || file === null) continue;
    const model = await describeFile(hub, ADAPTER_MODEL_CONFIG, commit);
    for (const each of model === null ? [settings, file] : [settings, model, file]) await fetched(each);
    return;
  }
  throw new EntailError("data", `${idText(hub.id)}: has no weights that can be read (${WEIGHT_FILES.join(", ")})`);
}

const exists = (path: string): Promise<boolean> => Deno.stat(path).then(() => true, () => false);

const isFolder = (path: string): Promise<boolean> => Deno.stat(path).then((info) => info.isDirectory, () => false);
