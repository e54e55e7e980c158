/** The live page's server: what it answers, what it refuses, and what it tells as studies and runs go on. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { PAGE_MODULES } from "../../src/dashboard/assets.ts";
import { type DashboardOptions, serveDashboard } from "../../src/dashboard/server.ts";
import { openStorage } from "../../src/studies/open_storage.ts";
import type { Storage } from "../../src/studies/storage.ts";
import { appendEntries } from "../../src/training/metrics_log.ts";
import { inTemporaryFolder } from "../support/run_data.ts";
import { writeRunFiles } from "../support/run_files.ts";

type Ask = (path: string, init?: RequestInit & { method?: string }) => Promise<{ status: number; body: string }>;

/** A server over what `options` name, as long as `use` takes. */
async function withServer(
  options: Partial<DashboardOptions>,
  use: (ask: Ask, port: number) => Promise<void>,
): Promise<void> {
  const server = serveDashboard({ host: "127.0.0.1", port: 0, token: null, storages: [], runs: [], ...options });
  try {
    await use(async (path, init) => {
      const response = await fetch(`http://127.0.0.1:${server.port}${path}`, init);
      return { status: response.status, body: await response.text() };
    }, server.port);
  } finally {
    await server.close();
  }
}

/** A request with a header that `fetch` does not let be set. */
async function statusWithHost(port: number, host: string): Promise<number> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(
    new TextEncoder().encode(`GET /api/runs HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`),
  );
  const bytes = new Uint8Array(64);
  const read = await connection.read(bytes);
  return Number(/^HTTP\/1\.1 (\d+)/.exec(new TextDecoder().decode(bytes.subarray(0, read ?? 0)))![1]);
}

const json = async (asked: Promise<{ status: number; body: string }>) => JSON.parse((await asked).body);

/** Events until one of this kind satisfies `isIt`; gives up after ten seconds. */
async function nextEvent(events: AsyncIterator<Event>, kind: string, isIt = (_: Data): boolean => true): Promise<Data> {
  while (true) {
    const { value, done } = await events.next();
    assert.ok(!done, "the stream has ended");
    if (value.event === kind && isIt(value.data)) return value.data;
  }
}

// deno-lint-ignore no-explicit-any
type Data = any;
interface Event {
  event: string;
  data: Data;
}

async function* eventsOf(response: Response): AsyncGenerator<Event> {
  let text = "";
  for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
    text += piece;
    const frames = text.split("\n\n");
    text = frames.pop()!;
    for (const frame of frames) {
      const [, event, data] = /^event: (.*)\ndata: (.*)$/.exec(frame) ?? [];
      if (event !== undefined) yield { event, data: JSON.parse(data) };
    }
  }
}

const NAME = "a/b ? é #% “x” ../";
const PATH = `/api/studies/${encodeURIComponent(NAME)}`;

async function withStudy(use: (storage: Storage, studyId: number, url: string, folder: string) => Promise<void>) {
  await inTemporaryFolder(async (folder) => {
    const url = `sqlite:///${join(folder, "study.db")}`;
    const storage = await openStorage(url);
    try {
      const { studyId } = (await storage.createStudy(NAME, ["maximize"]))!;
      await use(storage, studyId, url, folder);
    } finally {
      await storage.close();
    }
  });
}

const distribution = { kind: "float", low: 0, high: 1, log: false, step: null } as const;
const x = (internal: number) => ({ params: [{ name: "x", internal, distribution }] });

Deno.test("dashboard: studies and trials, with names of any signs and numbers that JSON has not", async () => {
  await withStudy(async (storage, studyId, url) => {
    await withServer({ storages: [url] }, async (ask) => {
      assert.deepEqual(await json(ask(`${PATH}/trials`)), []);
      await storage.createTrial(studyId, {
        state: "COMPLETE",
        values: [Infinity],
        ...x(0.5),
        intermediateValues: [[1, NaN], [0, 0.25]],
        userAttrs: { fail_reason: "at http://me:secret@host/", note: "a text of anybody's", f1: 0.5 },
      });
      const trial = await storage.createTrial(studyId);
      await storage.updateTrial(trial.trialId, { userAttrs: { device_busy: 0.75, worker: "w" } });
      await storage.setStudyAttr(studyId, "user", "note", "nobody's business");

      const [study] = await json(ask("/api/studies"));
      assert.equal(study.study_name, NAME);
      assert.equal(study.status, "running");
      assert.deepEqual(study.states, { RUNNING: 1, COMPLETE: 1, PRUNED: 0, FAIL: 0, WAITING: 0 });
      assert.deepEqual(study.best, { number: 0, value: "Infinity", params: { x: 0.5 } });
      assert.equal(study.running[0].device_busy, 0.75);
      assert.deepEqual(await json(ask(PATH)), study);

      const [complete, running] = await json(ask(`${PATH}/trials`));
      assert.deepEqual(complete.intermediate_values, { 0: 0.25, 1: "NaN" });
      assert.deepEqual([complete.value, complete.params], ["Infinity", { x: 0.5 }]);
      assert.deepEqual(complete.user_attrs, { fail_reason: "at http://me:***@host/", f1: 0.5 });
      assert.deepEqual([running.number, running.state, running.value], [1, "RUNNING", null]);
      const [only] = await json(ask(`${PATH}/trials?numbers=1&curves=0`));
      assert.deepEqual([only.number, "intermediate_values" in only], [1, false]);
      assert.deepEqual(await json(ask(`${PATH}/importances`)), [["x", 1]]);

      for (
        const path of ["/api/studies/none/trials", "/api/studies/%zz/trials", `${PATH}/none`, "/api/runs/none", "/x"]
      ) {
        assert.equal((await ask(path)).status, 404, path);
      }
      assert.equal((await ask(`${PATH}/trials?storage_id=1`)).status, 404);
    });
  });
});

