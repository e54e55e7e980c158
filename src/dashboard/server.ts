/**
 * The live page and what it asks for. It changes nothing, sends no text of a post, and reads studies and runs again only
 * where they have changed.
 *
 * | GET | answer |
 * | --- | --- |
 * | `/` | the page |
 * | `/api/studies` | every study: `StudySummary` |
 * | `/api/studies/NAME` | one of them |
 * | `/api/studies/NAME/trials` | its trials: `TrialRow`; `?curves=0` leaves out their intermediate values, `?numbers=1,2` other trials |
 * | `/api/studies/NAME/importances` | `[name, share]` of each parameter, the largest first |
 * | `/api/runs` | every run: `RunSummary` |
 * | `/api/runs/RUN` | one of them, with what its folds logged |
 * | `/api/compare?run=A&run=B` | runs side by side, as `compare --json` |
 * | `/report/study/NAME`, `/report/run/RUN` | the report as it would be made now |
 * | `/events` | server-sent events: `study`, `run` (a summary), `trials` (rows that have changed), `log` (entries that were appended), `study_removed`, `run_removed`; first a summary of everything, then `ready` |
 *
 * Where two storages have a study of one name, `?storage_id=N` says which one is meant.
 */
import { EntailError } from "../errors.ts";
import { runReport } from "../report/run/run_report.ts";
import { studyReport } from "../report/study/study_report.ts";
import { compareRuns } from "../training/compare_runs.ts";
import { readRunResults } from "../training/run_results.ts";
import { type Access, gatekeeper, reportPolicy, secured } from "./access.ts";
import { asset } from "./assets.ts";
import { createEventHub } from "./events.ts";
import { jsonText } from "./json.ts";
import { rowOf } from "./rows.ts";
import { createRunFeed } from "./run_feed.ts";
import { runLogs } from "./run_logs.ts";
import { createStudyFeed, type WatchedStudy } from "./study_feed.ts";

export interface DashboardOptions extends Access {
  port: number;
  /** URLs of storages; one that is not there yet is waited for. */
  storages: readonly string[];
  /** Folders of runs, or that have some below them. */
  runs: readonly string[];
}

export interface Dashboard {
  readonly port: number;
  close(): Promise<void>;
}

/** Milliseconds between two looks at what is shown, while a page is open. */
const LOOK_MS = 1000;

class NotFound extends Error {}

