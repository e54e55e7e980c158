import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { createStudy, loadStudy } from "../../src/studies/study.ts";
import { spawnWorker } from "./spawn_worker.ts";

async function withFile(body: (url: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "entail-studies-" });
  try {
    await body(`sqlite:///${folder}/study.db`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Waits for the worker's first line, then kills it without warning. */
async function killWhenHanging(worker: Deno.ChildProcess): Promise<string> {
  const reader = worker.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) break;
    text += value;
  }
  worker.kill("SIGKILL");
  await reader.cancel();
  await worker.stderr.cancel();
  await worker.status;
  return text;
}

Deno.test("SqliteStorage: six processes that start together on a new file lose no trial and no number", () =>
  withFile(async (url) => {
    const workers = Array.from({ length: 6 }, () => spawnWorker(url, "many", "10"));
    for (const result of await Promise.all(workers.map((worker) => worker.output()))) {
      assert.equal(new TextDecoder().decode(result.stderr), "");
      assert.ok(result.success);
    }
    const study = await loadStudy({ storage: url });
    assert.deepEqual(study.trials.map((trial) => trial.number), [...Array(60).keys()]);
    assert.ok(study.trials.every((trial) => trial.state === "COMPLETE" && trial.intermediateValues.size === 1));
    await study.close();
  }));

Deno.test("Study.optimize: four processes that share totalTrials end with exactly so many", () =>
  withFile(async (url) => {
    const workers = Array.from({ length: 4 }, () => spawnWorker(url, "shared", "100", "total=23"));
    for (const result of await Promise.all(workers.map((worker) => worker.output()))) {
      assert.equal(new TextDecoder().decode(result.stderr), "");
    }
    const study = await loadStudy({ storage: url });
    assert.equal(study.trials.map((trial) => trial.state[0]).join(""), "C".repeat(23));
    await study.optimize(() => assert.fail("not needed"), { totalTrials: 23 });
    await study.close();
  }));

Deno.test("Study: survives a process killed in mid-trial, and declares its trial dead", () =>
  withFile(async (url) => {
    assert.match(await killWhenHanging(spawnWorker(url, "killed", "9", "hang=3")), /hanging in trial 2/);
    const before = await loadStudy({ storage: url });
    assert.deepEqual(before.trials.map((trial) => trial.state), ["COMPLETE", "COMPLETE", "RUNNING"]);
    assert.deepEqual(Object.keys(before.trials[2].params), ["x", "kind"]);
    await before.close();

    const study = await createStudy({
      studyName: "killed",
      storage: url,
      loadIfExists: true,
      heartbeat: { graceSeconds: 0, maxRetries: 1 },
    });
    // Heartbeats are kept in whole seconds.
    while ((await study.storage.staleTrialIds(study.studyId, 0)).length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await study.optimize((trial) => trial.suggestFloat("x", 0, 1), { nTrials: 2 });
    assert.deepEqual(study.trials.map((trial) => trial.state), [
      "COMPLETE",
      "COMPLETE",
      "FAIL",
      "COMPLETE",
      "COMPLETE",
    ]);
    assert.equal(study.trials[3].params.x, study.trials[2].params.x);
    assert.deepEqual(study.trials[3].systemAttrs.retry_history, [2]);
    await study.close();
  }));

Deno.test("SqliteStorage: is whole after kills at any moment", () =>
  withFile(async (url) => {
    const study = await createStudy({ studyName: "killed", storage: url });
    for (const more of [3, 10, 25]) {
      const enough = study.trials.length + more;
      const worker = spawnWorker(url, "killed", "100000");
      while ((await study.refresh()).length < enough) await new Promise((resolve) => setTimeout(resolve, 2));
      worker.kill("SIGKILL");
      await worker.output();
    }
    await study.refresh();
    assert.deepEqual(study.trials.map((trial) => trial.number), [...study.trials.keys()]);
    assert.ok(study.trials.filter((trial) => trial.state === "RUNNING").length <= 3);
    for (const trial of study.trials.filter((trial) => trial.state === "COMPLETE")) {
      assert.deepEqual([Object.keys(trial.params), trial.intermediateValues.size], [["x", "kind"], 1]);
      assert.equal(trial.value, Number(trial.params.x) + (trial.params.kind === "a" ? 1 : 0));
    }
    await study.optimize((trial) => trial.suggestFloat("x", 0, 1), { nTrials: 1 });
    await study.close();
    const db = new DatabaseSync(url.replace("sqlite:///", ""));
    assert.deepEqual({ ...db.prepare("PRAGMA integrity_check").get() }, { integrity_check: "ok" });
    db.close();
  }));