Deno.test("dashboard: a study's database is as it was, and one that comes later is waited for", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, "study.db");
    await withServer({ storages: [`sqlite:///${path}`] }, async (ask) => {
      assert.deepEqual(await json(ask("/api/studies")), []);
      const fixture = decodeURIComponent(new URL("../fixtures/studies/optuna.db", import.meta.url).pathname);
      await Deno.copyFile(fixture, path);
      const names = (await json(ask("/api/studies"))).map((study: Data) => study.study_name);
      assert.ok(names.length > 0);
      for (const name of names) {
        assert.equal((await ask(`/api/studies/${encodeURIComponent(name)}/trials`)).status, 200);
      }
      assert.deepEqual(await Deno.readFile(path), await Deno.readFile(fixture));
    });
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["study.db"]);
  });
});

Deno.test("dashboard: the stream tells what changes, and nothing else", async () => {
  await withStudy(async (storage, studyId, url, folder) => {
    const run = join(folder, "runs", "one");
    await writeRunFiles(run, { unfinished: [2] });
    await storage.createTrial(studyId, { state: "COMPLETE", values: [0.5], ...x(0.5) });
    await withServer({ storages: [url], runs: [join(folder, "runs")] }, async (_, port) => {
      const response = await fetch(`http://127.0.0.1:${port}/events`);
      assert.equal(response.headers.get("content-type"), "text/event-stream");
      const events = eventsOf(response);
      assert.equal((await nextEvent(events, "study")).study_name, NAME);
      assert.equal((await nextEvent(events, "run")).run, run);
      await nextEvent(events, "ready");

      const { trialId } = await storage.createTrial(studyId);
      const created = await nextEvent(events, "trials");
      assert.deepEqual(created.trials.map((trial: Data) => [trial.number, trial.state]), [[1, "RUNNING"]]);
      await storage.updateTrial(trialId, { intermediateValues: [[1, 0.75]] });
      const reported = await nextEvent(events, "trials");
      assert.deepEqual(reported.trials.map((trial: Data) => trial.intermediate_values), [{ 1: 0.75 }]);
      await storage.recordHeartbeat(trialId);
      await storage.finishTrial(trialId, "COMPLETE", [0.75]);
      const finished = await nextEvent(events, "trials");
      assert.deepEqual(finished.trials.map((trial: Data) => [trial.number, trial.state]), [[1, "COMPLETE"]]);
      assert.equal((await nextEvent(events, "study")).best.number, 1);

      const entry = { step: 99, epoch: 4, loss: 0.125, learning_rate: 1, grad_norm: null };
      await appendEntries(join(run, "fold_2", "metrics.jsonl"), [entry]);
      const log = await nextEvent(events, "log");
      assert.deepEqual(log, { run, fold: 2, reset: false, entries: [entry] });
      assert.equal((await nextEvent(events, "run", ({ folds }) => folds[2].step === 99)).status, "stopped");

      await Deno.remove(join(run, "fold_1", "metrics.jsonl"));
      await nextEvent(events, "run", ({ folds }) => folds.length === 2);
      await appendEntries(join(run, "fold_1", "metrics.jsonl"), [entry]);
      assert.deepEqual(await nextEvent(events, "log"), { run, fold: 1, reset: false, entries: [entry] });

      await storage.deleteStudy(studyId);
      assert.equal((await nextEvent(events, "study_removed")).study_name, NAME);
      await response.body!.cancel().catch(() => {});
      await events.return(undefined);
    });
  });
});

