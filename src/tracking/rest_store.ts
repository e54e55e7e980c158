/** Runs on an MLflow tracking server. */
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { copyArtifact } from "./artifact_files.ts";
import { MAX_BATCH } from "./limits.ts";
import {
  type ArtifactOperation,
  type Attempt,
  type MetricPoint,
  Refused,
  type StartOperation,
  type Store,
} from "./operations.ts";
import { type RestClient, ServerRefused } from "./rest_client.ts";

/** Marks a run on the server with the id that this program drew for it: the server picks one of its own. */
export const RUN_TAG = "entail.run";

/** The bytes that parameters or tags of one call may have together (a call may have 1 MB). */
const CHUNK_BYTES = 500_000;

interface RemoteRun {
  id: string;
  artifactUri: string;
  /** The last step of each metric when this process found the run; what a resumed run sends up to there is there. */
  lastSteps: Map<string, number>;
}

interface RunDocument {
  info: { run_id: string; artifact_uri: string };
  data: { metrics?: { key: string; step?: number | string }[]; params?: { key: string }[] };
}

export function createRestStore(client: RestClient): Store {
  const experiments = new Map<string, string>();
  const runs = new Map<string, RemoteRun>();

  function remote(run: string): RemoteRun {
    const found = runs.get(run);
    // The start of the run was refused, and that has been said.
    if (!found) throw new Refused("");
    return found;
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
      runs.set(operation.run, remoteRun(found));
      if (!operation.again) {
        await client.call("POST", "runs/update", { run_id: found.info.run_id, status: "RUNNING" }, attempt);
      }
    } else {
      if (operation.again) throw new Refused(`the run ${operation.name} is no longer there`);
      const parent = operation.parent && runs.get(operation.parent)?.id;
      const tags = { ...operation.tags, [RUN_TAG]: operation.run, ...(parent && { "mlflow.parentRunId": parent }) };
      const created = await client.call("POST", "runs/create", {
        experiment_id: experiment,
        run_name: operation.name,
        start_time: operation.startTime,
        tags: pairs(tags),
      }, attempt) as { run: RunDocument };
      runs.set(operation.run, remoteRun(created.run));
    }
    const there = new Set(found?.data.params?.map(({ key }) => key));
    const params = pairs(operation.params).filter(({ key }) => !there.has(key));
    for (const chunk of chunks(params, MAX_BATCH.params)) {
      await client.call("POST", "runs/log-batch", { run_id: remote(operation.run).id, params: chunk }, attempt);
    }
  }

  async function artifact({ run, file, folder }: ArtifactOperation, attempt: Attempt): Promise<void> {
    const { artifactUri } = remote(run);
    const served = artifactUri.match(/^mlflow-artifacts:(?:\/\/[^/]*)?\/(.*)$/);
    if (served) {
      const path = [served[1], folder, basename(file)].filter(Boolean).join("/");
      if (await client.putArtifact(path, file, attempt)) return;
      throw new Refused("it does not serve artifacts (start it without --no-serve-artifacts)");
    }
    const root = localFolder(artifactUri);
    if (root === null || !await isOurDisk(client.address, root)) {
      throw new Refused(`artifacts at ${artifactUri} are out of reach from here and were not sent`);
    }
    await copyArtifact(file, join(root, folder));
  }

  return {
    lingerMs: 1000,
    maxPoints: MAX_BATCH.metrics,
    async apply(operation, attempt) {
      if (operation.kind === "start") return await start(operation, attempt);
      const { id, lastSteps } = remote(operation.run);
      switch (operation.kind) {
        case "metrics": {
          const isNew = ({ key, step }: MetricPoint) => step > (lastSteps.get(key) ?? -Infinity);
          for (const metrics of chunks(operation.points.filter(isNew), MAX_BATCH.metrics)) {
            await client.call("POST", "runs/log-batch", { run_id: id, metrics }, attempt);
          }
          break;
        }
        case "tags":
          for (const tags of chunks(pairs(operation.tags), MAX_BATCH.tags)) {
            await client.call("POST", "runs/log-batch", { run_id: id, tags }, attempt);
          }
          break;
        case "artifact":
          return await artifact(operation, attempt);
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
    max_results: 1,
  }, attempt) as { runs?: RunDocument[] };
  return runs?.[0];
}

const remoteRun = ({ info, data }: RunDocument): RemoteRun => ({
  id: info.run_id,
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
