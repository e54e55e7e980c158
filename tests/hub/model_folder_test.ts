import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { EntailError } from "../../src/errors.ts";
import { modelFolder, type ModelFolderOptions, modelOfHub } from "../../src/hub/model_folder.ts";
import { parseModelId } from "../../src/hub/model_id.ts";
import { hubSettings } from "../../src/hub/settings.ts";
import { type HubServer, type Repository, serveHub } from "../support/hub_server.ts";
import { inTemporaryFolder } from "../support/run_data.ts";

const REPO = "org/model";
const text = (value: string) => new TextEncoder().encode(value);
const noise = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 2654435761) >>> 13);

const FILES = {
  "config.json": text("{}"),
  "tokenizer.json": text('{"t":1}'),
  "tokenizer_config.json": text('{"c":1}'),
  "model.safetensors": noise(300_000),
  "pytorch_model.bin": noise(300_001),
  "tf_model.h5": noise(5000),
  "README.md": text("# model"),
};
const { "model.safetensors": _, ...BIN_FILES } = FILES;

interface Place {
  server: HubServer;
  cache: string;
  /** Resolves the model; `env` adds to the environment. */
  open(env?: Record<string, string>, options?: ModelFolderOptions, id?: string): Promise<string>;
}

async function withHub(test: (place: Place) => Promise<void>, repository: Repository = { files: FILES }) {
  await inTemporaryFolder(async (home) => {
    const server = serveHub(REPO, repository);
    const open: Place["open"] = (env = {}, options = {}, id = REPO) => {
      const all: Record<string, string> = {
        HF_HOME: home,
        HF_ENDPOINT: server.endpoint,
        HF_HUB_DOWNLOAD_TIMEOUT: "1",
        ...env,
      };
      return modelOfHub(parseModelId(id)!, hubSettings((name) => all[name]), options);
    };
    try {
      await test({ server, cache: join(home, "hub"), open });
    } finally {
      await server.close();
    }
  });
}

async function fails(promise: Promise<unknown>, pattern: RegExp, kind = "data"): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof EntailError && error.kind === kind, String(error));
    assert.match(error.message, pattern);
    assert.doesNotMatch(error.message, /\n|hf_secret/);
    return true;
  });
}

const blobs = (cache: string) => [...Deno.readDirSync(join(cache, "models--org--model/blobs"))].map(({ name }) => name);
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

Deno.test("modelOfHub: configuration, tokenizer and one set of weights, in huggingface_hub's layout", () =>
  withHub(async ({ server, cache, open }) => {
    const folder = await open();
    assert.equal(folder, join(cache, "models--org--model/snapshots", server.commit));
    const wanted = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), wanted);
    assert.equal(Deno.readTextFileSync(join(cache, "models--org--model/refs/main")), server.commit);
    const digest = sha256(FILES["model.safetensors"]);
    assert.equal(Deno.readLinkSync(join(folder, "model.safetensors")), `../../blobs/${digest}`);
    assert.deepEqual(Deno.readFileSync(join(folder, "model.safetensors")), FILES["model.safetensors"]);
    assert.equal(blobs(cache).length, 4);
    assert.ok(!server.requests.some(({ path }) => /README|tf_model/.test(path)));
    assert.ok(!server.requests.some(({ method, path }) => method === "GET" && path.endsWith(".bin")));
  }));

Deno.test("modelOfHub: what is there is asked for once more, a commit and offline not at all", () =>
  withHub(async ({ server, open }) => {
    const folder = await open();
    server.asked();
    assert.equal(await open(), folder);
    assert.deepEqual(server.asked(), ["HEAD config.json"]);
    assert.equal(await open({}, {}, `${REPO}@${server.commit}`), folder);
    assert.equal(await open({ HF_HUB_OFFLINE: "1" }), folder);
    assert.deepEqual(server.asked(), []);
    assert.equal(await open({}, {}, `${REPO}@v1`), folder);
    assert.equal(await open({ HF_HUB_OFFLINE: "1" }, {}, `${REPO}@v1`), folder);
    assert.deepEqual(server.asked(), ["HEAD v1/config.json"]);
  }));

Deno.test("modelOfHub: a hub that is down leaves the cache, with a line that says so", () =>
  withHub(async ({ server, open }) => {
    await fails(
      open({ HF_ENDPOINT: "http://127.0.0.1:1" }),
      /^org\/model: no such folder, and http:\/\/127\.0\.0\.1:1 cannot be reached.*kept/,
    );
    const folder = await open();
    const said: string[] = [];
    const info = (line: string) => said.push(line);
    assert.equal(await open({ HF_ENDPOINT: "http://127.0.0.1:1" }, { info }), folder);
    server.faults = { status: 503 };
    assert.equal(await open({}, { info }), folder);
    assert.equal(said.length, 2);
    for (const line of said) {
      assert.match(line, /^org\/model: .*(reached|HTTP 503).*: going on with what the cache has$/);
    }
  }));

