/** Run folders as they go: of each log only what was appended is read. */
import { basename, join, relative, resolve } from "node:path";
import type { Config } from "../config/config.ts";
import { EntailError } from "../errors.ts";
import { readJson } from "../formats/json.ts";
import { LIVE_FILE, type LiveStatus } from "../training/live_status.ts";
import { type EpochEntry, type LogEntry, parseEntry, type StepEntry } from "../training/metrics_log.ts";
import { foldFolder, loadRun, SUMMARY_FILE } from "../training/run_folder.ts";
import { RECORD_FILE, type RunRecord } from "../training/run_record.ts";
import { peekState } from "../training/state.ts";
import type { Summary } from "../training/summary.ts";
import type { Publish } from "./events.ts";
import { jsonText } from "./json.ts";

export interface FoldSummary {
  fold: number;
  finished: boolean;
  /** Optimizer steps so far. */
  step: number;
  epoch: number;
  best_f1: number | null;
  best_epoch: number | null;
}

/** Names are those of the JSON. */
export interface RunSummary {
  run: string;
  id: string;
  experiment_name: string;
  /** stale: the process has given no sign of life for a while; stopped: neither running nor trained to its end. */
  status: "running" | "stale" | "finished" | "stopped";
  model: string | null;
  adapter: string;
  precision: string;
  n_splits: number;
  folds: FoldSummary[];
  /** Mean over the folds of their best F1 so far. */
  f1: number | null;
  /** Folds trained to their end, and the part of the one under way, as a share of all that are asked for. */
  progress: number;
  eta_seconds: number | null;
  device_busy: number | null;
  device_bytes: number | null;
  updated_at: string | null;
}

/** A run that cannot be read. */
export interface BrokenRun {
  run: string;
  error: string;
}

export interface RunFeed {
  /** Looks at the folders and publishes what is new; for new runs only now and then, unless that is asked for. */
  refresh(options?: { search?: boolean }): Promise<void>;
  summaries(): (RunSummary | BrokenRun)[];
  /** The folder of a run; undefined for one that is not shown. */
  folderOf(run: string): string | undefined;
}

interface FoldLog {
  bytes: number;
  inode: number | null;
  /** A line that is not written to its end. */
  rest: Uint8Array;
  lastStep: StepEntry | null;
  epochs: EpochEntry[];
  finished: boolean;
}

interface Watched {
  run: string;
  folder: string;
  /** Of run.json, as far as it was read. */
  version: string;
  described: { config: Config; record: RunRecord } | null;
  folds: Map<number, FoldLog>;
  summary: RunSummary | BrokenRun | null;
  summaryText: string;
}

/** How often folders are searched for new runs. */
const SEARCH_MS = 5000;

/** Folders below a run's that hold no runs, or too much to look through. */
const LEFT_OUT = /^(\.|checkpoints$|report$|fold_\d+$|node_modules$)/;

/** Folders below the named ones that are searched. */
const DEPTH = 4;

/** Milliseconds after which a live status is that of a process that has died. */
const SILENT_MS = 30_000;

/** Feeds the runs in the folders: each is a run's, or has those of runs below it. */
export function createRunFeed(roots: readonly string[], publish: Publish): RunFeed {
  const runs = new Map<string, Watched>();
  let searched = -Infinity;
  let looks = Promise.resolve();

  async function searchFolders(): Promise<void> {
    const found = new Set<string>();
    for (const root of roots) for await (const folder of runFolders(root)) found.add(resolve(folder));
    for (const folder of found) {
      const run = runName(folder);
      if (!runs.has(run)) runs.set(run, unseen(run, folder));
    }
    for (const [run, { folder }] of runs) {
      if (found.has(folder)) continue;
      runs.delete(run);
      publish("run_removed", jsonText({ run }));
    }
  }

  async function look(search: boolean): Promise<void> {
    if (search || performance.now() - searched > SEARCH_MS) {
      await searchFolders();
      searched = performance.now();
    }
    for (const run of runs.values()) await lookAt(run, publish);
  }

  return {
    refresh: ({ search = false } = {}) => looks = looks.catch(() => {}).then(() => look(search)),
    summaries: () => [...runs.values()].flatMap(({ summary }) => summary ?? []),
    folderOf: (run) => runs.get(run)?.folder,
  };
}

/** As it would be named on the command line, from the folder that the server was started in. */
function runName(folder: string): string {
  const inside = relative(Deno.cwd(), folder);
  return inside === "" ? basename(folder) : inside.startsWith("..") ? folder : inside;
}

async function* runFolders(folder: string, depth = DEPTH): AsyncGenerator<string> {
  const entries: Deno.DirEntry[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) entries.push(entry);
  } catch {
    return; // Not there yet, or not ours to read.
  }
  if (entries.some(({ name }) => name === RECORD_FILE)) yield folder;
  if (depth === 0) return;
  for (const { name, isDirectory } of entries) {
    if (isDirectory && !LEFT_OUT.test(name)) yield* runFolders(join(folder, name), depth - 1);
  }
}

const unseen = (run: string, folder: string): Watched => ({
  run,
  folder,
  version: "",
  described: null,
  folds: new Map(),
  summary: null,
  summaryText: "",
});

