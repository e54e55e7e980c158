/** From the folder of a run to the checkpoint in it that one would predict with. */
import { join } from "node:path";
import { EntailError } from "../errors.ts";
import { ADAPTER_CONFIG } from "../formats/checkpoint_tensors.ts";
import { foldFolders, loadRun } from "./run_folder.ts";
import { RECORD_FILE } from "./run_record.ts";
import { judgedF1, peekState } from "./state.ts";

export interface RunCheckpoint {
  folder: string;
  /** A line about what was chosen; null: it was named itself. */
  notice: string | null;
}

/**
 * The checkpoint that a path means: itself where it is a model, `best` of a fold's folder, and of a run's folder, or of
 * its folder of checkpoints, the best one of the fold with the highest F1. Data error, with what is there, where a folder
 * has none.
 */
export async function checkpointOf(path: string): Promise<RunCheckpoint> {
  if (await isModel(path) || !await has(path, ".")) return { folder: path, notice: null };
  if (await isModel(join(path, "best"))) return { folder: join(path, "best"), notice: null };
  const root = await has(path, RECORD_FILE) ? (await loadRun(path)).config.checkpoint_dir : path;
  const found: { folder: string; f1: number }[] = [];
  for (const fold of await foldFolders(root)) {
    const folder = join(fold, "best");
    if (!await isModel(folder)) continue;
    const best = (await peekState(fold))?.best;
    found.push({ folder, f1: best ? judgedF1(best) : -1 });
  }
  if (found.length === 0) throw new EntailError("data", `${path}: has no checkpoint${await whatIsThere(path, root)}`);
  found.sort((a, b) => b.f1 - a.f1);
  const [{ folder, f1 }] = found;
  const among = found.length === 1 ? "the only fold with a checkpoint" : `the highest F1 of ${found.length} folds`;
  return { folder, notice: `${folder}: ${among}${f1 < 0 ? "" : ` (${f1.toFixed(4)})`}` };
}

const has = (folder: string, name: string): Promise<boolean> =>
  Deno.stat(join(folder, name)).then(() => true, () => false);

const isModel = async (folder: string): Promise<boolean> =>
  await has(folder, "config.json") || await has(folder, ADAPTER_CONFIG);

/** The most names that a message lists. */
const MOST_NAMES = 8;

async function whatIsThere(path: string, root: string): Promise<string> {
  if (root !== path || await has(path, RECORD_FILE)) {
    return `: the run has none in ${root} yet; train writes the first after an epoch`;
  }
  const names: string[] = [];
  for await (const { name } of Deno.readDir(path)) names.push(name);
  const more = names.length > MOST_NAMES ? `, and ${names.length - MOST_NAMES} more` : "";
  const inside = names.length === 0
    ? "the folder is empty"
    : `there is ${names.sort().slice(0, MOST_NAMES).join(", ")}${more}`;
  return `, no config.json: ${inside}; name a Hugging Face folder or the folder of a run`;
}
