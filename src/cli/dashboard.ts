/** `dashboard`: a live page over runs and studies. */
import { randomBytes } from "node:crypto";
import { EntailError } from "../errors.ts";
import { isLoopback } from "../dashboard/access.ts";
import { serveDashboard } from "../dashboard/server.ts";
import { openStorage } from "../studies/open_storage.ts";
import { sqlitePath } from "../studies/sqlite_storage.ts";
import { resolveConfig } from "./context.ts";
import type { CommonOptions } from "./options.ts";
import { say } from "./say.ts";
import { isSqlite } from "./study_storage.ts";
import { printLine } from "./terminal.ts";

type DashboardOptions = CommonOptions & { port: number; host: string; token?: string };

/** Where runs are looked for that nobody names. */
const RUNS = "outputs";

export async function dashboard(given: string[], options: DashboardOptions, signal: AbortSignal): Promise<void> {
  const overrides = given.filter(isOverride);
  const config = resolveConfig(overrides, options);
  if (!config) return;
  const named = given.filter((text) => !isOverride(text));
  const places = { storages: [] as string[], runs: [] as string[] };
  for (const text of named) {
    const [kind, place] = await placeOf(text);
    places[kind].push(place);
  }
  if (named.length === 0) {
    places.runs.push(RUNS);
    if (config.hpo.storage !== null) places.storages.push(config.hpo.storage);
  }
  const { host, port } = options;
  const token = options.token ?? (isLoopback(host) ? null : randomBytes(18).toString("base64url"));
  const server = serveDashboard({ host, port, token, ...places });
  const isMade = token !== null && options.token === undefined;
  printLine(`http://${shownHost(host)}:${server.port}/${isMade ? `?token=${token}` : ""}`);
  if (!options.quiet) {
    if (options.token !== undefined) say("every request needs the token: ?token=…, or Authorization: Bearer …");
    say("Ctrl-C ends it");
  }
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  await server.close();
}

const isOverride = (text: string): boolean => /^(\+{1,2}|~)\w|^\w[\w.@/]*=/.test(text);

/** Where a browser finds what listens at every address: under the machine's name. */
function shownHost(host: string): string {
  if (host === "0.0.0.0" || host === "::") return Deno.hostname();
  return host.includes(":") ? `[${host}]` : host;
}

/** A folder is that of a run, or has some below it; a file is a database, as a URL is. Data error where it is not there. */
async function placeOf(text: string): Promise<["storages" | "runs", string]> {
  const isUrl = text.includes("://");
  const path = !isUrl ? text : isSqlite(text) ? sqlitePath(text) : null;
  if (path !== null && (await statOf(path)).isDirectory && !isUrl) return ["runs", text];
  const url = isUrl ? text : `sqlite:///${text}`;
  // What cannot be read is said at once, and not waited for.
  await (await openStorage(url, { readOnly: true })).close();
  return ["storages", url];
}

async function statOf(path: string): Promise<Deno.FileInfo> {
  try {
    return await Deno.stat(path);
  } catch {
    throw new EntailError("data", `${path}: no such file or folder; name the folder of a run, or a storage`);
  }
}