Deno.test("modelOfHub: offline, what is missing is named, and nothing asked", () =>
  withHub(async ({ server, open }) => {
    const offline = { HF_HUB_OFFLINE: "1" };
    await fails(open(offline), /models--org--model \(nothing of it\); HF_HUB_OFFLINE/);
    assert.deepEqual(server.asked(), []);
    const folder = await open();
    for (const [name, missing] of [["model.safetensors", "no weights"], ["tokenizer.json", "no tokenizer"]]) {
      await Deno.remove(join(folder, name));
      await fails(open(offline), new RegExp(`\\(${missing}\\)`));
    }
    server.asked();
    await open(); // what is missing is linked again: the blobs are there
    assert.deepEqual(server.asked().filter((line) => line.startsWith("GET")), []);
  }));

Deno.test("modelOfHub: a broken download ends, and is continued where it broke off", () =>
  withHub(async ({ server, cache, open }) => {
    server.faults = { breakAfter: { "model.safetensors": 131_072 } };
    await fails(open(), /cannot be reached, or broke off.*what has arrived is kept/);
    const incomplete = `${sha256(FILES["model.safetensors"])}.incomplete`;
    const path = join(cache, "models--org--model/blobs", incomplete);
    const { size } = await Deno.stat(path);
    assert.ok(size > 0 && size <= 131_072, `${size}`);
    await fails(open({ HF_HUB_OFFLINE: "1" }), /no such revision/);

    server.faults = { stallAfter: { "model.safetensors": 200_000 } };
    await fails(open(), /no answer/);
    server.asked();
    const { size: more } = await Deno.stat(path);
    assert.ok(more > size && more <= 200_000, `${more}`);

    server.faults = {};
    const folder = await open();
    // The range is passed on from the hub to where the file lies.
    const gets = server.asked().filter((line) => line.startsWith("GET"));
    assert.deepEqual(gets, Array(2).fill(`GET model.safetensors from ${more}`));
    assert.deepEqual(await Deno.readFile(join(folder, "model.safetensors")), FILES["model.safetensors"]);
    assert.ok(!blobs(cache).includes(incomplete));
  }));

Deno.test("modelOfHub: a server without ranges sends all of it again", () =>
  withHub(async ({ server, open }) => {
    server.faults = { breakAfter: { "model.safetensors": 65_536 } };
    await fails(open(), /broke off/);
    server.faults = { noRanges: true };
    const folder = await open();
    assert.deepEqual(await Deno.readFile(join(folder, "model.safetensors")), FILES["model.safetensors"]);
  }));

Deno.test("modelOfHub: wrong bytes and sizes are refused and leave nothing, whatever came before", () =>
  withHub(async ({ server, cache, open }) => {
    const wrong = FILES["model.safetensors"].slice();
    wrong[299_999] ^= 1;
    const cases: [string, Uint8Array, RegExp][] = [
      ["config.json", text("[]"), /config\.json has the blob id/],
      ["config.json", text("{} "), /config\.json comes with 3 bytes, the hub says 2/],
      ["model.safetensors", wrong, /model\.safetensors has the SHA-256/],
      ["model.safetensors", wrong.slice(1), /comes with 299999 bytes, the hub says 300000/],
      ["model.safetensors", noise(300_005), /comes with 300005 bytes, the hub says 300000/],
    ];
    for (const [name, bytes, pattern] of cases) {
      server.faults = { sent: { [name]: bytes } };
      await fails(open(), pattern);
      assert.ok(!blobs(cache).some((blob) => blob.endsWith(".incomplete")), name);
      assert.ok(!await Deno.stat(join(cache, "models--org--model/snapshots", server.commit, name)).catch(() => null));
    }
    // Another file's beginning lies there: what follows does not make it right.
    server.faults = {};
    const incomplete = join(cache, "models--org--model/blobs", `${sha256(FILES["model.safetensors"])}.incomplete`);
    await Deno.writeFile(incomplete, new Uint8Array(1000));
    await fails(open(), /has the SHA-256/);
    await open();
  }));

Deno.test("modelOfHub: bins where there are no safetensors; shards with their index", async () => {
  await withHub(async ({ open }) => {
    const folder = await open();
    assert.deepEqual(await Deno.readFile(join(folder, "pytorch_model.bin")), FILES["pytorch_model.bin"]);
  }, { files: BIN_FILES });
  const { "pytorch_model.bin": _bin, ...rest } = BIN_FILES;
  const index = { weight_map: { a: "model-1.safetensors", b: "model-2.safetensors", c: "model-1.safetensors" } };
  const files = {
    ...rest,
    "model.safetensors.index.json": text(JSON.stringify(index)),
    "model-1.safetensors": noise(2000),
    "model-2.safetensors": noise(2001),
    "model-3.safetensors": noise(2002),
  };
  await withHub(async ({ server, open }) => {
    server.faults = { breakAfter: { "model-2.safetensors": 100 } };
    await fails(open(), /broke off/);
    server.asked();
    server.faults = {};
    const folder = await open();
    assert.deepEqual([...new Set(server.asked().filter((line) => line.startsWith("GET")))].length, 1);
    assert.deepEqual(await Deno.readFile(join(folder, "model-2.safetensors")), files["model-2.safetensors"]);
    assert.equal(await Deno.stat(join(folder, "model-3.safetensors")).catch(() => null), null);
  }, { files });
});

