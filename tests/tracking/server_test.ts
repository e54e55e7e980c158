import assert from "node:assert/strict";
import { join } from "node:path";
import { newRunId } from "../../src/tracking/tracker.ts";
import { inTemporaryFolder } from "../support/run_data.ts";
import { serveMlflow } from "./mlflow_server.ts";
import { HANGING, open, steps, until, withServer } from "./tracking.ts";

Deno.test("openTracker: a server gets nested runs, batches within its limits, and artifacts", async () => {
  await withServer(async (server, folder) => {
    const notices: string[] = [];
    const tracker = await open(server.uri, folder, notices);
    const params = Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`p.${i}`, "é".repeat(6000)]));
    const parent = tracker.startRun({ name: "whole", params });
    const fold = tracker.startRun({ name: "fold 0", parent });
    for (let step = 1; step <= 1200; step++) fold.logMetrics(step, { loss: step / 7, grad_norm: step });
    fold.logMetrics(1201, { loss: NaN, grad_norm: -Infinity });
    const file = join(folder, "sum mary#1.json");
    await Deno.writeTextFile(file, '{"f1": 1}');
    fold.logArtifact(file, "check point");
    fold.setTags({ "mlflow.note.content": "done" });
    fold.end("FINISHED");
    parent.end("FAILED");
    await tracker.close();

    assert.deepEqual(notices, []);
    assert.deepEqual([...server.experiments.keys()], ["unit test"]);
    const whole = server.runNamed("whole");
    assert.deepEqual(whole.params, params);
    assert.equal(whole.status, "FAILED");
    const served = server.runNamed("fold 0");
    assert.equal(served.tags["mlflow.parentRunId"], whole.run_id);
    assert.equal(served.tags["mlflow.source.name"], "entail train");
    assert.equal(served.tags["mlflow.note.content"], "done");
    assert.equal(served.tags["entail.run"], fold.id);
    assert.equal(served.status, "FINISHED");
    assert.ok(served.start_time > 1e12 && served.end_time! >= served.start_time);
    assert.deepEqual(steps(server, "fold 0", "loss"), Array.from({ length: 1201 }, (_, i) => i + 1));
    assert.deepEqual(served.metrics.slice(-2).map(({ value }) => value), ["NaN", "-Infinity"]);
    assert.equal(new TextDecoder().decode(served.artifacts["check point/sum mary#1.json"]), '{"f1": 1}');
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["sum mary#1.json"]);
  });
});

