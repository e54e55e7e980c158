import assert from "node:assert/strict";
import { join } from "node:path";
import { newRunId, openTracker, storeFolder, type Tracker } from "../../src/tracking/tracker.ts";
import { inTemporaryFolder } from "../support/run_data.ts";

const open = (folder: string): Promise<Tracker> =>
  openTracker(`file:${join(folder, "store")}`, {
    experimentName: "unit",
    source: "entail train",
    spoolFolder: folder,
    onNotice: (line) => assert.fail(line),
    onLack: (line) => assert.fail(line),
  });

/** Every file below a folder with its content. */
function tree(folder: string, prefix = ""): Record<string, string> {
  const result: Record<string, string> = {};
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const path = join(folder, name);
    if (isDirectory) Object.assign(result, tree(path, `${prefix}${name}/`));
    else result[prefix + name] = Deno.readTextFileSync(path);
  }
  return result;
}

/** Times are the clock's, the user and the folder the machine's. */
const anonymous = (text: string, folder: string): string =>
  text.replaceAll(folder, "FOLDER").replace(/\b1\d{12}\b/g, "TIME").replace(/^user_id: .*$/m, "user_id: USER");

Deno.test("openTracker: a folder has the layout of MLflow's file store, to the byte", async () => {
  await inTemporaryFolder(async (folder) => {
    const tracker = await open(folder);
    const parent = tracker.startRun({
      name: "whole",
      params: { "model.name": "a/b", text: "two\nlines", none: "None" },
    });
    const fold = tracker.startRun({ name: "yes", parent, tags: { note: "ä" } });
    fold.logMetrics(1, { loss: 0.5, "eval/f1": NaN, auc: null });
    fold.logMetrics(2, { loss: Infinity, "eval/f1": -Infinity });
    await Deno.mkdir(join(folder, "best/deep"), { recursive: true });
    await Deno.writeTextFile(join(folder, "best/config.json"), "{}");
    await Deno.writeTextFile(join(folder, "best/deep/weights"), "w".repeat(2 ** 20));
    fold.logArtifact(join(folder, "best"), "checkpoint");
    parent.logArtifact(join(folder, "best/config.json"));
    fold.end("KILLED");
    await tracker.close();

    const files = tree(join(folder, "store"));
    const experiment = Object.keys(files).find((path) => /^\d{18}\/meta.yaml$/.test(path))!.slice(0, 18);
    const actual = Object.fromEntries(
      Object.entries(files).map(([path, text]) => [
        path.replace(experiment, "EXP").replace(parent.id, "PARENT").replace(fold.id, "FOLD"),
        anonymous(text, folder).replaceAll(experiment, "EXP").replaceAll(parent.id, "PARENT").replaceAll(
          fold.id,
          "FOLD",
        ),
      ]),
    );
    const quoted = (id: string) => /^[a-f]/.test(id) ? id : `'${id}'`;
    const user = Deno.readTextFileSync(join(folder, "store", experiment, parent.id, "tags/mlflow.user"));
    const experimentMeta = (id: string, name: string) =>
      `artifact_location: file://FOLDER/store/${id}\ncreation_time: TIME\nexperiment_id: '${id}'\n` +
      `last_update_time: TIME\nlifecycle_stage: active\nname: ${name}\n`;
    const runMeta = (id: string, written: string, name: string, end: string, status: number) =>
      `artifact_uri: file://FOLDER/store/EXP/${id}/artifacts\nend_time: ${end}\nentry_point_name: ''\n` +
      `experiment_id: 'EXP'\nlifecycle_stage: active\nrun_id: ${written}\nrun_name: ${name}\nsource_name: ''\n` +
      `source_type: 4\nsource_version: ''\nstart_time: TIME\nstatus: ${status}\ntags: []\nuser_id: USER\n`;
    const common = {
      "mlflow.user": user,
      "mlflow.source.type": "LOCAL",
      "mlflow.source.name": "entail train",
    };
    const tags = (id: string, entries: Record<string, string>) =>
      Object.fromEntries(Object.entries({ ...common, ...entries }).map(([key, v]) => [`EXP/${id}/tags/${key}`, v]));
    assert.deepEqual(actual, {
      "0/meta.yaml": experimentMeta("0", "Default"),
      "EXP/meta.yaml": experimentMeta("EXP", "unit"),
      "EXP/PARENT/meta.yaml": runMeta("PARENT", quoted(parent.id).replace(parent.id, "PARENT"), "whole", "null", 1),
      "EXP/PARENT/params/model.name": "a/b",
      "EXP/PARENT/params/text": "two\nlines",
      "EXP/PARENT/params/none": "None",
      "EXP/PARENT/artifacts/config.json": "{}",
      ...tags("PARENT", { "mlflow.runName": "whole" }),
      "EXP/FOLD/meta.yaml": runMeta("FOLD", quoted(fold.id).replace(fold.id, "FOLD"), "'yes'", "TIME", 5),
      "EXP/FOLD/metrics/loss": "TIME 0.5 1\nTIME inf 2\n",
      "EXP/FOLD/metrics/eval/f1": "TIME nan 1\nTIME -inf 2\n",
      "EXP/FOLD/artifacts/checkpoint/config.json": "{}",
      "EXP/FOLD/artifacts/checkpoint/deep/weights": "w".repeat(2 ** 20),
      ...tags("FOLD", { "mlflow.runName": "yes", "mlflow.parentRunId": "PARENT", note: "ä" }),
    });
    assert.ok((await Deno.stat(join(folder, "store/.trash"))).isDirectory);
  });
});

