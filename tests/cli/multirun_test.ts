/** `train -m`, and what is printed of a configuration. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { entail, errorLine, failure } from "../support/command_line.ts";
import { inTemporaryFolder, writeRunData } from "../support/run_data.ts";

Deno.test("entail train -m: a run for each combination, each once, also when the sweep grows", async () => {
  await inTemporaryFolder(async (folder) => {
    const run = join(folder, "run");
    const train = ["train", "-m", ...writeRunData(folder), "training.num_epochs=1", "training.learning_rate=1e-3"];
    const read = (path: string) => Deno.readTextFileSync(join(run, path));
    const first = await entail([...train, "seed=1,2"]);
    assert.equal(first.code, 0, first.stderr);
    assert.deepEqual([...Deno.readDirSync(run)].map(({ name }) => name).sort(), ["0", "1"]);
    for (const number of [0, 1]) {
      assert.match(read(`${number}/config.yaml`), new RegExp(`^seed: ${number + 1}$`, "m"));
      assert.ok(JSON.parse(read(`${number}/summary.json`)).mean.f1 >= 0);
      assert.ok(Deno.statSync(join(run, `${number}/checkpoints/fold_1/best/config.json`)).isFile);
    }
    const rows = first.stdout.trim().split("\n").map((line) => line.split("\t"));
    assert.deepEqual(rows[0], ["run", "seed", "F1", "±", "AUC"]);
    assert.deepEqual(rows.slice(1).map((row) => row.slice(0, 2)), [[`${run}/0`, "1"], [`${run}/1`, "2"]]);

    const before = Deno.statSync(join(run, "0/summary.json")).mtime;
    const second = await entail([...train, "seed=3,1", "kfold.n_splits=2"]);
    assert.equal(second.code, 0, second.stderr);
    assert.match(second.stderr, /run\/0: finished already/);
    assert.deepEqual(Deno.statSync(join(run, "0/summary.json")).mtime, before);
    assert.match(read("2/config.yaml"), /^seed: 3$/m);
    const lines = second.stdout.trim().split("\n");
    assert.match(lines[1], /run\/2\t3\t/);
    assert.equal(lines[2], first.stdout.trim().split("\n")[1], "the finished run is shown as it was");

    const broken = await entail([...train, "seed=1", "data.criteria_json=/nowhere.json,/nor/here.json"]);
    assert.equal(broken.code, 3, broken.stderr);
    assert.match(errorLine(broken.stderr), /run\/0 \(and 1 more of 2 runs\): \/nowhere\.json/);
    assert.match(broken.stdout, /failed\t–/);
  });
});

Deno.test("entail train -m: mistakes end it before anything is trained or written", async () => {
  await inTemporaryFolder(async (folder) => {
    const train = ["train", ...writeRunData(folder)];
    const cases: [string[], RegExp][] = [
      [["-m", "training.batch_size=4,-1"], /"training\.batch_size" must be an integer >= 1, not -1/],
      [["-m", "model=minilm,deberta_nil"], /deberta_nli/],
      [["-m", "--cfg", "job"], /^error: -m: /],
      [["seed=1,2"], /several values are a sweep; add -m/],
      [["--cfg", "job", "--info"], /one of them at a time/],
      [["--package", "gpu"], /--package: is a part of --cfg job/],
    ];
    const results = await Promise.all(cases.map(([args]) => failure([...train, ...args])));
    results.forEach(([code, line], i) => {
      assert.match(line, cases[i][1]);
      assert.equal(code, 2, line);
    });
    assert.throws(() => Deno.statSync(join(folder, "run")), Deno.errors.NotFound);
  });
});

Deno.test("entail --cfg job: as it is written, resolved, or a part; --info says where it comes from", async () => {
  await inTemporaryFolder(async (folder) => {
    Deno.writeTextFileSync(join(folder, "exp.yaml"), "defaults: [config, _self_]\nseed: 7\n");
    const [written, resolved, part, named, info] = await Promise.all([
      entail(["train", "--cfg", "job"]),
      entail(["train", "--cfg", "job", "--resolve"]),
      entail(["hpo", "-c", "job", "-p", "kfold"]),
      entail(["train", "-cd", folder, "-cn", "exp", "-c", "job", "-p", "seed"]),
      entail(["train", "--info", "defaults", "model=minilm"]),
    ]);
    assert.match(written.stdout, /^output_dir: outputs\/\$\{experiment_name\}$/m);
    assert.match(resolved.stdout, /^output_dir: outputs\/entail$/m);
    assert.equal(part.stdout, "# @package kfold\nn_splits: 5\ngroup_by_post: true\n");
    assert.equal(named.stdout, "7\n", named.stderr);
    assert.match(info.stdout, /^configs\/model\/minilm\.yaml\tmodel\tconfigs\/config\.yaml$/m);
    const [code, line] = await failure(["train", "--config-name", "confg"]);
    assert.equal(code, 2);
    assert.match(line, /no configuration file confg\.yaml in configs; did you mean "config"\?/);
  });
});