Deno.test("openTracker: a server that answers with errors gets everything once it recovers, and once only", async () => {
  await withServer(async (server, folder) => {
    const notices: string[] = [];
    let failures = 3;
    server.before = () => failures-- > 0 ? new Response("gateway", { status: 502 }) : undefined;
    const tracker = await open(server.uri, folder, notices);
    const run = tracker.startRun({ name: "r" });
    run.logMetrics(1, { loss: 1 });
    await until(() => server.runs.size === 1);
    run.logMetrics(2, { loss: 2 });
    run.end("FINISHED");
    await tracker.close();
    assert.equal(notices.length, 2);
    assert.match(notices[0], /cannot be reached \(HTTP 502/);
    assert.match(notices[1], /is back/);
    assert.deepEqual(steps(server, "r", "loss"), [1, 2]);
  });
});

Deno.test("openTracker: a lost answer to the creation of a run does not make a second run", async () => {
  await withServer(async (server, folder) => {
    const tracker = await open(server.uri, folder);
    const run = tracker.startRun({ name: "r", params: { a: "1" } });
    let lost = false;
    server.before = (call) => {
      if (lost || call !== "POST runs/log-batch") return undefined;
      lost = true;
      return new Response("", { status: 504 });
    };
    run.end("FINISHED");
    await until(() => server.runs.size === 1 && server.runNamed("r").status === "FINISHED");
    await tracker.close();
    assert.ok(lost);
    assert.deepEqual(server.runNamed("r").params, { a: "1" });
  });
});

Deno.test("openTracker: a server that is down all the time gets everything from the next run", async () => {
  await inTemporaryFolder(async (folder) => {
    const gone = serveMlflow();
    await gone.stop();
    const notices: string[] = [];
    const first = await open(gone.uri, folder, notices);
    const parent = first.startRun({ name: "whole", params: { a: "1" } });
    const fold = first.startRun({ name: "fold 0", parent });
    fold.logMetrics(1, { loss: 0.25, auc: NaN });
    await Deno.writeTextFile(join(folder, "kept.txt"), "kept");
    await Deno.writeTextFile(join(folder, "replaced.txt"), "old");
    await Deno.writeTextFile(join(folder, "rewritten.txt"), "first");
    await Deno.writeTextFile(join(folder, "gone.txt"), "gone");
    for (const name of ["kept.txt", "replaced.txt", "rewritten.txt", "gone.txt"]) fold.logArtifact(join(folder, name));
    fold.end("FINISHED");
    await first.close();
    const journal = join(folder, "mlflow-unsent-0.jsonl");
    assert.match(
      notices.at(-1)!,
      /cannot be reached \(.*refused.*\); what it has not got is in .*mlflow-unsent-0\.jsonl/i,
    );
    assert.ok(notices.length <= 2, notices.join("\n"));
    await Deno.writeTextFile(journal, '{"kind":"metr', { append: true }); // as a kill leaves it
    await Deno.writeTextFile(join(folder, "replaced.txt"), "another run's");
    await Deno.remove(join(folder, "gone.txt"));
    await Deno.writeTextFile(join(folder, "rewritten.txt"), "as it is now");

    const server = serveMlflow({ port: gone.port });
    try {
      const later: string[] = [];
      const second = await open(server.uri, folder, later);
      // The fold goes on in this process, which has written its file anew.
      const again = second.startRun({ name: "fold 0", id: fold.id });
      again.logArtifact(join(folder, "rewritten.txt"));
      again.end("FINISHED");
      second.startRun({ name: "next" }).end("FINISHED");
      await second.close();
      const served = server.runNamed("fold 0");
      assert.equal(served.status, "FINISHED");
      assert.equal(served.tags["mlflow.parentRunId"], server.runNamed("whole").run_id);
      assert.deepEqual(served.metrics.map(({ key, value, step }) => [key, value, step]), [
        ["loss", 0.25, 1],
        ["auc", "NaN", 1],
      ]);
      assert.deepEqual(Object.keys(served.artifacts), ["kept.txt", "rewritten.txt"]);
      assert.equal(new TextDecoder().decode(served.artifacts["rewritten.txt"]), "as it is now");
      assert.equal(server.runNamed("next").status, "FINISHED");
      assert.equal(later.length, 1, later.join("\n"));
      assert.match(later[0], /replaced\.txt is no longer what it was/);
      await assert.rejects(Deno.stat(journal), Deno.errors.NotFound);
    } finally {
      await server.stop();
    }
  });
});

Deno.test("openTracker: calls return while the server hangs, and close does not wait for it", async () => {
  await withServer(async (server, folder) => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    server.before = () => promise;
    const tracker = await open(server.uri, folder, [], HANGING);
    const run = tracker.startRun({ name: "r" });
    run.logMetrics(1, { loss: 1 });
    await until(() => server.calls.length === 1);
    await tracker.close();
    resolve(undefined);
    // One that has not answered is not asked again, which would take its time once more.
    assert.equal(server.calls.length, 1);
    assert.match(await Deno.readTextFile(join(folder, "mlflow-unsent-0.jsonl")), /"name":"r"[^]*"loss"/);
  });
});

Deno.test("openTracker: a journal in use, or of another server, is left alone", async () => {
  await withServer(async (server, folder) => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    await Deno.writeTextFile(
      join(folder, "mlflow-unsent-0.jsonl"),
      '{"version":1,"tracking_uri":"http://elsewhere"}\n{"kind":"tags","run":"x","tags":{}}\n',
    );
    server.before = () => promise;
    const one = await open(server.uri, folder);
    one.startRun({ name: "one" });
    const two = await open(server.uri, folder);
    two.startRun({ name: "two" });
    resolve(undefined);
    await Promise.all([one.close(), two.close()]);
    assert.equal(server.runs.size, 2);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["mlflow-unsent-0.jsonl"]);
  });
});

