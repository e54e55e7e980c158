/**
 * Entering the folder of a run: alone, and only as the run that is there. What is refused changes nothing; what an
 * `overwrite` replaces is removed only when the new run is ready to begin.
 */
import { basename, isAbsolute, join, relative } from "node:path";
import { type Config, loadConfigFile, printConfig } from "../config/config.ts";
import { readMarker } from "../models/checkpoint.ts";
import { EntailError } from "../errors.ts";
import { recoverFolder } from "../formats/atomic_folder.ts";
import { makeFolder, writeError, writeFileAtomic } from "../formats/atomic_write.ts";
import { KERNELS_FILE } from "./chosen_kernels.ts";
import { foldsCsv } from "./folds_file.ts";
import {
  changedConditions,
  type Marker,
  markerOf,
  readRecord,
  RECORD_FILE,
  recordDifferences,
  type RunRecord,
  writeRecord,
} from "./run_record.ts";
import type { RunSplit } from "./run_data.ts";
import { readState, type TrainerState } from "./state.ts";

export const foldFolder = (root: string, fold: number): string => join(root, `fold_${fold}`);

export const CONFIG_FILE = "config.yaml";
export const FOLDS_FILE = "folds.csv";
export const LENGTHS_FILE = "pair_lengths.csv";
export const SUMMARY_FILE = "summary.json";
/** What `eval` found when it was last asked, and what it was asked with: a `KeptEvaluation`. */
export const EVALUATION_FILE = "evaluation.json";

/** Makes both folders and keeps other processes from training in them. The result gives them free again. */
export async function lockRun({ output_dir, checkpoint_dir }: Config): Promise<() => void> {
  const locks: Deno.FsFile[] = [];
  const free = () => locks.forEach((lock) => lock.close());
  try {
    for (const folder of new Set([output_dir, checkpoint_dir])) {
      await makeFolder(folder);
      // A lock on the folder itself: it leaves nothing behind and ends with its process.
      const lock = await Deno.open(folder);
      locks.push(lock);
      if (await lock.tryLock(true)) continue;
      throw new EntailError(
        "usage",
        `${folder}: another train is at work in it; wait for it or choose another output_dir`,
      );
    }
    return free;
  } catch (error) {
    free();
    throw writeError(error, output_dir);
  }
}

export type Entry =
  | { kind: "new"; record: RunRecord }
  /** The run that is there, with the record that it was begun with. */
  | { kind: "same"; record: RunRecord; notice: string | null };

/**
 * Compares the run that `described` is with the one in the folders, if any. Usage error, naming what differs, where they
 * hold another one and `overwrite` is not set.
 */
export async function enterRun(config: Config, described: RunRecord, fold?: number): Promise<Entry> {
  const { output_dir, checkpoint_dir, overwrite } = config;
  const remedy = "overwrite=true starts anew, or choose another output_dir";
  const before = await recordToEnter(config);
  if (before === null) {
    const left = [...await foldFolders(output_dir), ...await foldFolders(checkpoint_dir)];
    for (const name of [CONFIG_FILE, FOLDS_FILE, SUMMARY_FILE]) {
      if (await exists(join(output_dir, name))) left.push(join(output_dir, name));
    }
    if (left.length > 0 && !overwrite) {
      throw new EntailError("usage", `${left[0]}: is of a run that ${output_dir} has no ${RECORD_FILE} of; ${remedy}`);
    }
    return { kind: "new", record: described };
  }
  const differing = recordDifferences(before, described, config);
  if (differing.length > 0) {
    if (overwrite) return { kind: "new", record: described };
    throw new EntailError("usage", `${output_dir}: holds another run: ${differing.join("; ")}; ${remedy}`);
  }
  for (const folder of await foldFolders(checkpoint_dir)) {
    if (fold !== undefined && basename(folder) !== `fold_${fold}`) continue;
    if (!overwrite) await checkMarkers(folder, markerOf(before, foldNumber(folder)));
  }
  return { kind: "same", record: before, notice: changedConditions(before, described) };
}

/** A damaged record is as good as none to a run that overwrites. */
async function recordToEnter({ output_dir, overwrite }: Config): Promise<RunRecord | null> {
  try {
    return await readRecord(output_dir);
  } catch (error) {
    if (overwrite && error instanceof EntailError) return null;
    throw error;
  }
}

/** Beside the folders of folds. */
const FILES = [RECORD_FILE, SUMMARY_FILE, EVALUATION_FILE, FOLDS_FILE, LENGTHS_FILE, CONFIG_FILE, KERNELS_FILE];

/**
 * Makes the folders those of a new run. The old record goes first and the new one comes before all else, so that a kill in
 * between leaves a folder that is refused or continued, never one that misleads.
 */
