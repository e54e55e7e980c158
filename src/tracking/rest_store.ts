/** Runs on an MLflow tracking server. */
import { basename, dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { makeFolder } from "../formats/atomic_write.ts";
import { copyArtifact } from "./artifact_files.ts";
import { DATASET_CONTEXT, datasetEntry } from "./dataset_entry.ts";
import { MAX_BATCH } from "./limits.ts";
import {
  type ArtifactOperation,
  type Attempt,
  type LeftOperation,
  type MetricPoint,
  Refused,
  RefusedForNow,
  type StartOperation,
  type Store,
  type TagsOperation,
  type TextOperation,
} from "./operations.ts";
import { type RestClient, ServerRefused } from "./rest_client.ts";

/** Marks a run on the server with the id that this program drew for it: the server picks one of its own. */
export const RUN_TAG = "entail.run";

/** The bytes that parameters or tags of one call may have together (a call may have 1 MB). */
const CHUNK_BYTES = 500_000;

interface RemoteRun {
  id: string;
  experiment: string;
  artifactUri: string;
  /** The last step of each metric when this process found the run; what a resumed run sends up to there is there. */
  lastSteps: Map<string, number>;
}

interface RunDocument {
  info: { run_id: string; status: string; artifact_uri: string };
  data: { metrics?: { key: string; step?: number | string }[]; params?: { key: string }[] };
}

/** `settleMs`: how long a shared run waits, once created, for others that were created in the same moment. */
export function createRestStore(client: RestClient, settleMs: number): Store {
  const experiments = new Map<string, string>();
  const runs = new Map<string, RemoteRun>();
  /** Runs that somebody has deleted on the server. */
  const gone = new Set<string>();

  function remote(run: string): RemoteRun {
    const found = runs.get(run);
    if (found) return found;
    // The start of the run was refused, and that has been said.
    throw gone.has(run) ? new Refused("") : new RefusedForNow("");
  }

  async function experimentId(name: string, attempt: Attempt): Promise<string> {
    const known = experiments.get(name);
    if (known) return known;
    const id = await findExperiment(client, name, attempt) ?? await createExperiment(client, name, attempt);
    experiments.set(name, id);
    return id;
  }

  async function start(operation: StartOperation, attempt: Attempt): Promise<void> {
    const experiment = await experimentId(operation.experiment, attempt);
    const found = await findRun(client, experiment, operation.run, attempt);
    if (found) {
      runs.set(operation.run, remoteRun(found, experiment));
      if (!operation.again) {
        await client.call("POST", "runs/update", { run_id: found.info.run_id, status: "RUNNING" }, attempt);
      }
    } else {
      if (operation.again) {
        gone.add(operation.run);
        throw new Refused(`the run ${operation.name} is no longer there`);
      }
      const parent = operation.parent && !gone.has(operation.parent) && remote(operation.parent).id;
      const tags = { ...operation.tags, [RUN_TAG]: operation.run, ...(parent && { "mlflow.parentRunId": parent }) };
      const { run: created } = await client.call("POST", "runs/create", {
        experiment_id: experiment,
        run_name: operation.name,
        start_time: operation.startTime,
        tags: pairs(tags),
      }, attempt) as { run: RunDocument };
      const settled = operation.shared ? await settle(operation.run, experiment, created, attempt) : created;
      runs.set(operation.run, remoteRun(settled, experiment));
    }
    // What other processes have sent says nothing about this one's points.
    if (operation.shared) remote(operation.run).lastSteps.clear();
    const there = new Set(found?.data.params?.map(({ key }) => key));
    const params = pairs(operation.params).filter(({ key }) => !there.has(key));
    try {
      for (const chunk of chunks(params, MAX_BATCH.params)) {
        await client.call("POST", "runs/log-batch", { run_id: remote(operation.run).id, params: chunk }, attempt);
      }
    } catch (error) {
      // The run has begun all the same.
      throw error instanceof RefusedForNow ? new RefusedForNow(error.message, { ...operation, again: true }) : error;
    }
  }

  /** A server has no ids of ours that are unique: of runs that processes created at once, the lowest id stays. */
  async function settle(run: string, experiment: string, created: RunDocument, attempt: Attempt): Promise<RunDocument> {
    await pause(settleMs, undefined, { signal: attempt.signal });
    const first = await findRun(client, experiment, run, attempt) ?? created;
    const { run_id } = created.info;
    if (first.info.run_id !== run_id) await client.call("POST", "runs/delete", { run_id }, attempt);
    return first;
  }

  async function setTags(id: string, entries: Record<string, string>, attempt: Attempt): Promise<void> {
    for (const tags of chunks(pairs(entries), MAX_BATCH.tags)) {
      await client.call("POST", "runs/log-batch", { run_id: id, tags }, attempt);
    }
  }

  /** With the server's own ids of the runs that tags name. */
  async function allTags({ run, tags, runs: named = {} }: TagsOperation, attempt: Attempt) {
    const all = { ...tags };
    for (const [key, ours] of Object.entries(named)) {
      const id = runs.get(ours)?.id ?? (await findRun(client, remote(run).experiment, ours, attempt))?.info.run_id;
      if (id) all[key] = id;
    }
    return all;
  }

  async function endLeft({ experiment, run, status, endTime, tags }: LeftOperation, attempt: Attempt): Promise<void> {
    const found = await findRun(client, await experimentId(experiment, attempt), run, attempt);
    if (found?.info.status !== "RUNNING") return;
    const { run_id } = found.info;
    await setTags(run_id, tags, attempt);
    await client.call("POST", "runs/update", { run_id, status, end_time: endTime }, attempt);
  }

  async function artifact(operation: ArtifactOperation | TextOperation, attempt: Attempt): Promise<void> {
    const { artifactUri } = remote(operation.run);
    const target = operation.kind === "text" ? operation.path : join(operation.folder, basename(operation.file));
    const served = artifactUri.match(/^mlflow-artifacts:(?:\/\/[^/]*)?\/(.*)$/);
    if (served) {
      const bytes = operation.kind === "text"
        ? new TextEncoder().encode(operation.text)
        : await Deno.readFile(operation.file);
      if (await client.putArtifact(`${served[1]}/${target.replaceAll("\\", "/")}`, bytes, attempt)) return;
      throw new Refused("it does not serve artifacts (start it without --no-serve-artifacts)");
    }
    const root = localFolder(artifactUri);
    if (root === null || !await isOurDisk(client.address, root)) {
      throw new Refused(`artifacts at ${artifactUri} are out of reach from here and were not sent`);
    }
    const folder = dirname(join(root, target));
    if (operation.kind === "artifact") return await copyArtifact(operation.file, folder);
    await makeFolder(folder);
    await Deno.writeTextFile(join(root, target), operation.text);
  }

  return {
    lingerMs: 1000,
    maxPoints: MAX_BATCH.metrics,
    async apply(operation, attempt) {
      if (operation.kind === "start") return await start(operation, attempt);
      if (operation.kind === "left") return await endLeft(operation, attempt);
      const { id, lastSteps } = remote(operation.run);
      switch (operation.kind) {
        case "metrics": {
          const isNew = ({ key, step }: MetricPoint) => operation.again || step > (lastSteps.get(key) ?? -Infinity);
          for (const metrics of chunks(operation.points.filter(isNew), MAX_BATCH.metrics)) {
            await client.call("POST", "runs/log-batch", { run_id: id, metrics }, attempt);
          }
          break;
        }
        case "tags":
          return await setTags(id, await allTags(operation, attempt), attempt);
        case "text":
        case "artifact":
          return await artifact(operation, attempt);
        case "dataset": {
          const tags = [{ key: DATASET_CONTEXT, value: operation.context }];
          const datasets = [{ dataset: datasetEntry(operation), tags }];
          return void await client.call("POST", "runs/log-inputs", { run_id: id, datasets }, attempt);
        }
        case "end":
          await client.call("POST", "runs/update", {
            run_id: id,
            status: operation.status,
            end_time: operation.endTime,
          }, attempt);
      }
    },
  };
}

async function findExperiment(client: RestClient, name: string, attempt: Attempt): Promise<string | null> {
  try {
    const path = `experiments/get-by-name?experiment_name=${encodeURIComponent(name)}`;
    const { experiment } = await client.call("GET", path, null, attempt) as {
      experiment: { experiment_id: string; lifecycle_stage?: string };
    };
    // Not a refusal: what belongs to the experiment is kept until it is restored.
    if (experiment.lifecycle_stage === "deleted") {
      throw new Error(`the experiment ${name} is deleted there; restore it`);
    }
    return experiment.experiment_id;
  } catch (error) {
    if (error instanceof ServerRefused && error.code === "RESOURCE_DOES_NOT_EXIST") return null;
    throw error;
  }
}

/** Another process may create it in the same moment. */
async function createExperiment(client: RestClient, name: string, attempt: Attempt): Promise<string> {
  try {
    return (await client.call("POST", "experiments/create", { name }, attempt) as { experiment_id: string })
      .experiment_id;
  } catch (error) {
    if (!(error instanceof ServerRefused) || error.code !== "RESOURCE_ALREADY_EXISTS") throw error;
    const found = await findExperiment(client, name, attempt);
    if (found === null) throw error;
    return found;
  }
}

async function findRun(
  client: RestClient,
  experiment: string,
  run: string,
  attempt: Attempt,
): Promise<RunDocument | undefined> {
  const { runs } = await client.call("POST", "runs/search", {
    experiment_ids: [experiment],
    filter: `tags.${RUN_TAG} = '${run}'`,
    max_results: 100,
  }, attempt) as { runs?: RunDocument[] };
  return runs?.reduce((first, other) => other.info.run_id < first.info.run_id ? other : first);
}

const remoteRun = ({ info, data }: RunDocument, experiment: string): RemoteRun => ({
  id: info.run_id,
  experiment,
  artifactUri: info.artifact_uri,
  lastSteps: new Map(data?.metrics?.map(({ key, step }) => [key, Number(step ?? 0)])),
});

const pairs = (entries: Record<string, string>) => Object.entries(entries).map(([key, value]) => ({ key, value }));

/** Cuts a list into pieces that one call takes. */
function chunks<T extends object>(items: readonly T[], most: number): T[][] {
  const result: T[][] = [];
  let bytes = Infinity;
  for (const item of items) {
    const size = new TextEncoder().encode(JSON.stringify(item)).length;
    if (bytes + size > CHUNK_BYTES || result.at(-1)!.length === most) {
      result.push([]);
      bytes = 0;
    }
    result.at(-1)!.push(item);
    bytes += size;
  }
  return result;
}

/** The folder that an artifact URI without a server names; null if it is no path. */
function localFolder(uri: string): string | null {
  if (uri.startsWith("file:")) return fileURLToPath(uri);
  return uri.startsWith("/") ? uri : null;
}

/** Whether a server's folder is this machine's: the server runs here, or its experiment's folder is mounted here. */
async function isOurDisk(address: string, root: string): Promise<boolean> {
  if (/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(address).hostname)) return true;
  const experiment = dirname(dirname(root));
  return await Deno.stat(experiment).then(({ isDirectory }) => isDirectory, () => false);
}
