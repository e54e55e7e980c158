/** A small MLflow tracking server: the calls of its REST interface that a writer needs, as strict as MLflow 3.17. */

export interface ServedRun {
  run_id: string;
  run_name: string;
  experiment: string;
  status: string;
  start_time: number;
  end_time?: number;
  metrics: { key: string; value: number | string; timestamp: number; step: number }[];
  params: Record<string, string>;
  tags: Record<string, string>;
  artifacts: Record<string, Uint8Array>;
  datasets: { name: string; digest: string; source: string; source_type: string }[];
}

export interface MlflowServer {
  readonly uri: string;
  readonly port: number;
  readonly experiments: Map<string, string>;
  readonly runs: Map<string, ServedRun>;
  /** "METHOD path" of every call, in order. */
  readonly calls: string[];
  readonly authorizations: Set<string | null>;
  /** Answers before the server proper does; undefined: it goes on as usual. */
  before: (call: string) => Response | undefined | Promise<Response | undefined>;
  runNamed(name: string): ServedRun;
  stop(): Promise<void>;
}

type Body = Record<string, unknown>;
type Entry = { key: string; value: string };

const refuse = (status: number, code: string, message = code): Response =>
  Response.json({ error_code: code, message }, { status });
const invalid = (message: string) => refuse(400, "INVALID_PARAMETER_VALUE", message);

