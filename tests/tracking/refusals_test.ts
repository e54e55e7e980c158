import assert from "node:assert/strict";
import { join } from "node:path";
import { inTemporaryFolder } from "../support/run_data.ts";
import { open, steps, until, withServer } from "./tracking.ts";

/** A server's "no", for good as far as MLflow is concerned. */
const refusal = (message = "no such thing") =>
  Response.json({ error_code: "INVALID_PARAMETER_VALUE", message }, { status: 400 });

/** Refuses calls whose names match. */
const refusing = (pattern: RegExp) => (call: string) => pattern.test(call) ? refusal() : undefined;

const unsent = (folder: string) => Deno.readTextFile(join(folder, "mlflow-unsent-0.jsonl"));

Deno.test("openTracker: what the server refuses is said once and holds nothing up", async () => {
  await withServer(async (server, folder) => {
    const notices: string[] = [];
    server.before = refusing(/log-batch/);
    const tracker = await open(server.uri, folder, notices);
    const run = tracker.startRun({ name: "r" });
    for (let step = 0; step < 5; step++) {
      run.logMetrics(step, { loss: 1 });
      run.setTags({ step: `${step}` });
    }
    run.end("FINISHED");
    await tracker.close();
    assert.equal(server.runNamed("r").status, "FINISHED");
    assert.equal(notices.length, 2, notices.join("\n"));
    assert.match(notices[0], /no such thing/);
    assert.match(notices[1], /has refused 10 records; what it has not got is in .*mlflow-unsent-0\.jsonl/);
  });
});

Deno.test("openTracker: what a server refuses goes to it from a later process, once and in order", async () => {
  await withServer(async (server, folder) => {
    const first = await open(server.uri, folder);
    const run = first.startRun({ name: "r" });
    await until(() => server.runs.size === 1);
    server.before = refusing(/log-batch/);
    run.logMetrics(1, { loss: 0.5 });
    run.setTags({ note: "kept" });
    await until(() => server.calls.filter((call) => /log-batch/.test(call)).length === 2);
    server.before = () => undefined;
    run.logMetrics(2, { loss: 0.25 });
    run.end("FINISHED");
    await first.close();
    assert.deepEqual(steps(server, "r", "loss"), [2]);
    const lines = (await unsent(folder)).trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(lines.map(({ kind }) => kind), [undefined, "start", "metrics", "tags"]);

    await (await open(server.uri, folder)).close();
    assert.deepEqual(steps(server, "r", "loss"), [2, 1]);
    assert.equal(server.runNamed("r").tags.note, "kept");
    assert.equal(server.runNamed("r").status, "FINISHED");
    await assert.rejects(unsent(folder), Deno.errors.NotFound);
  });
});

Deno.test("openTracker: a record that is always refused is tried once by each process, and the journal does not grow", async () => {
  await withServer(async (server, folder) => {
    server.before = refusing(/log-batch/);
    const journals = new Set<string>();
    for (let sitting = 0; sitting < 3; sitting++) {
      server.calls.length = 0;
      const notices: string[] = [];
      const tracker = await open(server.uri, folder, notices);
      if (sitting === 0) tracker.startRun({ name: "poison" }).setTags({ a: "1" });
      else tracker.startRun({ name: `run ${sitting}` }).end("FINISHED");
      await tracker.close();
      assert.equal(server.calls.filter((call) => /log-batch/.test(call)).length, 1);
      assert.match(notices.at(-1)!, /has refused 1 records/);
      journals.add(await unsent(folder));
    }
    assert.equal(server.runNamed("run 2").status, "FINISHED");
    assert.equal(journals.size, 1);
  });
});

Deno.test("openTracker: a run whose start is refused is kept whole, with those in it", async () => {
  await withServer(async (server, folder) => {
    server.before = refusing(/runs\/create/);
    const first = await open(server.uri, folder);
    const parent = first.startRun({ name: "whole", params: { a: "1" } });
    const fold = first.startRun({ name: "fold 0", parent });
    fold.logMetrics(1, { loss: 1 });
    fold.end("FINISHED");
    parent.end("KILLED");
    await first.close();
    assert.equal(server.runs.size, 0);
    server.before = () => undefined;
    await (await open(server.uri, folder)).close();
    assert.deepEqual(server.runNamed("whole").params, { a: "1" });
    assert.equal(server.runNamed("fold 0").tags["mlflow.parentRunId"], server.runNamed("whole").run_id);
    assert.deepEqual(steps(server, "fold 0", "loss"), [1]);
    assert.deepEqual(["whole", "fold 0"].map((name) => server.runNamed(name).status), ["KILLED", "FINISHED"]);
  });
});

