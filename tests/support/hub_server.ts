/**
 * A server that speaks the hub's interface, as much as huggingface_hub 2.4 asks of it: what a file is (HEAD), its bytes
 * (with ranges; large files by a redirect to another host), a model's information and its tree.
 * `deno run -A tests/support/hub_server.ts FOLDER` serves FOLDER/org/name and prints HF_ENDPOINT, then every request.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";

export interface ServedRequest {
  host: "hub" | "cdn";
  method: string;
  path: string;
  range: string | null;
  authorization: string | null;
}

/** How a server misbehaves. */
export interface Faults {
  /** The answer to everything, such as 503. */
  status?: number;
  /** X-Error-Code of a repository that is not shown, with its status. */
  refused?: { status: number; code?: string };
  /** Bytes after which the content of a file breaks off. */
  breakAfter?: Record<string, number>;
  /** Bytes after which the content of a file goes on no more. */
  stallAfter?: Record<string, number>;
  /** What is sent in the place of a file's bytes. */
  sent?: Record<string, Uint8Array>;
  /** Whether ranges are ignored. */
  noRanges?: boolean;
}

export interface HubServer {
  endpoint: string;
  /** Commit of "org/name". */
  commit: string;
  requests: ServedRequest[];
  faults: Faults;
  /** Requests since the last call, as "METHOD file" or "METHOD file from N". */
  asked(): string[];
  close(): Promise<void>;
}

export interface Repository {
  files: Record<string, Uint8Array>;
  /** From this size on a file is a large one (LFS). */
  largeFrom?: number;
  /** The token that it asks for. */
  token?: string;
}

const sha = (algorithm: string, ...parts: (string | Uint8Array)[]): string => {
  const hash = createHash(algorithm);
  parts.forEach((part) => hash.update(part));
  return hash.digest("hex");
};
const blobId = (bytes: Uint8Array) => sha("sha1", `blob ${bytes.length}\0`, bytes);