Deno.test("openTracker: a run in a folder goes on without repeating points, after a cut-off line too", async () => {
  await inTemporaryFolder(async (folder) => {
    const id = newRunId();
    const first = await open(folder);
    const run = first.startRun({ name: "r", id, params: { resume: "False" } });
    for (const step of [1, 2, 3]) run.logMetrics(step, { loss: step });
    run.end("KILLED");
    await first.close();
    const store = join(folder, "store");
    const path = Object.keys(tree(store)).find((file) => file.endsWith("metrics/loss"))!;
    const before = await Deno.readTextFile(join(store, path));
    await Deno.writeTextFile(join(store, path), "17954", { append: true });

    const second = await open(folder);
    const again = second.startRun({ name: "r", id, params: { resume: "True" } });
    for (const step of [2, 3, 4]) again.logMetrics(step, { loss: step });
    again.end("FINISHED");
    await second.close();

    const lines = await Deno.readTextFile(join(store, path));
    assert.ok(lines.startsWith(before));
    assert.deepEqual(lines.trim().split("\n").map((line) => line.split(" ")[2]), ["1", "2", "3", "4"]);
    const files = tree(store);
    assert.equal(files[path.replace("metrics/loss", "params/resume")], "False");
    const meta = files[path.replace("metrics/loss", "meta.yaml")];
    assert.match(meta, /^status: 3$/m);
    assert.match(meta, /^end_time: \d+$/m);
    assert.equal(Object.keys(files).filter((file) => /^\d+\/meta.yaml$/.test(file)).length, 2);
  });
});

Deno.test("openTracker: entries beyond MLflow's limits are left out", async () => {
  await inTemporaryFolder(async (folder) => {
    const tracker = await open(folder);
    const run = tracker.startRun({
      name: "r",
      params: { fits: "x".repeat(6000), long: "x".repeat(6001), "../../outside": "1", "an=sign": "1" },
    });
    run.logMetrics(1, { "../up": 1, ok: 1 });
    await tracker.close();
    const names = Object.keys(tree(join(folder, "store"))).filter((path) => /params|metrics/.test(path));
    assert.deepEqual(names.map((path) => path.split("/").slice(2).join("/")).sort(), ["metrics/ok", "params/fits"]);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["store"]);
  });
});

Deno.test("storeFolder: paths and file URIs; what MLflow would refuse is a usage error that says why", () => {
  const here = Deno.cwd();
  assert.equal(storeFolder("file:mlflow-store"), join(here, "mlflow-store"));
  assert.equal(storeFolder("runs"), join(here, "runs"));
  assert.equal(storeFolder("file:///a/b%20c"), "/a/b c");
  assert.equal(storeFolder("/a/b/"), "/a/b");
  for (
    const [uri, message] of [
      ["mlruns", /called mlruns/],
      ["file:///data/mlruns/", /called mlruns/],
      ["sqlite:///mlflow.db", /mlflow server --backend-store-uri sqlite/],
      ["databricks", /address of an MLflow server, as the workspace is one .*MLFLOW_TRACKING_TOKEN/],
      ["databricks://x", /address of an MLflow server/],
      ["file:", /names no folder/],
    ] as const
  ) assert.throws(() => storeFolder(uri), { kind: "usage", message });
});

Deno.test("openTracker: in a folder, too, tags name runs that are there, texts are files, and a left run ends", async () => {
  await inTemporaryFolder(async (folder) => {
    const id = newRunId();
    const [first, second] = [await open(folder), await open(folder)];
    const parent = first.startRun({ name: "study", id, shared: true });
    second.startRun({ name: "study", id, shared: true });
    parent.logMetrics(2, { best: 0.5 });
    const trial = first.startRun({ name: "trial", parent });
    const ended = first.startRun({ name: "ended", parent });
    ended.end("FINISHED");
    parent.logText("seed: 1\n", "best/config.yaml");
    parent.setTags({ number: "0" }, { best_run: trial.id, other: newRunId() });
    await first.close();
    second.startRun({ name: "study", id, shared: true }).logMetrics(1, { best: 0.25 });
    for (const run of [trial.id, ended.id, newRunId()]) second.endLeftRun(run, "KILLED", { state: "FAIL" });
    await second.close();

    const files = tree(join(folder, "store"));
    const root = Object.keys(files).find((path) => path.includes(id))!.split("/")[0];
    assert.equal(files[`${root}/${id}/artifacts/best/config.yaml`], "seed: 1\n");
    assert.match(files[`${root}/${id}/metrics/best`], /^\d+ 0\.5 2\n\d+ 0\.25 1\n$/);
    assert.equal(files[`${root}/${id}/tags/best_run`], trial.id);
    assert.ok(!(`${root}/${id}/tags/other` in files));
    const statusOf = (run: string) => files[`${root}/${run}/meta.yaml`].match(/^status: (\d)$/m)![1];
    assert.deepEqual([id, trial.id, ended.id].map(statusOf), ["1", "5", "3"]);
    assert.equal(files[`${root}/${trial.id}/tags/state`], "FAIL");
    assert.ok(!(`${root}/${ended.id}/tags/state` in files));
    assert.equal(Object.keys(files).filter((path) => path.endsWith("meta.yaml")).length, 5);
  });
});