async function lookAt(run: Watched, publish: Publish): Promise<void> {
  try {
    const version = await versionOf(join(run.folder, RECORD_FILE));
    if (version === null) return; // About to be replaced, or gone: the next search will tell.
    if (version !== run.version) {
      const { config, record } = await loadRun(run.folder);
      run.version = version;
      if (run.described !== null && run.described.record.id !== record.id) {
        run.folds.clear();
        publish("log", jsonText({ run: run.run, fold: null, reset: true, entries: [] }));
      }
      run.described = { config, record };
    }
    const { config } = run.described!;
    for (let fold = 0; fold < config.kfold.n_splits; fold++) await readFold(run, fold, publish);
    run.summary = await summaryOf(run);
  } catch (error) {
    if (!(error instanceof EntailError)) throw error;
    run.summary = { run: run.run, error: error.message };
  }
  const text = jsonText(run.summary);
  if (text !== run.summaryText) publish("run", text);
  run.summaryText = text;
}

async function versionOf(path: string): Promise<string | null> {
  const info = await Deno.stat(path).catch(() => null);
  return info === null ? null : `${info.ino} ${info.mtime?.getTime()} ${info.size}`;
}

/** Reads what was appended to a fold's log; one that was replaced is read anew. */
async function readFold(watched: Watched, fold: number, publish: Publish): Promise<void> {
  const { run, folder, folds, described, summary } = watched;
  const path = join(foldFolder(folder, fold), "metrics.jsonl");
  const info = await Deno.stat(path).catch(() => null);
  if (info === null) return void folds.delete(fold);
  let log = folds.get(fold);
  const isReplaced = log !== undefined && (info.ino !== log.inode || info.size < log.bytes);
  if (log === undefined || isReplaced) {
    const empty = { bytes: 0, inode: info.ino, rest: new Uint8Array(), lastStep: null, epochs: [], finished: false };
    folds.set(fold, log = empty);
  }
  const entries = info.size === log.bytes ? [] : await appended(path, log, info.size);
  for (const entry of entries) {
    if ("step" in entry) log.lastStep = entry;
    else log.epochs.push(entry);
  }
  if (isReplaced) publish("log", jsonText({ run, fold, reset: true, entries: [] }));
  // What is there at the first look at a run is nobody's news.
  else if (summary !== null && entries.length > 0) publish("log", jsonText({ run, fold, reset: false, entries }));
  if (!log.finished) {
    const state = await peekState(foldFolder(described!.config.checkpoint_dir, fold)).catch(() => null);
    log.finished = state?.finished ?? false;
  }
}

async function appended(path: string, log: FoldLog, size: number): Promise<LogEntry[]> {
  const all = new Uint8Array(log.rest.length + size - log.bytes);
  all.set(log.rest);
  let length = log.rest.length;
  using file = await Deno.open(path);
  await file.seek(log.bytes, Deno.SeekMode.Start);
  while (length < all.length) {
    const read = await file.read(all.subarray(length));
    if (read === null) break;
    length += read;
    log.bytes += read;
  }
  const end = all.subarray(0, length).lastIndexOf(LINE_FEED) + 1;
  log.rest = all.slice(end, length);
  const lines = new TextDecoder().decode(all.subarray(0, end)).split("\n");
  return lines.map(parseEntry).filter((entry) => entry !== null);
}

const LINE_FEED = 10;

async function summaryOf({ run, folder, described, folds }: Watched): Promise<RunSummary> {
  const { config, record } = described!;
  const live = await readLive(folder);
  const summary = await readWhere<Summary>(join(folder, SUMMARY_FILE));
  const told = [...folds].sort(([a], [b]) => a - b).map(([fold, log]): FoldSummary => {
    const best = log.epochs.reduce<EpochEntry | null>((a, b) => a === null || b.eval_f1 > a.eval_f1 ? b : a, null);
    return {
      fold,
      finished: log.finished || (summary?.folds?.some((each) => each.fold === fold) ?? false),
      step: log.lastStep?.step ?? 0,
      epoch: log.epochs.at(-1)?.epoch ?? log.lastStep?.epoch ?? 0,
      best_f1: best?.eval_f1 ?? null,
      best_epoch: best?.epoch ?? null,
    };
  });
  const scores = told.flatMap(({ best_f1 }) => best_f1 ?? []);
  const { n_splits } = config.kfold;
  const asked = live?.folds.length ?? n_splits;
  const done = told.filter(({ fold, finished }) => finished && (live?.folds.includes(fold) ?? true)).length;
  const underWay =
    live !== null && live.fold !== null && !told.some(({ fold, finished }) => finished && fold === live.fold)
      ? (live.step ?? 0) / Math.max(live.steps ?? 1, 1)
      : 0;
  const isSilent = live !== null && Date.now() - Date.parse(live.updated_at) > SILENT_MS;
  const isOver = summary !== null && told.length === n_splits && told.every(({ finished }) => finished);
  const now = live !== null && !isSilent ? live : null;
  return {
    run,
    id: record.id,
    experiment_name: config.experiment_name,
    status: now !== null ? "running" : isOver ? "finished" : isSilent ? "stale" : "stopped",
    model: config.model.model_name === null ? null : basename(config.model.model_name),
    adapter: record.adapter,
    precision: record.precision,
    n_splits,
    folds: told,
    f1: scores.length === 0 ? null : scores.reduce((sum, f1) => sum + f1, 0) / scores.length,
    progress: Math.min((done + underWay) / asked, 1),
    eta_seconds: now?.eta_seconds ?? null,
    device_busy: now?.device_busy ?? null,
    device_bytes: now?.device_bytes ?? null,
    updated_at: live?.updated_at ?? null,
  };
}

const readLive = async (folder: string): Promise<LiveStatus | null> => {
  const live = await readWhere<LiveStatus>(join(folder, LIVE_FILE));
  return live !== null && Array.isArray(live.folds) ? live : null;
};

/** What a file holds; null where it is not there or not readable: others write it. */
async function readWhere<Kind>(path: string): Promise<Partial<Kind> & Kind | null> {
  try {
    return await readJson(path) as Kind;
  } catch {
    return null;
  }
}