/** Serves one repository under its name, at its revisions "main", "v1" and its commit. */
export function serveHub(repo: string, { files, largeFrom = 1000, token }: Repository, port = 0): HubServer {
  const commit = sha("sha1", ...Object.entries(files).flatMap(([name, bytes]) => [name, blobId(bytes)]));
  const requests: ServedRequest[] = [];
  let told = 0;
  const ended = new AbortController();
  const isLarge = (name: string) => files[name].length >= largeFrom;
  const entry = (name: string) => ({
    type: "file",
    path: name,
    oid: blobId(files[name]),
    size: files[name].length,
    ...isLarge(name) ? { lfs: { oid: sha("sha256", files[name]), size: files[name].length, pointerSize: 130 } } : {},
  });
  const note = (host: ServedRequest["host"], request: Request) => {
    const { pathname } = new URL(request.url);
    const [range, authorization] = ["range", "authorization"].map((name) => request.headers.get(name));
    requests.push({ host, method: request.method, path: decodeURIComponent(pathname), range, authorization });
    return decodeURIComponent(pathname);
  };

  function content(name: string, request: Request, headers: Record<string, string>): Response {
    const bytes = server.faults.sent?.[name] ?? files[name];
    const from = server.faults.noRanges
      ? 0
      : Number(/^bytes=(\d+)-/.exec(request.headers.get("range") ?? "")?.[1] ?? 0);
    if (from > 0 && from >= bytes.length) return new Response(null, { status: 416, headers });
    const breaks = server.faults.breakAfter?.[name];
    const stalls = server.faults.stallAfter?.[name];
    const body = new ReadableStream<Uint8Array>({
      async start(controller) {
        const stop = Math.min(breaks ?? Infinity, stalls ?? Infinity, bytes.length);
        for (let at = from; at < stop; at += 1 << 16) {
          controller.enqueue(bytes.slice(at, Math.min(stop, at + (1 << 16))));
        }
        if (stop === bytes.length) return controller.close();
        if (stop === stalls) return;
        await new Promise((resolve) => setTimeout(resolve, 100)); // until what was enqueued is sent
        controller.error(new Error("broken on purpose"));
      },
    });
    const range: Record<string, string> = from > 0
      ? { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` }
      : {};
    return new Response(body, {
      status: from > 0 ? 206 : 200,
      headers: { ...headers, ...range, "content-length": `${bytes.length - from}`, "accept-ranges": "bytes" },
    });
  }

  const hub = Deno.serve(
    { port, hostname: "127.0.0.1", onListen() {}, onError: gone, signal: ended.signal },
    (request) => {
      const path = note("hub", request);
      const refuse = (status: number, code?: string) =>
        Response.json({ error: code ?? "" }, { status, headers: code ? { "x-error-code": code } : {} });
      if (server.faults.status) return refuse(server.faults.status);
      const { refused } = server.faults;
      if (refused) return refuse(refused.status, refused.code);
      const [, api, name, rest = ""] = /^\/(api\/models\/)?([^/]+\/[^/]+)(\/.*)?$/.exec(path) ?? [];
      if (name !== repo) return refuse(401, "RepoNotFound");
      if (token && request.headers.get("authorization") !== `Bearer ${token}`) return refuse(401, "RepoNotFound");
      const [, kind = "revision", revision = "main", file] =
        /^\/(resolve|revision|tree)\/([^/]+)(?:\/(.*))?$/.exec(rest) ?? [];
      if (!["main", "v1", commit].includes(revision)) return refuse(404, "RevisionNotFound");
      if (api && kind === "tree") return Response.json(Object.keys(files).map(entry));
      if (api) {
        const siblings = Object.keys(files).map((rfilename) => ({ rfilename }));
        return Response.json({ id: repo, modelId: repo, sha: commit, private: false, tags: [], siblings });
      }
      const common = { "x-repo-commit": commit };
      if (!(file in files)) {
        return new Response(null, { status: 404, headers: { ...common, "x-error-code": "EntryNotFound" } });
      }
      if (isLarge(file)) {
        const { lfs } = entry(file);
        return new Response(null, {
          status: 302,
          headers: {
            ...common,
            location: `http://127.0.0.1:${(cdn.addr as Deno.NetAddr).port}/${lfs!.oid}?signature=x`,
            "x-linked-etag": `"${lfs!.oid}"`,
            "x-linked-size": `${lfs!.size}`,
          },
        });
      }
      const headers = { ...common, etag: `"${entry(file).oid}"` };
      if (request.method === "HEAD") {
        return new Response(null, { headers: { ...headers, "content-length": `${files[file].length}` } });
      }
      return content(file, request, headers);
    },
  );
  const cdn = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {}, onError: gone, signal: ended.signal },
    (request) => {
      const digest = note("cdn", request).slice(1);
      const name = Object.keys(files).find((name) => isLarge(name) && entry(name).lfs!.oid === digest);
      if (name === undefined || request.method === "HEAD") return new Response(null, { status: 404 });
      requests.at(-1)!.path = name;
      return content(name, request, { etag: `"${digest}"` });
    },
  );

  const server: HubServer = {
    endpoint: `http://127.0.0.1:${(hub.addr as Deno.NetAddr).port}`,
    commit,
    requests,
    faults: {},
    asked() {
      const since = requests.slice(told);
      told = requests.length;
      return since.map(({ method, path, range }) => {
        const file = path.replace(`/${repo}/resolve/`, "").replace(`${commit}/`, "").replace("main/", "");
        return `${method} ${file}${range === null ? "" : ` from ${range.replace(/\D/g, "")}`}`;
      });
    },
    async close() {
      ended.abort(); // connections that stall too
      await Promise.all([hub.finished, cdn.finished]);
    },
  };
  return server;
}

const gone = () => new Response(null, { status: 500 });

/** The files of a folder, links followed. */
export function filesOf(folder: string): Record<string, Uint8Array> {
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  return Object.fromEntries(names.map((name) => [name, Deno.readFileSync(join(folder, name))]));
}

if (import.meta.main) {
  const [root] = Deno.args;
  const [org] = [...Deno.readDirSync(root)].map(({ name }) => name);
  const [name] = [...Deno.readDirSync(join(root, org))].map(({ name }) => name);
  const server = serveHub(`${org}/${name}`, { files: filesOf(join(root, org, name)) });
  console.log(server.endpoint);
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    server.asked().forEach((line) => console.log(line));
  }
}