Deno.test("dashboard: runs, what they logged, side by side, and reports without a post's text", async () => {
  await inTemporaryFolder(async (folder) => {
    await writeRunFiles(join(folder, "a"));
    await writeRunFiles(join(folder, "deep", "b"), { shift: 0.5, unfinished: [2] });
    await Deno.mkdir(join(folder, "broken"));
    await Deno.writeTextFile(join(folder, "broken", "run.json"), "{");
    await withServer({ runs: [folder] }, async (ask) => {
      const runs = await json(ask("/api/runs"));
      const of = (name: string) => runs.find(({ run }: Data) => run.endsWith(name));
      assert.equal(runs.length, 3);
      assert.deepEqual([of("b").status, of("b").progress], ["stopped", 2 / 3]);
      assert.match(of("broken").error, /run\.json/);
      const path = `/api/runs/${encodeURIComponent(of("/a").run)}`;
      const { logs, f1 } = await json(ask(path));
      assert.deepEqual(logs.map(({ steps, epochs }: Data) => [steps.length, epochs.length]), [[12, 3], [12, 3], [
        12,
        3,
      ]]);
      assert.ok(f1 > 0);
      const query = [of("/a").run, of("b").run].map((run) => `run=${encodeURIComponent(run)}`).join("&");
      const compared = await json(ask(`/api/compare?${query}`));
      assert.deepEqual(compared.folds, [0, 1]);
      assert.equal((await ask(`/api/compare?run=${encodeURIComponent(of("b").run)}`)).status, 422);
      assert.equal((await ask("/api/compare?run=x&run=y")).status, 404);

      const report = await ask(`/report/run/${encodeURIComponent(of("/a").run)}`);
      assert.equal(report.status, 200);
      assert.match(report.body, /^<!doctype html>/);
      assert.equal((await ask(`/report/run/${encodeURIComponent(of("broken").run)}`)).status, 422);
    });
  });
});

Deno.test("dashboard: the page needs nothing that is not served, and all that is served", async () => {
  await withServer({}, async (ask) => {
    const links = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, link]) => link);
    const page = await ask("/");
    const pending = links(page.body, /(?:src|href)="(\/[^"]*)"/g);
    const modules = new Set<string>();
    for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
      const { status, body } = await ask(path);
      assert.equal(status, 200, path);
      if (!path.startsWith("/src/")) continue;
      modules.add(path);
      const imported = links(body, /^(?:import|export)\b[^;]*? from "([^"]+)";/gm);
      pending.push(
        ...imported.map((link) => new URL(link, `http://x${path}`).pathname).filter((each) => !modules.has(each)),
      );
    }
    assert.deepEqual([...modules].sort(), PAGE_MODULES.map((path) => `/src/${path}`).sort());
  });
});

Deno.test("dashboard: only GET, only own hosts, and off loopback only with the token", async () => {
  await withServer({}, async (ask, port) => {
    for (const method of ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"]) {
      assert.equal((await ask("/api/studies", { method })).status, 405, method);
    }
    const hosts = [
      "127.0.0.1",
      `localhost:${port}`,
      "LOCALHOST:1",
      "[::1]:8080",
      "evil.example",
      "127.0.0.1.evil.example",
    ];
    const statuses = await Promise.all(hosts.map((host) => statusWithHost(port, host)));
    assert.deepEqual(statuses, [200, 200, 200, 200, 403, 403]);
    const response = await fetch(`http://127.0.0.1:${port}/`);
    await response.text();
    assert.match(response.headers.get("content-security-policy")!, /default-src 'none'; script-src 'self';/);
    assert.equal(response.headers.get("set-cookie"), null);
  });
  await withServer({ host: "0.0.0.0", token: "T0k/en+" }, async (ask, port) => {
    for (const path of ["/", "/api/studies", "/events", "/echarts.js", "/api/studies?token=T0k", "/x"]) {
      assert.equal((await ask(path)).status, 401, path);
    }
    assert.equal((await ask("/api/runs", { headers: { authorization: "Bearer wrong" } })).status, 401);
    assert.equal((await ask("/api/runs", { headers: { authorization: "Bearer T0k/en+" } })).status, 200);
    const token = encodeURIComponent("T0k/en+");
    assert.equal((await ask("/api/runs", { method: "POST" })).status, 401);
    const page = await fetch(`http://127.0.0.1:${port}/?token=${token}`);
    await page.text();
    const [cookie] = page.headers.get("set-cookie")!.split(";");
    assert.match(page.headers.get("set-cookie")!, /HttpOnly; SameSite=Strict/);
    assert.equal((await ask("/api/runs", { headers: { cookie } })).status, 200);
    assert.equal(await statusWithHost(port, "evil.example"), 403);
  });
});
