/**
 * Runs as files, in the layout of MLflow's file store (3.17 reads it with MLFLOW_ALLOW_FILE_STORE=true, and
 * `mlflow migrate-filestore` takes it into a database). It needs no lock: a run is written by one process.
 */
import { createHash } from "node:crypto";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { stringify } from "../packages/yaml.ts";
import { makeFolder, writeFileAtomic } from "../formats/atomic_write.ts";
import { copyArtifact } from "./artifact_files.ts";
import { DATASET_CONTEXT, datasetEntry } from "./dataset_entry.ts";
import { type Meta, parseMeta, printMeta } from "./meta_file.ts";
import {
  type DatasetOperation,
  type LeftOperation,
  type MetricPoint,
  Refused,
  type RunStatus,
  type StartOperation,
  type Store,
  type TagsOperation,
} from "./operations.ts";

const STATUS: Record<RunStatus, number> = { RUNNING: 1, FINISHED: 3, FAILED: 4, KILLED: 5 };

interface OpenRun {
  folder: string;
  /** The last step of each metric before this process; what a resumed run logs up to there is there. */
  lastSteps: Map<string, number>;
}

/** Opens the store in `folder`, making it with its default experiment if there is none. */
export async function openFileStore(folder: string): Promise<Store> {
  const root = resolve(folder);
  await makeFolder(join(root, ".trash"));
  await makeExperiment(root, "0", "Default");
  const runs = new Map<string, OpenRun>();

  async function start(operation: StartOperation): Promise<void> {
    const experiment = await openExperiment(root, operation.experiment);
    const run = join(root, experiment, operation.run);
    const meta = await readMeta(run);
    if (!meta) {
      for (const part of ["metrics", "params", "tags", "artifacts"]) await makeFolder(join(run, part));
      const parent = operation.parent;
      await writeTexts(join(run, "tags"), { ...operation.tags, ...(parent && { "mlflow.parentRunId": parent }) });
      await writeTexts(join(run, "params"), operation.params);
    }
    await writeMeta(run, {
      artifact_uri: fileUri(join(run, "artifacts")),
      entry_point_name: "",
      experiment_id: experiment,
      lifecycle_stage: "active",
      run_id: operation.run,
      run_name: operation.name,
      source_name: "",
      source_type: 4,
      source_version: "",
      start_time: operation.startTime,
      tags: [],
      user_id: operation.tags["mlflow.user"] ?? "",
      ...meta,
      end_time: null,
      status: STATUS.RUNNING,
    });
    runs.set(operation.run, { folder: run, lastSteps: new Map() });
    if (meta) await readLastSteps(runs.get(operation.run)!);
    // What other processes have written says nothing about this one's points.
    if (operation.shared) runs.get(operation.run)!.lastSteps.clear();
  }

  async function endLeft({ experiment, run, status, endTime, tags }: LeftOperation): Promise<void> {
    const folder = join(root, await openExperiment(root, experiment), run);
    const meta = await readMeta(folder);
    if (meta?.status !== STATUS.RUNNING) return;
    await writeTexts(join(folder, "tags"), tags);
    await writeMeta(folder, { ...meta, status: STATUS[status], end_time: endTime });
  }

  return {
    lingerMs: 250,
    maxPoints: 100_000,
    async apply(operation) {
      if (operation.kind === "start") return await start(operation);
      if (operation.kind === "left") return await endLeft(operation);
      const run = runs.get(operation.run);
      if (!run) throw new Refused("");
      switch (operation.kind) {
        case "metrics":
          return await appendPoints(run, operation.points);
        case "tags":
          return await writeTexts(join(run.folder, "tags"), await allTags(run, operation));
        case "text":
          return await writeTexts(join(run.folder, "artifacts"), { [operation.path]: operation.text });
        case "artifact":
          return await copyArtifact(operation.file, join(run.folder, "artifacts", operation.folder));
        case "dataset":
          return await addDataset(run, operation);
        case "end": {
          const meta = await readMeta(run.folder);
          if (!meta) throw new Refused(`${run.folder} is no longer there`);
          await writeMeta(run.folder, { ...meta, status: STATUS[operation.status], end_time: operation.endTime });
        }
      }
    },
  };
}

async function allTags({ folder }: OpenRun, { tags, runs = {} }: TagsOperation): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [key, run] of Object.entries(runs)) {
    if (await readMeta(join(dirname(folder), run))) found[key] = run;
  }
  return { ...tags, ...found };
}

