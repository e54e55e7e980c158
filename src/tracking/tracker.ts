/**
 * Runs for MLflow: in a folder that it reads, or on a tracking server. Every call returns at once; a store that is
 * slow or away delays nothing, and what it has not got waits in a journal.
 */
import { randomBytes } from "node:crypto";
import { userInfo } from "node:os";
import { basename, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { EntailError } from "../errors.ts";
import { withoutPasswords } from "../formats/secrets.ts";
import { artifactFiles } from "./artifact_files.ts";
import { DEFAULT_PATIENCE, type Delivery, type Patience, startDelivery } from "./delivery.ts";
import { openFileStore } from "./file_store.ts";
import { openJournal } from "./journal.ts";
import { isKey, MAX_PARAM, MAX_TAG, within } from "./limits.ts";
import type { MetricPoint, RunStatus } from "./operations.ts";
import { createRestClient, serverAddress } from "./rest_client.ts";
import { createRestStore } from "./rest_store.ts";

export interface TrackerOptions {
  experimentName: string;
  /** What made the runs, for example "entail train". */
  source: string;
  /** Where a journal of what a server has not got yet is kept. */
  spoolFolder: string;
  /** One line of text for people: where the runs are, what goes wrong for now. */
  onNotice(line: string): void;
  /** The same for what the store lacks when all is over. */
  onLack(line: string): void;
  patience?: Patience;
}

export interface RunOptions {
  name: string;
  /** The run that this one is a part of. */
  parent?: TrackedRun;
  /** The id of a run that is to go on; a run that the store does not have begins with this id. */
  id?: string;
  /** Other processes may begin the run with this id in the same moment. */
  shared?: boolean;
  tags?: Record<string, string>;
  /** Entries that MLflow would refuse or cut are left out. */
  params?: Record<string, string>;
}

export interface TrackedRun {
  /** 32 hexadecimal digits: the run's id in a folder, the tag `entail.run` on a server. */
  readonly id: string;
  /**
   * Adds a point to each metric's history; null is no value. Steps of a metric only grow: of a run that goes on, points
   * at steps that the store has are left out, unless the run is shared.
   */
  logMetrics(step: number, metrics: Record<string, number | null>): void;
  /** `runs`: tags whose values are runs, by their ids here. */
  setTags(tags: Record<string, string>, runs?: Record<string, string>): void;
  /** Files a text at `path` of the run's artifacts, replacing what is there. */
  logText(text: string, path: string): void;
  /** Files a file, or the files in a folder, under `folder` of the run's artifacts (its top without one). */
  logArtifact(path: string, folder?: string): void;
  /** A file that the run reads, with its digest, as a dataset. */
  logDataset(path: string, digest: string, context: string): void;
  end(status: Exclude<RunStatus, "RUNNING">, endTime?: number): void;
}

export interface Tracker {
  /** The folder, or the server's address without credentials. */
  readonly location: string;
  /** Where the runs are and how to look at them, in one line. */
  readonly description: string;
  startRun(options: RunOptions): TrackedRun;
  /** Ends a run that a process which has died began; nothing happens to a run that has ended or never began. */
  endLeftRun(id: string, status: Exclude<RunStatus, "RUNNING">, tags: Record<string, string>): void;
  /** Brings everything to the store, or says where the rest is. Never throws. */
  close(): Promise<void>;
}

export const newRunId = (): string => randomBytes(16).toString("hex");

/**
 * Opens the store that `mlflow.tracking_uri` names: `http(s)://…` is a server (which need not be up), `file:…` or a
 * path is a folder. Throws a usage error for a store that cannot be written from here.
 */
export async function openTracker(uri: string, options: TrackerOptions): Promise<Tracker> {
  const { delivery, location, description } = await openDelivery(uri, options);
  return {
    location,
    description,
    startRun: (run) => startRun(delivery, options, run),
    endLeftRun(run, status, tags) {
      const { experimentName: experiment } = options;
      delivery.push({ kind: "left", run, experiment, status, endTime: Date.now(), tags: within(tags, MAX_TAG) });
    },
    close: () => delivery.close(),
  };
}

type OpenDelivery = Pick<Tracker, "location" | "description"> & { delivery: Delivery };

async function openDelivery(uri: string, options: TrackerOptions): Promise<OpenDelivery> {
  const { onNotice, onLack, patience = DEFAULT_PATIENCE } = options;
  if (/^https?:\/\//.test(uri)) {
    if (!URL.canParse(uri)) {
      throw new EntailError("usage", `mlflow.tracking_uri: ${withoutPasswords(uri)} is not a web address`);
    }
    const address = serverAddress(uri);
    const store = createRestStore(createRestClient(uri, (name) => Deno.env.get(name)), patience.settleMs);
    const journal = openJournal(options.spoolFolder, address);
    return {
      delivery: startDelivery(store, { journal, storeName: address, onNotice, onLack, patience }),
      location: address,
      description: `MLflow: ${address}, experiment ${options.experimentName}`,
    };
  }
  const folder = storeFolder(uri);
  const store = await openFileStore(folder);
  return {
    delivery: startDelivery(store, { journal: null, storeName: folder, onNotice, onLack, patience }),
    location: folder,
    description: `MLflow: ${folder}, see it with MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri ${folder}`,
  };
}

/** The folder of a file store. Throws a usage error that names the key. */
export function storeFolder(uri: string): string {
  if (/^(databricks|databricks-uc|uc)(:|$)/i.test(uri)) {
    throw new EntailError(
      "usage",
      `mlflow.tracking_uri: ${withoutPasswords(uri)}: profiles of Databricks are not read; give the address of an ` +
        "MLflow server, as the workspace is one (https://…), a token in MLFLOW_TRACKING_TOKEN, and " +
        "mlflow.experiment_name=/Users/YOU/NAME",
    );
  }
  const scheme = uri.match(/^([A-Za-z][\w+.-]+):/)?.[1].toLowerCase();
  if (scheme && scheme !== "file") {
    const advice = /^(sqlite|postgresql|mysql|mssql)/.test(scheme)
      ? `MLflow changes its tables with every release; run mlflow server --backend-store-uri ${
        withoutPasswords(uri)
      } and give its address`
      : "give a folder or the address of an MLflow server";
    throw new EntailError("usage", `mlflow.tracking_uri: ${scheme}: cannot be written directly: ${advice}`);
  }
  const folder = resolve(pathOf(uri));
  if (basename(folder) === "mlruns") {
    throw new EntailError(
      "usage",
      `mlflow.tracking_uri: a folder called mlruns becomes MLflow's default store, which it then refuses to open; choose another name`,
    );
  }
  return folder;
}

/** The path in `file:relative`, `file:/absolute`, `file:///absolute` or a plain path. */
function pathOf(uri: string): string {
  if (/^file:\/\//i.test(uri)) {
    try {
      return fileURLToPath(uri);
    } catch (cause) {
      throw new EntailError("usage", `mlflow.tracking_uri: ${withoutPasswords(uri)} is not a folder of this machine`, {
        cause,
      });
    }
  }
  const path = uri.replace(/^file:/i, "");
  if (path === "") throw new EntailError("usage", "mlflow.tracking_uri: names no folder; write file:mlflow-store");
  return path;
}

function startRun(delivery: Delivery, { experimentName, source }: TrackerOptions, options: RunOptions): TrackedRun {
  const run = options.id ?? newRunId();
  delivery.push({
    kind: "start",
    run,
    experiment: experimentName,
    name: options.name,
    startTime: Date.now(),
    tags: within({
      ...options.tags,
      "mlflow.runName": options.name,
      "mlflow.user": userName(),
      "mlflow.source.type": "LOCAL",
      "mlflow.source.name": source,
    }, MAX_TAG),
    params: within(options.params ?? {}, MAX_PARAM),
    ...(options.parent && { parent: options.parent.id }),
    ...(options.shared && { shared: true }),
  });
  return {
    id: run,
    logMetrics(step, metrics) {
      const timestamp = Date.now();
      const points = Object.entries(metrics).flatMap(([key, value]): MetricPoint[] =>
        value === null || !isKey(key) ? [] : [{ key, value, timestamp, step }]
      );
      if (points.length > 0) delivery.push({ kind: "metrics", run, points });
    },
    setTags: (tags, runs) => delivery.push({ kind: "tags", run, tags: within(tags, MAX_TAG), ...(runs && { runs }) }),
    logText: (text, path) => delivery.push({ kind: "text", run, path, text }),
    logArtifact(path, folder = "") {
      for (const { file, folder: below, bytes, modified } of artifactFiles(resolve(path))) {
        const target = [folder, below].filter(Boolean).join("/");
        delivery.push({ kind: "artifact", run, file, folder: target, bytes, modified });
      }
    },
    logDataset(path, digest, context) {
      delivery.push({ kind: "dataset", run, name: basename(path), digest, path: resolve(path), context });
    },
    end: (status, endTime = Date.now()) => delivery.push({ kind: "end", run, status, endTime }),
  };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return "unknown"; // a user id without a name, as containers have
  }
}
