/** Calls of MLflow's REST interface (3.17), and what its answers mean for a second try. */
import { Buffer } from "node:buffer";
import { inShort } from "../formats/human.ts";
import { type Attempt, RefusedForNow, withNonFinite } from "./operations.ts";

/** A server's answer with MLflow's own error code. */
export class ServerRefused extends RefusedForNow {
  constructor(readonly code: string, message: string) {
    super(message);
  }
}

export interface RestClient {
  /** The address without credentials. */
  readonly address: string;
  /** Calls `api/2.0/mlflow/<path>`. Throws `ServerRefused` where a second try is of no use. */
  call(method: "GET" | "POST", path: string, body: object | null, attempt: Attempt): Promise<unknown>;
  /** Sends a file's content to a path of the server's artifact store; false: the server does not serve artifacts. */
  putArtifact(path: string, bytes: Uint8Array<ArrayBuffer>, attempt: Attempt): Promise<boolean>;
}

/** Milliseconds that a call may take; a file has a second more for each megabyte. */
const CALL_MS = 15_000;
const FILE_MS = 60_000;

const CREDENTIALS =
  "it asks for MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, of the environment";

/** The server's address without credentials, query or a slash at the end. */
export function serverAddress(uri: string): string {
  const url = new URL(uri);
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

/**
 * A client for the server at `uri` (http or https, possibly with a path). Credentials come from the URI or, as with
 * MLflow's own client, from MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD or MLFLOW_TRACKING_TOKEN in `env`.
 */
export function createRestClient(uri: string, env: (name: string) => string | undefined): RestClient {
  const address = serverAddress(uri);
  const headers: Record<string, string> = {};
  const credentials = authorization(new URL(uri), env);
  if (credentials) headers.authorization = credentials;

  return {
    address,
    async call(method, path, body, attempt) {
      const response = await fetch(`${address}/api/2.0/mlflow/${path}`, {
        method,
        headers: body ? { ...headers, "content-type": "application/json" } : headers,
        body: body && JSON.stringify(body, withNonFinite),
        signal: AbortSignal.any([attempt.signal, AbortSignal.timeout(CALL_MS)]),
      });
      const text = await response.text();
      attempt.answered();
      return answer(response.status, text);
    },
    async putArtifact(path, bytes, attempt) {
      const response = await fetch(`${address}/api/2.0/mlflow-artifacts/artifacts/${encodePath(path)}`, {
        method: "PUT",
        headers: { ...headers, "content-type": "application/octet-stream" },
        body: bytes,
        signal: AbortSignal.any([attempt.signal, AbortSignal.timeout(FILE_MS + bytes.length / 1000)]),
      });
      const text = await response.text();
      attempt.answered();
      if (response.status === 503 && /serve-artifacts/.test(text)) return false;
      // Taken files are answered with nothing at all.
      if (!response.ok) answer(response.status, text);
      return true;
    },
  };
}

function authorization(url: URL, env: (name: string) => string | undefined): string | undefined {
  const basic = (user: string, password: string) => `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  if (url.username) return basic(decoded(url.username), decoded(url.password));
  const user = env("MLFLOW_TRACKING_USERNAME");
  const token = env("MLFLOW_TRACKING_TOKEN");
  if (user) return basic(user, env("MLFLOW_TRACKING_PASSWORD") ?? "");
  return token ? `Bearer ${token}` : undefined;
}

/** A `%` that begins no code stands for itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const encodePath = (path: string): string => path.split("/").map(encodeURIComponent).join("/");

/** The document that a status and a body stand for. What is not MLflow's own "no" may go well another time. */
function answer(status: number, text: string): unknown {
  if (status === 413) throw new RefusedForNow("HTTP 413: too large for the server, or for a proxy in front of it");
  let document: { error_code?: string; message?: string };
  try {
    document = JSON.parse(text);
  } catch {
    if (status === 401) throw new Error(`HTTP 401: ${CREDENTIALS}`);
    throw new Error(`HTTP ${status}, and not MLflow's answer`);
  }
  if (status >= 200 && status < 300) return document;
  const reason = `${document.message ?? document.error_code ?? "no reason given"}`;
  const said = `HTTP ${status}: ${inShort(reason.split("\n", 1)[0])}`;
  const isFinal = status >= 400 && status < 500 && ![401, 403, 408, 429].includes(status) && document.error_code;
  throw isFinal ? new ServerRefused(document.error_code!, said) : new Error(said);
}