Deno.test("modelOfHub: a repository without configuration, tokenizer or weights", async () => {
  const without = (...names: string[]) =>
    Object.fromEntries(Object.entries(FILES).filter(([name]) => !names.includes(name)));
  const cases: [string[], RegExp][] = [
    [["config.json"], /has no config\.json/],
    [["tokenizer.json"], /no tokenizer that can be read/],
    [["model.safetensors", "pytorch_model.bin"], /no weights that can be read/],
  ];
  for (const [names, pattern] of cases) {
    await withHub(({ open }) => fails(open(), pattern), { files: without(...names) });
  }
});

Deno.test("modelOfHub: a configuration that is refused costs no weights", () =>
  withHub(async ({ server, open }) => {
    const accept = (folder: string) => {
      assert.equal(Deno.readTextFileSync(join(folder, "config.json")), "{}");
      return Promise.reject(new EntailError("data", "another architecture"));
    };
    await fails(open({}, { accept }), /another architecture/);
    assert.deepEqual(server.asked(), ["HEAD config.json", "GET config.json"]);
  }));

Deno.test("modelOfHub: the token goes to the hub and nowhere else", () =>
  withHub(async ({ server, open }) => {
    await fails(open(), /no such folder, and on the hub it is private or not there; check the name, or set HF_TOKEN/);
    await fails(open({ HF_TOKEN: "hf_secret_no" }), /check the name, or the token .* is not valid/);
    await open({ HF_TOKEN: "hf_secret" });
    const tokens = (host: string) =>
      new Set(server.requests.filter((each) => each.host === host).map((each) => each.authorization));
    assert.ok(tokens("hub").has("Bearer hf_secret"));
    assert.deepEqual(tokens("cdn"), new Set([null]));
  }, { files: FILES, token: "hf_secret" }));

Deno.test("modelOfHub: what the hub refuses, and what to do about it", () =>
  withHub(async ({ server, open }) => {
    const cases: [number, string | undefined, RegExp][] = [
      [401, "GatedRepo", /is gated; ask for access at http:.*\/org\/model, and set HF_TOKEN/],
      [403, undefined, /is gated; ask for access/],
      [404, "RepoNotFound", /no such folder, and http:.* has no such model; check the name/],
      [404, undefined, /has no such model/],
      [429, undefined, /HTTP 429; run the command again later/],
      [500, undefined, /HTTP 500/],
    ];
    for (const [status, code, pattern] of cases) {
      server.faults = { refused: { status, code } };
      await fails(open(), pattern);
    }
    server.faults = {};
    await fails(open({}, {}, `${REPO}@v2`), /org\/model has no revision v2/);
    await fails(open({}, {}, "org/other"), /private or not there/);
  }));

Deno.test("modelOfHub: a server that is no hub is named", () =>
  inTemporaryFolder(async (home) => {
    const web = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => new Response("<html>"));
    const endpoint = `http://127.0.0.1:${web.addr.port}`;
    const settings = hubSettings((name) => ({ HF_HOME: home, HF_ENDPOINT: endpoint })[name as "HF_HOME"]);
    await fails(modelOfHub(parseModelId(REPO)!, settings), /gives no commit and digest.*check HF_ENDPOINT/);
    await web.shutdown();
  }));

Deno.test("modelOfHub: two at once download each file once", () =>
  withHub(async ({ server, open }) => {
    const [first, second] = await Promise.all([open(), open()]);
    assert.equal(first, second);
    const gets = server.requests.filter(({ host, method }) => host === "cdn" && method === "GET");
    assert.equal(gets.length, 1);
  }));

Deno.test("modelOfHub: Ctrl-C ends a download, which the next run continues", () =>
  withHub(async ({ server, open }) => {
    server.faults = { stallAfter: { "model.safetensors": 70_000 } };
    const interrupt = new AbortController();
    const stage = () => () => interrupt.abort();
    await fails(open({}, { stage, signal: interrupt.signal }), /interrupted; the same command/, "interrupted");
    server.faults = {};
    await open();
  }));

Deno.test("modelOfHub: a stage for each file, in megabytes, that comes to its end", () =>
  withHub(async ({ open }) => {
    const left = new Map<string, number>();
    await open({}, {
      stage: (name) => (done, total) => {
        assert.ok(done <= total);
        left.set(name, total - done);
      },
    });
    assert.ok(left.has("downloading model.safetensors (MB)"), [...left.keys()].join());
    assert.ok(left.has("checking model.safetensors (MB)"));
    for (const [stage, more] of left) assert.equal(more, 0, stage);
  }));

Deno.test("modelFolder: a folder stays what it is; what is neither folder nor id is a data error", () =>
  inTemporaryFolder(async (folder) => {
    assert.equal(await modelFolder(folder), folder);
    await fails(
      modelFolder(`${folder}/none`),
      /none: no such folder; name a Hugging Face folder, or a model of the hub/,
    );
  }));