const md5 = (...texts: string[]): string =>
  texts.reduce((hash, text) => hash.update(text), createHash("md5")).digest("hex");

/** The dataset once in the experiment's folder, and in the run's that it was an input of it; ids as MLflow makes them. */
async function addDataset({ folder }: OpenRun, operation: DatasetOperation): Promise<void> {
  const { run, context } = operation;
  const dataset = datasetEntry(operation);
  const id = md5(dataset.name, dataset.digest);
  const input = {
    destination_id: id, // MLflow's own is this, too
    destination_type: "RUN",
    source_id: id,
    source_type: "DATASET",
    tags: { [DATASET_CONTEXT]: context },
  };
  await writeYaml(join(dirname(folder), "datasets", id), { ...dataset, profile: null, schema: null });
  await writeYaml(join(folder, "inputs", md5(id, run)), input);
}

async function writeYaml(folder: string, content: object): Promise<void> {
  await makeFolder(folder);
  await writeFileAtomic(join(folder, "meta.yaml"), stringify(content, { compat: "yaml-1.1", sortMapEntries: true }));
}

/** The experiment of that name. Its id follows from its name, so that processes that begin together agree on it. */
async function openExperiment(root: string, name: string): Promise<string> {
  for await (const { name: id, isDirectory } of Deno.readDir(root)) {
    if (!isDirectory || !/^\d+$/.test(id)) continue;
    const meta = await readMeta(join(root, id));
    if (meta?.name === name && meta.lifecycle_stage === "active") return id;
  }
  const digest = createHash("sha256").update(name).digest().readBigUInt64BE();
  const id = `${10n ** 17n + digest % (9n * 10n ** 17n)}`;
  await makeExperiment(root, id, name);
  return id;
}

async function makeExperiment(root: string, id: string, name: string): Promise<void> {
  const folder = join(root, id);
  if (await readMeta(folder)) return;
  const now = Date.now();
  await writeMeta(folder, {
    artifact_location: fileUri(folder),
    creation_time: now,
    experiment_id: id,
    last_update_time: now,
    lifecycle_stage: "active",
    name,
  });
}

const fileUri = (path: string): string => pathToFileURL(path).href;

async function readMeta(folder: string): Promise<Meta | null> {
  try {
    return parseMeta(await Deno.readTextFile(join(folder, "meta.yaml")));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

const writeMeta = (folder: string, meta: Meta) => writeFileAtomic(join(folder, "meta.yaml"), printMeta(meta));

/** A file per entry; a slash in a key makes a folder. */
async function writeTexts(folder: string, entries: Record<string, string>): Promise<void> {
  for (const [key, value] of Object.entries(entries)) {
    const path = join(folder, key);
    await makeFolder(dirname(path));
    await Deno.writeTextFile(path, value);
  }
}

/** A float as Python prints it where JavaScript's word is another. */
const pythonFloat = (value: number): string =>
  Number.isNaN(value) ? "nan" : value === Infinity ? "inf" : value === -Infinity ? "-inf" : `${value}`;

async function appendPoints({ folder, lastSteps }: OpenRun, points: readonly MetricPoint[]): Promise<void> {
  const files = new Map<string, string>();
  for (const { key, value, timestamp, step } of points) {
    if (step <= (lastSteps.get(key) ?? -Infinity)) continue;
    files.set(key, `${files.get(key) ?? ""}${timestamp} ${pythonFloat(value)} ${step}\n`);
  }
  for (const [key, lines] of files) {
    const path = join(folder, "metrics", key);
    await makeFolder(dirname(path));
    await Deno.writeTextFile(path, lines, { append: true });
  }
}

/** Finds the last step of every metric, and takes away a line that a kill cut off. */
async function readLastSteps(run: OpenRun): Promise<void> {
  const visit = async (folder: string, prefix: string): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      const path = join(folder, name);
      if (isDirectory) {
        await visit(path, `${prefix}${name}/`);
        continue;
      }
      const text = await Deno.readTextFile(path);
      const whole = text.slice(0, text.lastIndexOf("\n") + 1);
      if (whole === "") await Deno.remove(path); // MLflow takes an empty file for an error
      else if (whole !== text) await Deno.writeTextFile(path, whole);
      const last = whole.trimEnd().split("\n").at(-1)!.split(" ");
      if (last.length === 3) run.lastSteps.set(prefix + name, Number(last[2]));
    }
  };
  await visit(join(run.folder, "metrics"), "");
}
