/**
 * What made a run: every setting that its numbers depend on, and digests of every file that they depend on. It stands in
 * `<output_dir>/run.json`; its id is in the checkpoints, in the header of model.safetensors. Where the files lie, what the
 * run is called and what only changes its speed are not part of it, so that a run folder may be moved or copied.
 */
import { isAbsolute, join } from "node:path";
import { type Config, parseConfigText, settingsOf } from "../config/config.ts";
import { EntailError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic_write.ts";
import { ADAPTER_CONFIG, adapterFile, weightFiles } from "../formats/checkpoint_tensors.ts";
import { filesDigest, textDigest } from "../formats/digest.ts";
import { inMegabytes } from "../formats/human.ts";
import { readTokenizerFolder } from "../tokenizers/folder.ts";
import { readJson } from "../formats/json.ts";
import type { Gpu } from "../gpu/device.ts";
import { modelFolder } from "../hub/model_folder.ts";
import type { WeightsFolder } from "../models/adapter.ts";
import type { Precision } from "../nn/plan.ts";
import { VERSION } from "../version.ts";
import { foldsCsv } from "./folds_file.ts";
import { LOSSES } from "./losses.ts";
import type { ModelSource } from "./model_source.ts";
import { choosePrecision } from "./precision.ts";
import { downloadReport, patiently, type Reporter } from "./reporter.ts";
import type { RunSplit } from "./run_data.ts";
import type { Truncation } from "./truncation.ts";

export const RECORD_FILE = "run.json";

/** What run.json holds. */
export interface RunRecord {
  /** Of the file's form. */
  version: 1;
  /** Digest of `settings` and `content` when the run was begun. */
  id: string;
  /** The settings by dotted key. */
  settings: Record<string, unknown>;
  /** SHA-256 by the key that names the file or folder; `tokenizer`, `folds.csv` and a program's `pairs` have no key. */
  content: Record<string, string>;
  /** Tokens of a micro-batch that `training.target_effective_batch_size` came to on this device; null without it. */
  token_budget: number | null;
  /** What `training.optimization.precision` came to on this adapter. */
  precision: Precision;
  /** How much of the pairs is cut off; null where nothing has been tokenized yet. */
  truncation: Truncation | null;
  /** What the same bits can only be expected of. */
  program: string;
  /** The adapter's name. */
  adapter: string;
  /** Where relative paths of config.yaml start. */
  directory: string;
}

/** Keys that change nothing in a run's numbers, and those of files, whose content counts instead. */
const NOT_PART_OF_A_RUN =
  /^(experiment_name|output_dir|checkpoint_dir|resume|overwrite|data\.(groundtruth_csv|criteria_json|annotations_csv|teacher_scores)|model\.(model_name|architecture\.tokenizer)|augmentation\.model_name|training\.(num_workers|eval_batch_size|recompute)|(mlflow|gpu|distributed|hpo)\..*)$/;

/** Which checkpoint of which run a model.safetensors is. */
export interface Marker extends Record<string, string> {
  run: string;
  fold: string;
}

export const markerOf = ({ id }: Pick<RunRecord, "id">, fold: number): Marker => ({ run: id, fold: `${fold}` });

const PROGRAM = `entail ${VERSION}, Deno ${Deno.version.deno}`;

/** Stands for the files of pairs that a program gave instead. */
export const GIVEN_PAIRS = "pairs";

/** The annotations count as part of a run even where nothing reads them; then the way out is to name none. */
async function annotationsDigest(path: string): Promise<string> {
  try {
    return await filesDigest([path]);
  } catch (error) {
    const { message } = error as Error;
    throw new EntailError(
      "data",
      `data.annotations_csv: ${message}; name the file, or set data.annotations_csv=null where nothing is augmented`,
      { cause: error },
    );
  }
}

/** The record of the run that a configuration describes. Reads every file that it depends on. */
export async function describeRun(
  config: Config,
  model: Pick<ModelSource, "tokenizerFolder" | "weights">,
  { pairs, folds, digest }: RunSplit,
  { gpu, reporter }: { gpu: Pick<Gpu, "kind" | "name">; reporter: Reporter },
): Promise<RunRecord> {
  const { data, model: { loss_type }, augmentation } = config;
  const content: Record<string, string> = {
    ...(digest === undefined
      ? {
        "data.groundtruth_csv": await filesDigest([data.groundtruth_csv]),
        "data.criteria_json": await filesDigest([data.criteria_json]),
      }
      : { [GIVEN_PAIRS]: digest }),
    "tokenizer": await tokenizerDigest(model.tokenizerFolder),
    "folds.csv": textDigest(foldsCsv(pairs, folds)),
  };
  if (data.annotations_csv !== null) content["data.annotations_csv"] = await annotationsDigest(data.annotations_csv);
  if (data.teacher_scores !== null && LOSSES[loss_type].teaching) {
    content["data.teacher_scores"] = await filesDigest([data.teacher_scores]);
  }
  const progress = inMegabytes(patiently(reporter, "reading the initial weights (MB)"));
  if (model.weights !== null) content["model.model_name"] = await modelDigest(model.weights, progress);
  if (augmentation.enable && augmentation.method === "contextual") {
    const folder = await modelFolder(augmentation.model_name!, downloadReport(reporter));
    content["augmentation.model_name"] = textDigest(
      await modelDigest(folder, progress) + await tokenizerDigest(folder),
    );
  }
  const settings = settingsOfRun(config);
  return {
    version: 1,
    id: textDigest(JSON.stringify([settings, content])).slice(0, 32),
    settings,
    content,
    token_budget: null,
    truncation: null,
    precision: choosePrecision(gpu, config.training.optimization.precision),
    program: PROGRAM,
    adapter: gpu.name,
    directory: Deno.cwd(),
  };
}

/** The settings that are part of a run, by dotted key. */
export const settingsOfRun = (config: Config): Record<string, unknown> =>
  Object.fromEntries(settingsOf(config).filter(([key]) => !NOT_PART_OF_A_RUN.test(key)));

/** Digest of a tokenizer: of its tokenizer.json, or of the one that its files make, and of the rules that hold. */
export async function tokenizerDigest(folder: string): Promise<string> {
  const { text, document: { model: _, ...rules } } = await readTokenizerFolder(folder);
  return textDigest(text + JSON.stringify(rules));
}

async function modelDigest(from: WeightsFolder, onProgress: (done: number, total: number) => void): Promise<string> {
  const folder = typeof from === "string" ? from : from.base;
  const files = [join(folder, "config.json"), ...await weightFiles(folder)];
  if (typeof from !== "string") files.push(join(from.adapter, ADAPTER_CONFIG), await adapterFile(from.adapter));
  return await filesDigest(files, onProgress);
}

/** What is different in the run of `now`, in words for a message; empty where it is the run of `before`. */
export function recordDifferences(before: RunRecord, now: RunRecord, config: Config): string[] {
  return [
    ...settingDifferences(before, config).map(({ key, was, is }) => `${key} is ${show(is)}, there ${show(was)}`),
    ...Object.keys({ ...before.content, ...now.content })
      .filter((key) => before.content[key] !== now.content[key])
      .map((key) => contentDifference(key, config)),
  ];
}

function contentDifference(key: string, config: Config): string {
  if (key === "folds.csv" || key === GIVEN_PAIRS) return `the ${key.replace(".csv", "")} are other ones`;
  const named = settingsOf(config).find(([name]) => name === key)?.[1];
  return `${key} has other content${typeof named === "string" ? ` (${named})` : ""}`;
}

/** Settings of a configuration that are not those of the run. A key that the record lacks had its default then. */
export function settingDifferences(
  { settings }: RunRecord,
  config: Config,
): { key: string; was: unknown; is: unknown }[] {
  const before = { ...settingsOfRun(parseConfigText("{}", "defaults")), ...settings };
  return Object.entries(settingsOfRun(config)).flatMap(([key, is]) => {
    const was = before[key];
    return JSON.stringify(was) === JSON.stringify(is) ? [] : [{ key, was, is }];
  });
}

const show = (value: unknown): string => value === undefined ? "absent" : JSON.stringify(value);

/** A notice where a run goes on under other conditions than it was begun. */
export function changedConditions(before: RunRecord, now: RunRecord): string | null {
  const changed = ([["program", "by"], ["adapter", "on"]] as const)
    .filter(([what]) => before[what] !== now[what])
    .map(([what, word]) => `${word} ${before[what]}, not ${now[what]}`);
  return changed.length === 0 ? null : `this run was begun ${changed.join(", and ")}: its bits may differ from here on`;
}

/** The record of the run in a folder; null where there is none. Data error for one that is damaged. */
export async function readRecord(outputDir: string): Promise<RunRecord | null> {
  const file = join(outputDir, RECORD_FILE);
  if (!await Deno.stat(file).then(() => true, () => false)) return null;
  const record = { token_budget: null, ...await readJson(file) as Partial<RunRecord> | null };
  const isMapping = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
  if (
    record.version !== 1 || typeof record.id !== "string" || typeof record.directory !== "string" ||
    !isMapping(record.settings) || !isMapping(record.content) ||
    !["fp32", "fp16", "bf16"].includes(record.precision!) ||
    !(record.token_budget === null || Number.isSafeInteger(record.token_budget) && record.token_budget > 0)
  ) {
    throw new EntailError("data", `${file}: not the record of a run; train anew with overwrite=true`);
  }
  return { truncation: null, ...record } as RunRecord;
}

export async function writeRecord(outputDir: string, record: RunRecord): Promise<void> {
  await writeFileAtomic(join(outputDir, RECORD_FILE), JSON.stringify(record, null, 2) + "\n");
}

/** A path of a run's config.yaml, seen from here: a relative one may have been meant from where the run was begun. */
export async function pathOfRun({ directory }: RunRecord, path: string): Promise<string> {
  if (isAbsolute(path) || await Deno.stat(path).then(() => true, () => false)) return path;
  return join(directory, path);
}