Deno.test("openTracker: a run on a server goes on, with the points and parameters that it does not have", async () => {
  await withServer(async (server, folder) => {
    const id = newRunId();
    for (const [known, status] of [[[1, 2, 3], "KILLED"], [[2, 3, 4], "FINISHED"]] as const) {
      const tracker = await open(server.uri, folder);
      const run = tracker.startRun({ name: "r", id, params: { status } });
      for (const step of known) run.logMetrics(step, { loss: step });
      run.end(status);
      await tracker.close();
      assert.equal(server.runNamed("r").status, status);
    }
    assert.deepEqual(steps(server, "r", "loss"), [1, 2, 3, 4]);
    assert.deepEqual(server.runNamed("r").params, { status: "KILLED" });
  });
});

Deno.test("openTracker: without served artifacts, files go to the folder that a server on this machine names", async () => {
  await inTemporaryFolder(async (folder) => {
    const artifactRoot = join(folder, "artifacts root");
    await withServer(async (server, spool) => {
      const tracker = await open(server.uri, spool);
      const run = tracker.startRun({ name: "r" });
      await Deno.writeTextFile(join(folder, "a.txt"), "a");
      run.logArtifact(join(folder, "a.txt"), "sub");
      await tracker.close();
      const id = server.runNamed("r").run_id;
      assert.equal(await Deno.readTextFile(join(artifactRoot, "1", id, "artifacts/sub/a.txt")), "a");
      assert.ok(!server.calls.some((call) => call.startsWith("PUT")));
    }, { artifactRoot });
  });
});

Deno.test("openTracker: credentials come from the environment or the address, and stay out of files", async () => {
  await withServer(async (server, folder) => {
    const send = async (uri: string) => {
      const tracker = await open(uri, folder);
      tracker.startRun({ name: "r" });
      assert.ok(!/secret/.test(await Deno.readTextFile(join(folder, "mlflow-unsent-0.jsonl"))));
      await tracker.close();
      const [sent] = server.authorizations;
      server.authorizations.clear();
      return sent;
    };
    try {
      Deno.env.set("MLFLOW_TRACKING_TOKEN", "secret");
      assert.equal(await send(server.uri), "Bearer secret");
      Deno.env.set("MLFLOW_TRACKING_USERNAME", "me");
      Deno.env.set("MLFLOW_TRACKING_PASSWORD", "secrét");
      assert.equal(await send(server.uri), "Basic bWU6c2VjcsOpdA==");
      assert.equal(await send(server.uri.replace("//", "//you:secret@")), `Basic ${btoa("you:secret")}`);
    } finally {
      for (const name of ["TOKEN", "USERNAME", "PASSWORD"]) Deno.env.delete(`MLFLOW_TRACKING_${name}`);
    }
  });
});

Deno.test("openTracker: a server that refuses the credentials is one that is away, and the notice says what it wants", async () => {
  await withServer(async (server, folder) => {
    const notices: string[] = [];
    let isLocked = true;
    server.before = () => isLocked ? new Response("You are not authenticated.", { status: 401 }) : undefined;
    const tracker = await open(server.uri, folder, notices);
    tracker.startRun({ name: "r" }).end("FINISHED");
    await until(() => notices.length === 1);
    assert.match(notices[0], /HTTP 401: .*MLFLOW_TRACKING_USERNAME/);
    isLocked = false;
    await tracker.close();
    assert.equal(server.runNamed("r").status, "FINISHED");
  });
});

Deno.test("openTracker: a journal folder that cannot be is a usage error that names it", async () => {
  await inTemporaryFolder(async (folder) => {
    await Deno.writeTextFile(join(folder, "file"), "");
    await assert.rejects(open("http://localhost:1", join(folder, "file")), { kind: "usage", message: /file: / });
  });
});