export function serveMlflow(
  { port = 0, servesArtifacts = true, artifactRoot = "mlflow-artifacts:" } = {},
): MlflowServer {
  const experiments = new Map<string, string>();
  const runs = new Map<string, ServedRun>();
  const calls: string[] = [];
  const authorizations = new Set<string | null>();

  const info = (run: ServedRun) => ({
    run_id: run.run_id,
    run_name: run.run_name,
    status: run.status,
    artifact_uri: `${artifactRoot}/${run.experiment}/${run.run_id}/artifacts`,
  });

  const document = (run: ServedRun) => {
    const latest = new Map<string, ServedRun["metrics"][number]>();
    for (const point of run.metrics) {
      if (point.step >= (latest.get(point.key)?.step ?? -Infinity)) latest.set(point.key, point);
    }
    const params = Object.entries(run.params).map(([key, value]) => ({ key, value }));
    return { info: info(run), data: { metrics: [...latest.values()], params } };
  };

  function createRun(body: Body): Response {
    const experiment = [...experiments.values()].find((id) => id === body.experiment_id);
    if (!experiment) return refuse(404, "RESOURCE_DOES_NOT_EXIST");
    const run: ServedRun = {
      run_id: crypto.randomUUID().replaceAll("-", ""),
      run_name: body.run_name as string,
      experiment,
      status: "RUNNING",
      start_time: body.start_time as number,
      metrics: [],
      params: {},
      tags: Object.fromEntries((body.tags as Entry[]).map(({ key, value }) => [key, value])),
      artifacts: {},
      datasets: [],
    };
    runs.set(run.run_id, run);
    return Response.json({ run: document(run) });
  }

  /** All or nothing, as MLflow's validation is. A point that is there already is not added again. */
  function logBatch(run: ServedRun, body: Body): Response {
    const { metrics = [], params = [], tags = [] } = body as {
      metrics?: ServedRun["metrics"];
      params?: Entry[];
      tags?: Entry[];
    };
    if (metrics.length > 1000 || params.length > 100 || tags.length > 100) return invalid("too many");
    for (const { value, timestamp, step } of metrics) {
      const isNumber = typeof value === "number" || ["NaN", "Infinity", "-Infinity"].includes(value);
      if (!isNumber || !Number.isInteger(timestamp) || !Number.isInteger(step)) return invalid("a metric");
    }
    for (const { key, value } of [...params, ...tags]) {
      if (typeof value !== "string" || !/^[\w\-. :/]{1,250}$/.test(key)) return invalid(`key ${key}`);
    }
    for (const { key, value } of params) {
      if (value.length > 6000) return invalid("a long value");
      if (key in run.params && run.params[key] !== value) return invalid(`Changing param values: ${key}`);
    }
    const textOf = (p: ServedRun["metrics"][number]) => JSON.stringify([p.key, p.value, p.timestamp, p.step]);
    const known = new Set(run.metrics.map(textOf));
    run.metrics.push(...metrics.filter((point) => !known.has(textOf(point))));
    for (const { key, value } of params) run.params[key] = value;
    for (const { key, value } of tags) run.tags[key] = value;
    return Response.json({});
  }

  function post(path: string, body: Body): Response {
    if (path === "experiments/create") {
      const name = body.name as string;
      if (experiments.has(name)) return refuse(400, "RESOURCE_ALREADY_EXISTS");
      experiments.set(name, `${experiments.size + 1}`);
      return Response.json({ experiment_id: experiments.get(name) });
    }
    if (path === "runs/create") return createRun(body);
    if (path === "runs/search") {
      const [, tag, value] = (body.filter as string).match(/^tags\.([\w.]+) = '(\w+)'$/)!;
      const found = [...runs.values()].filter((run) =>
        run.tags[tag] === value && (body.experiment_ids as string[]).includes(run.experiment)
      );
      return Response.json(found.length > 0 ? { runs: found.map(document) } : {});
    }
    if (path === "runs/delete") {
      if (!runs.delete(body.run_id as string)) return refuse(404, "RESOURCE_DOES_NOT_EXIST");
      return Response.json({});
    }
    const run = runs.get(body.run_id as string);
    if (!run) return refuse(404, "RESOURCE_DOES_NOT_EXIST", `Run with id=${body.run_id} not found`);
    if (path === "runs/log-batch") return logBatch(run, body);
    if (path === "runs/log-inputs") {
      const inputs = body.datasets as { dataset: ServedRun["datasets"][number] }[];
      for (const { dataset } of inputs) {
        if (dataset.digest.length > 36 || !JSON.parse(dataset.source).uri) return invalid("a dataset");
        if (!run.datasets.some(({ name, digest }) => name === dataset.name && digest === dataset.digest)) {
          run.datasets.push(dataset);
        }
      }
      return Response.json({});
    }
    if (path === "runs/update") {
      run.status = body.status as string;
      if (body.end_time !== undefined) run.end_time = body.end_time as number;
      return Response.json({ run_info: info(run) });
    }
    return new Response("not found", { status: 404 });
  }

  async function handle(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const bytes = new Uint8Array(await request.arrayBuffer());
    const api = url.pathname.match(/^\/api\/2\.0\/mlflow\/(.*)$/)?.[1];
    const call = `${request.method} ${api ?? url.pathname}`;
    calls.push(call);
    authorizations.add(request.headers.get("authorization"));
    const early = await server.before(call);
    if (early) return early;
    if (request.method === "PUT") {
      if (!servesArtifacts) return new Response("the server is started with --no-serve-artifacts", { status: 503 });
      const [, run, path] = url.pathname.match(/artifacts\/[^/]+\/([^/]+)\/artifacts\/(.*)$/)!;
      runs.get(run)!.artifacts[decodeURIComponent(path)] = bytes;
      return new Response(); // MLflow 3.17 says nothing here
    }
    if (api === "experiments/get-by-name") {
      const name = url.searchParams.get("experiment_name")!;
      const id = experiments.get(name);
      return id
        ? Response.json({ experiment: { experiment_id: id, name, lifecycle_stage: "active" } })
        : refuse(404, "RESOURCE_DOES_NOT_EXIST");
    }
    if (request.headers.get("content-type") !== "application/json" || bytes.length > 1_000_000) {
      return refuse(400, "BAD_REQUEST");
    }
    return post(api ?? "", JSON.parse(new TextDecoder().decode(bytes)));
  }

  const listener = Deno.serve({ port, hostname: "127.0.0.1", onListen() {} }, handle);
  const server: MlflowServer = {
    uri: `http://127.0.0.1:${listener.addr.port}`,
    port: listener.addr.port,
    experiments,
    runs,
    calls,
    authorizations,
    before: () => undefined,
    runNamed(name) {
      const found = [...runs.values()].filter((run) => run.run_name === name);
      if (found.length !== 1) throw new Error(`${found.length} runs are named ${name}`);
      return found[0];
    },
    stop: () => listener.shutdown(),
  };
  return server;
}