/** Serves until it is closed. Usage error where it cannot listen. */
export function serveDashboard({ host, port, token, storages, runs }: DashboardOptions): Dashboard {
  const hub = createEventHub();
  const studyFeed = createStudyFeed(storages, hub.publish);
  const runFeed = createRunFeed(runs, hub.publish);
  const admit = gatekeeper({ host, token });

  const timer = setInterval(async () => {
    if (hub.listeners() === 0) return;
    // What goes wrong at this look is tried again at the next.
    await Promise.allSettled([studyFeed.refresh(), runFeed.refresh()]);
  }, LOOK_MS);

  function studyAt(name: string, url: URL): WatchedStudy {
    const id = url.searchParams.get("storage_id");
    const study = studyFeed.find(name, id === null ? null : Number(id));
    if (study === undefined) throw new NotFound(`there is no study ${name}`);
    if ("error" in study.summary) throw new EntailError("data", study.summary.error);
    return study;
  }

  function folderAt(run: string): string {
    const folder = runFeed.folderOf(run);
    if (folder === undefined) throw new NotFound(`there is no run ${run}`);
    return folder;
  }

  async function answer(url: URL): Promise<Response> {
    const parts = url.pathname.split("/").slice(1).map(decoded);
    const [area, kind, name] = parts;
    const ofStudies = kind === "studies" || kind === "study";
    if (area === "events" && parts.length === 1) {
      await Promise.all([studyFeed.refresh({ search: true }), runFeed.refresh({ search: true })]);
      return hub.subscribe([
        ...studyFeed.studies().map(({ summary }) => ["study", jsonText(summary)] as const),
        ...runFeed.summaries().map((summary) => ["run", jsonText(summary)] as const),
        ["ready", "{}"],
      ]);
    }
    if (area === "api" || area === "report") await (ofStudies ? studyFeed : runFeed).refresh({ search: true });
    switch (`${area}/${kind}/${parts.length > 3 ? parts.slice(3).join("/") : ""}`) {
      case "api/studies/":
        if (parts.length === 2) return json(studyFeed.studies().map(({ summary }) => summary));
        return json(studyAt(name, url).summary);
      case "api/studies/trials":
        return json(rowsAsked(studyAt(name, url), url));
      case "api/studies/importances":
        return json(studyFeed.importances(studyAt(name, url)));
      case "api/runs/":
        if (parts.length === 2) return json(runFeed.summaries());
        return json(runLogs(folderAt(name), runFeed.summaries().find(({ run }) => run === name)!));
      case "api/compare/":
        if (parts.length === 2) return json(await comparison(url.searchParams.getAll("run")));
        break;
      case "report/study/": {
        if (parts.length !== 3) break;
        const { record, trials } = studyAt(name, url);
        return page((await studyReport(record, trials)).files);
      }
      case "report/run/":
        if (parts.length === 3) return page(await runReport(await readRunResults(folderAt(name))));
    }
    const file = await asset(url.pathname);
    if (file === null) throw new NotFound(`${url.pathname}: there is nothing here`);
    return file;
  }

  async function comparison(names: readonly string[]) {
    if (new Set(names).size < 2) throw new EntailError("usage", "name two or more runs: ?run=A&run=B");
    const compared = await compareRuns(names.map(folderAt));
    // By the names that were asked for, not the folders that they stand for.
    const nameOf = new Map(names.map((name) => [folderAt(name), name]));
    return {
      ...compared,
      runs: compared.runs.map((each) => ({ ...each, run: nameOf.get(each.run) })),
      comparisons: compared.comparisons.map((each) => ({
        ...each,
        first: nameOf.get(each.first),
        second: nameOf.get(each.second),
      })),
    };
  }

  const server = listen({ hostname: host, port }, async (request) => {
    const admitted = admit(request);
    if (admitted instanceof Response) return secured(admitted, new Headers());
    const response = await answer(new URL(request.url)).catch(failure);
    return secured(response, admitted);
  });
  return {
    port: server.addr.port,
    async close() {
      clearInterval(timer);
      hub.close();
      await server.shutdown();
      await studyFeed.close();
    },
  };
}

function listen(
  { hostname, port }: { hostname: string; port: number },
  handler: (request: Request) => Promise<Response>,
): Deno.HttpServer<Deno.NetAddr> {
  try {
    return Deno.serve({ hostname, port, onListen() {} }, handler);
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) {
      throw new EntailError("usage", `--port ${port}: is taken; choose another, or 0 for any that is free`);
    }
    throw new EntailError("usage", `--host ${hostname} --port ${port}: cannot listen: ${(error as Error).message}`);
  }
}

/** A part of a path; null, which names nothing, where it is no text. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new NotFound(`${part}: is not a name`);
  }
}

function rowsAsked({ trials }: WatchedStudy, { searchParams }: URL) {
  const numbers = searchParams.get("numbers")?.split(",").map(Number);
  const asked = numbers === undefined ? trials : trials.filter(({ number }) => numbers.includes(number));
  return asked.map((trial) => rowOf(trial, { curves: searchParams.get("curves") !== "0" }));
}

const json = (value: unknown, status = 200): Response =>
  new Response(jsonText(value), { status, headers: { "content-type": "application/json" } });

function page(files: ReadonlyMap<string, string>): Response {
  const html = files.get("report.html")!;
  const headers = { "content-type": "text/html; charset=utf-8", "content-security-policy": reportPolicy(html) };
  return new Response(html, { headers });
}

/** What cannot be shown is no reason to end. */
function failure(error: unknown): Response {
  if (error instanceof NotFound) return json({ error: error.message }, 404);
  if (error instanceof EntailError) return json({ error: error.message }, 422);
  console.error(error);
  return json({ error: "the server has failed to answer; its console says more" }, 500);
}