Deno.test("openTracker: a run that processes begin in the same moment is one run on a server, with all their runs in it", async () => {
  await withServer(async (server, folder) => {
    const id = newRunId();
    const { promise: bothLooked, resolve } = Promise.withResolvers<undefined>();
    let searches = 0;
    // Neither finds the run of the other.
    server.before = (call) => {
      if (call !== "POST runs/search") return undefined;
      if (++searches === 2) resolve(undefined);
      return searches <= 2 ? bothLooked.then(() => Response.json({})) : undefined;
    };
    const trackers = await Promise.all([open(server.uri, folder), open(server.uri, folder)]);
    for (const [index, tracker] of trackers.entries()) {
      const parent = tracker.startRun({ name: "study", id, shared: true });
      tracker.startRun({ name: `trial ${index}`, parent }).end("FINISHED");
      parent.logMetrics(index, { best: index });
    }
    await Promise.all(trackers.map((tracker) => tracker.close()));
    const study = server.runNamed("study");
    assert.deepEqual(
      [0, 1].map((index) => server.runNamed(`trial ${index}`).tags["mlflow.parentRunId"]),
      [study.run_id, study.run_id],
    );
    assert.deepEqual(steps(server, "study", "best").sort(), [0, 1]);
  });
});

Deno.test("openTracker: a shared run takes points at steps that another process is past", async () => {
  await withServer(async (server, folder) => {
    const id = newRunId();
    for (const step of [2, 1]) {
      const tracker = await open(server.uri, folder);
      tracker.startRun({ name: "study", id, shared: true }).logMetrics(step, { best: step });
      await tracker.close();
    }
    assert.deepEqual(steps(server, "study", "best"), [2, 1]);
  });
});

Deno.test("openTracker: a tag names a run by the server's id, in a later process too; an unknown run is left out", async () => {
  await withServer(async (server, folder) => {
    const id = newRunId();
    const first = await open(server.uri, folder);
    const parent = first.startRun({ name: "study", id });
    const best = first.startRun({ name: "trial", parent });
    parent.setTags({ number: "0" }, { best_run: best.id, other: newRunId() });
    await first.close();
    const study = server.runNamed("study");
    assert.equal(study.tags.best_run, server.runNamed("trial").run_id);
    assert.equal(study.tags.number, "0");
    assert.ok(!("other" in study.tags));

    delete study.tags.best_run;
    const second = await open(server.uri, folder);
    second.startRun({ name: "study", id }).setTags({}, { best_run: best.id });
    await second.close();
    assert.equal(study.tags.best_run, server.runNamed("trial").run_id);
  });
});

Deno.test("openTracker: endLeftRun ends what is still RUNNING on a server and nothing else", async () => {
  await withServer(async (server, folder) => {
    const first = await open(server.uri, folder);
    const left = first.startRun({ name: "left" });
    const ended = first.startRun({ name: "ended" });
    ended.end("FINISHED");
    await first.close();
    const second = await open(server.uri, folder);
    for (const id of [left.id, ended.id, newRunId()]) second.endLeftRun(id, "KILLED", { state: "FAIL" });
    await second.close();
    assert.deepEqual([server.runNamed("left").status, server.runNamed("left").tags.state], ["KILLED", "FAIL"]);
    assert.deepEqual([server.runNamed("ended").status, server.runNamed("ended").tags.state], ["FINISHED", undefined]);
    assert.equal(server.runs.size, 2);
  });
});

Deno.test("openTracker: a text is a file of the run's artifacts, the last of its name", async () => {
  await withServer(async (server, folder) => {
    const tracker = await open(server.uri, folder);
    const run = tracker.startRun({ name: "r" });
    run.logText("old", "best/config.yaml");
    run.logText("né", "best/config.yaml");
    await tracker.close();
    const { artifacts } = server.runNamed("r");
    assert.deepEqual(Object.keys(artifacts), ["best/config.yaml"]);
    assert.equal(new TextDecoder().decode(artifacts["best/config.yaml"]), "né");
  });
});