Deno.test("openTracker: refused parameters hold back nothing else, and change no status when they are sent later", async () => {
  await withServer(async (server, folder) => {
    server.before = refusing(/log-batch/);
    const first = await open(server.uri, folder);
    const run = first.startRun({ name: "r", params: { a: "1" } });
    await until(() => server.calls.some((call) => /log-batch/.test(call)));
    server.before = () => undefined;
    run.logMetrics(1, { loss: 1 });
    run.end("FINISHED");
    await first.close();
    assert.deepEqual(steps(server, "r", "loss"), [1]);
    assert.deepEqual(server.runNamed("r").params, {});
    await (await open(server.uri, folder)).close();
    assert.deepEqual(server.runNamed("r").params, { a: "1" });
    assert.equal(server.runNamed("r").status, "FINISHED");
    await assert.rejects(unsent(folder), Deno.errors.NotFound);
  });
});

Deno.test("openTracker: a run that was deleted on the server is given up, with a word", async () => {
  await withServer(async (server, folder) => {
    const first = await open(server.uri, folder);
    const run = first.startRun({ name: "r" });
    await until(() => server.runs.size === 1);
    server.runs.clear();
    run.setTags({ a: "1" });
    await first.close();
    const notices: string[] = [];
    await (await open(server.uri, folder, notices)).close();
    assert.equal(notices.length, 1, notices.join("\n"));
    assert.match(notices[0], /the run r is no longer there/);
    await assert.rejects(unsent(folder), Deno.errors.NotFound);
  });
});

Deno.test("openTracker: a server's long answer is quoted in short, and a proxy's limit holds nothing up", async () => {
  await withServer(async (server, folder) => {
    const notices: string[] = [];
    const tracker = await open(server.uri, folder, notices);
    const run = tracker.startRun({ name: "r" });
    await until(() => server.runs.size === 1);
    server.before = (call) => /log-batch/.test(call) ? refusal("x".repeat(10_000_000) + "\nTraceback") : undefined;
    run.setTags({ a: "1" });
    await until(() => notices.length === 1);
    server.before = (call) => /log-batch/.test(call) ? new Response("<html>", { status: 413 }) : undefined;
    run.setTags({ b: "1" });
    run.end("FINISHED");
    await tracker.close();
    assert.equal(server.runNamed("r").status, "FINISHED");
    assert.match(notices[0], /HTTP 400: x+…$/);
    assert.match(notices[1], /HTTP 413: too large/);
    for (const line of notices) assert.ok(line.length < 500, `${line.length} characters`);
  });
});

Deno.test("openTracker: lines of a journal that are no records are left out", async () => {
  await withServer(async (server, folder) => {
    const start = { kind: "start", run: "a".repeat(32), experiment: "unit test", name: "r", startTime: 1, tags: {} };
    const lines = [
      { version: 1, tracking_uri: server.uri },
      start,
      { ...start, params: {} },
      { kind: "tags", run: start.run },
      { kind: "tags", run: start.run, tags: null },
      { kind: "metrics", run: start.run, points: "none" },
      { kind: "other", run: start.run },
      5,
      null,
      { kind: "end", run: start.run, status: "FINISHED", endTime: 2 },
    ];
    await Deno.writeTextFile(
      join(folder, "mlflow-unsent-0.jsonl"),
      lines.map((line) => JSON.stringify(line)).join("\n"),
    );
    const notices: string[] = [];
    await (await open(server.uri, folder, notices)).close();
    assert.deepEqual(notices, []);
    assert.equal(server.runNamed("r").status, "FINISHED");
  });
});

Deno.test("openTracker: a password in an address that cannot be is not shown, one with a stray % is sent", async () => {
  await inTemporaryFolder(async (folder) => {
    for (const uri of ["http://me:secret@:99999x", "postgresql://me:secret@db/x", "file://me:secret@host/x"]) {
      await assert.rejects(open(uri, folder), (error: Error) => {
        assert.match(error.message, /^mlflow\.tracking_uri: /);
        assert.doesNotMatch(error.message, /secret/);
        return true;
      });
    }
  });
  await withServer(async (server, folder) => {
    const tracker = await open(server.uri.replace("//", "//me:100%@"), folder);
    tracker.startRun({ name: "r" });
    await tracker.close();
    assert.deepEqual([...server.authorizations], [`Basic ${btoa("me:100%")}`]);
  });
});