export async function beginRun(config: Config, record: RunRecord, split: RunSplit): Promise<void> {
  const { output_dir, checkpoint_dir } = config;
  for (const name of FILES) {
    await remove(join(output_dir, name));
  }
  for (const root of [output_dir, checkpoint_dir]) {
    for (const folder of await foldFolders(root)) await remove(folder);
  }
  await describeInFolder(config, record, split);
}

/** Writes what describes a run: its record, its configuration as of this sitting, its folds. */
export async function describeInFolder(config: Config, record: RunRecord, split: RunSplit): Promise<void> {
  await writeRecord(config.output_dir, record);
  await writeFileAtomic(join(config.output_dir, CONFIG_FILE), printConfig(config));
  await writeFileAtomic(join(config.output_dir, FOLDS_FILE), foldsCsv(split.pairs, split.folds));
}

/** Removes folds of the run at hand, which are to be trained anew. */
export async function clearFolds({ output_dir, checkpoint_dir }: Config, folds: readonly number[]): Promise<void> {
  for (const name of [SUMMARY_FILE, EVALUATION_FILE]) await remove(join(output_dir, name));
  for (const root of [output_dir, checkpoint_dir]) {
    for (const fold of folds) await remove(foldFolder(root, fold));
  }
}

/**
 * How far each fold has come; null where it has not begun, or is in `anew`, to be trained from its beginning. Data error
 * where a fold's best checkpoint is gone.
 */
export async function foldStates(
  config: Config,
  anew: readonly number[] = [],
): Promise<(TrainerState | null)[]> {
  const states: (TrainerState | null)[] = [];
  for (let fold = 0; fold < config.kfold.n_splits; fold++) {
    const folder = foldFolder(config.checkpoint_dir, fold);
    const state = anew.includes(fold) ? null : await readState(folder);
    if (state?.best && !await exists(join(folder, "best"))) {
      throw new EntailError(
        "data",
        `${
          join(folder, "best")
        }: is gone, but it was the fold's best checkpoint; bring it back, or train the fold anew ` +
          `with --fold ${fold} overwrite=true`,
      );
    }
    states.push(state);
  }
  return states;
}

/** A run that is there, with the configuration of its latest sitting. */
export interface OpenRun {
  /** Its own folders are where the run folder is now. */
  config: Config;
  /** What made it. */
  record: RunRecord;
}

/**
 * The configuration of the run in a folder, as it can be used from here: its own folders are where the run folder is now.
 * Data error where there is no run.
 */
export async function loadRun(outputDir: string): Promise<OpenRun> {
  const record = await readRecord(outputDir);
  if (record === null) {
    const found = await exists(join(outputDir, CONFIG_FILE));
    throw new EntailError(
      "data",
      found
        ? `${outputDir}: has no ${RECORD_FILE}, so nothing says what its checkpoints were trained on; train it anew`
        : `${join(outputDir, CONFIG_FILE)}: no such file; train first, or set output_dir to that of a run`,
    );
  }
  const config = loadConfigFile(join(outputDir, CONFIG_FILE));
  const inside = relative(config.output_dir, config.checkpoint_dir);
  const moved = !inside.startsWith("..") && !isAbsolute(inside);
  return {
    record,
    config: {
      ...config,
      output_dir: outputDir,
      checkpoint_dir: moved ? join(outputDir, inside) : config.checkpoint_dir,
    },
  };
}

/** Data error where a fold's folder of checkpoints has one that is of another run or fold. */
async function checkMarkers(folder: string, marker: Marker): Promise<void> {
  for (const name of ["best", "last"]) {
    const checkpoint = join(folder, name);
    recoverFolder(checkpoint);
    if (await exists(checkpoint)) await checkMarker(checkpoint, marker);
  }
}

/** Data error where a checkpoint is of another run or fold than `marker` says. */
export async function checkMarker(checkpoint: string, marker: Marker): Promise<void> {
  const { run, fold } = await readMarker(checkpoint);
  if (run === marker.run && fold === marker.fold) return;
  const whose = run === undefined
    ? "nothing says which run and fold it is of"
    : run === marker.run
    ? `it is of fold ${fold} of this run`
    : "it is of another run";
  throw new EntailError("data", `${checkpoint}: is not the checkpoint of fold ${marker.fold}: ${whose}`);
}

/** The folders `fold_K` in a folder, by K. */
export async function foldFolders(root: string): Promise<string[]> {
  const folders: string[] = [];
  try {
    for await (const { name } of Deno.readDir(root)) if (/^fold_\d+$/.test(name)) folders.push(join(root, name));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw writeError(error, root);
  }
  return folders.sort((a, b) => foldNumber(a) - foldNumber(b));
}

const foldNumber = (folder: string): number => Number(basename(folder).slice("fold_".length));

const exists = (path: string): Promise<boolean> => Deno.stat(path).then(() => true, () => false);

async function remove(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw writeError(error, path);
  }
}
