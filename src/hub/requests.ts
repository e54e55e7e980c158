/** What is asked of the hub: what a file is, and its bytes. The interface is that of huggingface_hub 2.4. */
import { EntailError } from "../errors.ts";
import { inShort } from "../formats/human.ts";
import { withoutPasswords } from "../formats/secrets.ts";
import { systemReason } from "../formats/system_error.ts";
import { idText, isCommit, type ModelId } from "./model_id.ts";
import type { HubSettings } from "./settings.ts";

/** A file of a repository at a commit. */
export interface HubFile {
  name: string;
  commit: string;
  /** SHA-256 of a large file, git's blob id of a small one: the name of its content. */
  etag: string;
  /** Null where the hub does not say. */
  size: number | null;
}

/** The hub could not be reached or could not answer: whoever has the model may go on. */
export class HubUnavailable extends EntailError {
  constructor(message: string) {
    super("data", message);
  }
}

const MOST_REDIRECTS = 8;

export interface Hub {
  settings: HubSettings;
  id: ModelId;
  signal?: AbortSignal;
}

/** Asks what a file is at a revision; null where the repository has no such file. */
export async function describeFile(hub: Hub, name: string, revision: string): Promise<HubFile | null> {
  const { settings, id, signal } = hub;
  const waiting = AbortSignal.timeout(settings.answerMs);
  const response = await ask(hub, addressOf(hub, name, revision), {
    method: "HEAD",
    signal: signal ? AbortSignal.any([signal, waiting]) : waiting,
  });
  const found = (header: string) => response.hops.map((headers) => headers.get(header)).find((value) => value);
  // Once a commit is known, the repository is there: a file that is not found is none of its files.
  if (response.status === 404 && (found("x-error-code") === "EntryNotFound" || isCommit(revision))) return null;
  if (response.status >= 400) throw refusal(hub, response.status, response.last);
  const commit = found("x-repo-commit") ?? "";
  const etag = (found("x-linked-etag") ?? response.last.get("etag") ?? "").replace(/^W\/|"/g, "");
  if (!/^[0-9a-f]{40}$/.test(commit) || !/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(etag)) {
    throw new HubUnavailable(
      `${idText(id)}: ${shown(settings)} gives no commit and digest for ${name}, it is no Hugging Face hub; ` +
        "check HF_ENDPOINT and proxies",
    );
  }
  const size = found("x-linked-size") ?? (response.status < 300 ? response.last.get("content-length") : null);
  return { name, commit, etag, size: size == null ? null : Number(size) };
}

/** Asks for the bytes of a file from `begin` on. The caller reads or cancels the body. */
export async function openContent(
  hub: Hub,
  { name, commit }: HubFile,
  begin: number,
  signal: AbortSignal,
): Promise<{ status: number; headers: Headers; body: ReadableStream<Uint8Array> | null }> {
  const range = begin > 0 ? { range: `bytes=${begin}-` } : undefined;
  const response = await ask(hub, addressOf(hub, name, commit), { method: "GET", headers: range, signal });
  if (response.status >= 400 && response.status !== 416) {
    await response.body?.cancel();
    throw refusal(hub, response.status, response.last);
  }
  return { status: response.status, headers: response.last, body: response.body };
}

function addressOf({ settings, id }: Hub, name: string, revision: string): string {
  const file = name.split("/").map(encodeURIComponent).join("/");
  return `${settings.endpoint}/${id.repo}/resolve/${encodeURIComponent(revision)}/${file}`;
}

interface Answer {
  status: number;
  /** Headers of every answer on the way, and of the last. */
  hops: Headers[];
  last: Headers;
  body: ReadableStream<Uint8Array> | null;
}

/**
 * A request that follows redirects. The token is for the hub alone, not for where it sends us. A question about a file is
 * answered by the hub, wherever the file itself may lie.
 */
async function ask(hub: Hub, address: string, init: RequestInit): Promise<Answer> {
  const { settings: { token } } = hub;
  const origin = new URL(address).origin;
  const hops: Headers[] = [];
  for (let url = new URL(address); hops.length <= MOST_REDIRECTS;) {
    const headers = new Headers(init.headers);
    // Of compressed content neither size nor digest would be the file's.
    headers.set("accept-encoding", "identity");
    headers.set("user-agent", "entail");
    if (token && url.origin === origin) headers.set("authorization", `Bearer ${token}`);
    let response: Response;
    try {
      response = await fetch(url, { ...init, headers, redirect: "manual" });
    } catch (error) {
      throw networkError(hub, error);
    }
    hops.push(response.headers);
    const { status, body } = response;
    const location = status >= 300 && status < 400 ? response.headers.get("location") : null;
    const target = location === null ? null : new URL(location, url);
    const isAnswered = init.method === "HEAD" && target?.origin !== url.origin && response.headers.has("x-repo-commit");
    if (target === null || isAnswered) return { status, hops, last: response.headers, body };
    await body?.cancel();
    if (!/^https?:$/.test(target.protocol)) break;
    url = target;
  }
  throw new HubUnavailable(
    `${idText(hub.id)}: ${shown(hub.settings)} redirects without end, or to no web address; check HF_ENDPOINT`,
  );
}

/** The hub's address as it may be shown. */
export const shown = ({ endpoint }: HubSettings): string => withoutPasswords(endpoint);

/** What a failed `fetch`, or a body that broke off, means. */
export function networkError({ id, settings, signal }: Hub, error: unknown): EntailError {
  if (error instanceof EntailError) return error;
  if (signal?.aborted) {
    return new EntailError("interrupted", `${idText(id)}: interrupted; the same command downloads what is missing`);
  }
  const isSlow = error instanceof DOMException && error.name === "TimeoutError";
  const reason = isSlow ? "no answer" : inShort(withoutPasswords(systemReason(innermost(error))), 120);
  return new HubUnavailable(
    `${idText(id)}: ${
      shown(settings)
    } cannot be reached, or broke off (${reason}); run the command again when it can: ` +
      "what has arrived is kept",
  );
}

/** fetch wraps what happened in what it was doing. */
function innermost(error: unknown): unknown {
  let inner = error;
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause;
  return inner instanceof Error ? new Error(inner.message.replace(/^.*\): /, "")) : inner;
}

/** What to do about an answer of 400 or more. */
function refusal({ id, settings }: Hub, status: number, headers: Headers): EntailError {
  const name = idText(id);
  const page = `${shown(settings)}/${id.repo}`;
  const code = headers.get("x-error-code");
  const token = settings.token === null
    ? "set HF_TOKEN to a token of an account that may read it"
    : "the token (HF_TOKEN, or that of `hf auth login`) is not valid or may not read it";
  if (code === "GatedRepo" || status === 403) {
    return new EntailError("data", `${name}: is gated; ask for access at ${page}, and ${token}`);
  }
  if (code === "RevisionNotFound") {
    return new EntailError("data", `${name}: ${id.repo} has no revision ${id.revision}; see ${page}`);
  }
  if (status === 401) {
    return new EntailError(
      "data",
      `${name}: no such folder, and on the hub it is private or not there; check the name, or ${token}`,
    );
  }
  if (status === 404) {
    return new EntailError("data", `${name}: no such folder, and ${shown(settings)} has no such model; check the name`);
  }
  return new HubUnavailable(`${name}: ${shown(settings)} answers with HTTP ${status}; run the command again later`);
}
