/** A study on the command line: run, looked at, taken up by `train`, interrupted, refused. */
import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { composeConfig } from "../../src/config/config.ts";
import { loadStudy } from "../../src/studies/study.ts";
import { inTemporaryFolder, writeAnnotations, writeRunData } from "../support/run_data.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);

function start(folder: string, args: string[], command = [Deno.execPath(), ...RUN]): Deno.ChildProcess {
  return new Deno.Command(command[0], {
    args: [...command.slice(1), ...args],
    cwd: folder,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
}

const RUN = ["run", "-A", "--no-check", "--quiet", `--config=${ROOT}deno.json`, `${ROOT}src/cli/main.ts`];

async function entail(folder: string, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await start(folder, args).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

function* walk(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) yield* walk(join(folder, name));
    else yield join(folder, name);
  }
}

const studyOverrides = (folder: string): string[] => [
  ...writeRunData(folder),
  `hpo.storage=sqlite:///${join(folder, "study.db")}`,
  "hpo.study_name=tiny",
  "hpo.hpo_mode.mode=single_split",
  "hpo.hpo_mode.validation_fraction=0.5",
  "hpo.search_space.target_effective_batch_size.choices=[8]",
  "mlflow.enable=true",
  `mlflow.tracking_uri=file:${join(folder, "store")}`,
];

Deno.test("entail hpo, status, best: a study from its first trial to a configuration that train takes", async () => {
  await inTemporaryFolder(async (folder) => {
    const overrides = studyOverrides(folder);
    const run = await entail(folder, "hpo", "--n-trials", "2", ...overrides);
    assert.equal(run.code, 0, run.stderr);
    assert.equal(run.stderr.match(/^trial \d complete {2}F1 0\.\d{4} {2}Best F1 0\.\d{4}/gm)?.length, 2, run.stderr);
    assert.match(run.stdout, /^Best F1 0\.\d{4} \(trial \d of 2 in study tiny\)$/m);
    assert.match(run.stdout, /^learning_rate\t/m);

    const meta = [...walk(join(folder, "store"))].filter((path) => path.endsWith("/meta.yaml"));
    const runs = meta.map((path) => Deno.readTextFileSync(path)).filter((text) => text.includes("run_name"));
    // The study and its two trials, all of them finished.
    assert.equal(runs.filter((text) => /^status: 3$/m.test(text)).length, 3, runs.join("\n"));
    const parents = [...walk(join(folder, "store"))].filter((path) => path.endsWith("/tags/mlflow.parentRunId"));
    assert.equal(new Set(parents.map((path) => Deno.readTextFileSync(path))).size, 1);
    assert.equal(parents.length, 2);

    const [status, best] = await Promise.all([
      entail(folder, "status", "--json", ...overrides),
      entail(folder, "best", "--top", "2", ...overrides),
    ]);
    const [overview] = JSON.parse(status.stdout);
    assert.deepEqual([overview.study_name, overview.states.COMPLETE, overview.n_trials], ["tiny", 2, 2000]);
    assert.ok(overview.eta_seconds > 0 && overview.pruned_share === 0 && overview.busy_share > 0);
    assert.equal(best.code, 0, best.stderr);

    const watch = start(folder, ["status", "--watch", ...overrides]);
    const reader = watch.stdout.getReader();
    await reader.read();
    watch.kill("SIGINT");
    while (!(await reader.read()).done);
    const errors = new Response(watch.stderr).text();
    assert.deepEqual([(await watch.status).code, await errors], [0, ""]);

    const study = await loadStudy({ storage: `sqlite:///${join(folder, "study.db")}` });
    const { bestTrial, trials } = study;
    const ranked = [bestTrial, ...trials.filter((trial) => trial !== bestTrial)];
    await study.close();
    for (const [index, { params }] of ranked.entries()) {
      const config = composeConfig([], { configDir: join(folder, "outputs/best/tiny", `${index + 1}`) });
      assert.equal(config.training.learning_rate, params.learning_rate);
      assert.equal(config.model.hidden_dropout, params.hidden_dropout);
      assert.equal(config.training.target_effective_batch_size, 8);
      assert.equal(config.data.max_length, 32);
      assert.equal(config.output_dir, `outputs/tiny_best_${index + 1}`);
    }
  });
});

Deno.test("entail hpo: Ctrl-C leaves no trial RUNNING and ends with status 130", async () => {
  await inTemporaryFolder(async (folder) => {
    const overrides = studyOverrides(folder);
    const child = start(folder, ["hpo", ...overrides, "training.num_epochs=10000", "hpo.pruner.max_resource=100"]);
    const storage = `sqlite:///${join(folder, "study.db")}`;
    const reports = async () => {
      if (!(await Deno.stat(join(folder, "study.db")).catch(() => null))) return 0;
      const study = await loadStudy({ storage, studyName: "tiny" }).catch(() => null);
      const count = study?.trials[0]?.intermediateValues.size ?? 0;
      await study?.close();
      return count;
    };
    while (await reports() === 0) await new Promise((resolve) => setTimeout(resolve, 200));
    child.kill("SIGINT");
    const { code, stderr } = await child.output();
    assert.equal(code, 130, new TextDecoder().decode(stderr));
    assert.match(new TextDecoder().decode(stderr), /^error: study tiny was interrupted; run it again to continue$/m);
    const study = await loadStudy({ storage });
    assert.deepEqual(study.trials.map(({ state, userAttrs }) => [state, userAttrs.fail_reason]), [[
      "FAIL",
      "interrupted",
    ]]);
    await study.close();
  });
});

Deno.test("entail status, best, verify: say what is missing", async () => {
  await inTemporaryFolder(async (folder) => {
    const overrides = studyOverrides(folder);
    const original = "hpo.study_name=deberta_base_no_aug";
    const [status, best, top, verify, ofOriginal] = await Promise.all([
      entail(folder, "status", ...overrides),
      entail(folder, "best", ...overrides),
      entail(folder, "best", "--top", "0"),
      entail(folder, "verify", ...overrides),
      entail(folder, "verify", ...overrides, original),
    ]);
    assert.equal(ofOriginal.code, 2);
    assert.match(ofOriginal.stdout, /^settings\tFAILED\ttraining\.num_epochs: is 3, in the original study 100$/m);
    assert.deepEqual([status.code, best.code, top.code, verify.code], [3, 3, 2, 0]);
    assert.match(status.stderr, /^error: .*study\.db: no such file; run hpo first/m);
    assert.match(top.stderr, /^error: .*--top/m);
    const refused = await entail(folder, "hpo", ...overrides, "data.groundtruth_csv=missing.csv", "hpo.storage=null");
    assert.equal(refused.code, 3);
    assert.match(refused.stderr, /^error: missing\.csv: no such file$/m);
    // A study of one's own is not measured against the original's.
    assert.doesNotMatch(verify.stdout, /^settings\t|FAILED/m);
    assert.match(verify.stdout, /^search space\tok\t8 parameters, all can be trained with$/m);
    assert.match(verify.stdout, /^search space\tnote\thpo\.search_space\.focal_gamma: left out, /m);
    assert.match(verify.stdout, /^ready$/m);
    assert.match(verify.stdout, /^data\tok\t24 pairs/m);
    assert.match(verify.stdout, /^memory\tok\ta step of 8 pairs, at most \d+ tokens at once, takes \d/m);
    assert.match(verify.stdout, /^storage\tok\t/m);
    // Looking leaves nothing behind.
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), [
      "criteria.json",
      "groundtruth.csv",
    ]);
  });
});

Deno.test("entail verify, hpo: the augmentation of hpo=optuna_aug is checked, and sampled only where it is on", async () => {
  await inTemporaryFolder(async (folder) => {
    const annotations = writeAnnotations(folder)[0];
    const uri = "mlflow.tracking_uri=http://me:s3cret@host";
    const overrides = [...studyOverrides(folder), "hpo=optuna_aug", "mlflow.enable=false", uri];
    const [verify, without] = await Promise.all([
      entail(folder, "verify", ...overrides, annotations),
      entail(folder, "verify", ...overrides, annotations, "augmentation.model_name=null"),
    ]);
    assert.match(verify.stdout, /^augmentation\tok\tsynonym: \d+ words in the evidence of \d+ positive pairs$/m);
    assert.match(verify.stdout, /^augmentation\tok\tcontextual: \d+ words/m);
    assert.match(without.stdout, /^search space\tFAILED\t.*augmentation\.model_name/m);

    const run = await entail(folder, "hpo", "--n-trials", "4", ...overrides, annotations);
    assert.equal(run.code, 0, run.stderr);
    const study = await loadStudy({ storage: `sqlite:///${join(folder, "study.db")}`, studyName: "tiny" });
    for (const { params } of study.trials) {
      assert.deepEqual(["aug_prob" in params, "aug_method" in params], [params.aug_enable, params.aug_enable]);
    }
    assert.deepEqual(new Set(study.trials.map(({ params }) => params.aug_enable)), new Set([true, false]));
    const { userAttrs } = await study.record();
    for (const attributes of [userAttrs, ...study.trials.map((trial) => trial.userAttrs)]) {
      for (const value of Object.values(attributes)) assert.ok(JSON.stringify(value).length <= 500);
    }
    await study.close();

    // The password is in no file, the database included, and what is read again asks the environment for it.
    const best = await entail(folder, "best", ...overrides);
    assert.equal(best.code, 0, best.stderr);
    for (const path of walk(folder)) assert.ok(!Deno.readTextFileSync(path).includes("s3cret"), path);
    const { mlflow } = composeConfig([], { configDir: join(folder, "outputs/best/tiny/1") });
    assert.equal(mlflow.tracking_uri, "http://host");
  });
});

Deno.test("scripts/launch_studies: both studies are checked before the first begins, then run and continued", async () => {
  await inTemporaryFolder(async (folder) => {
    const fake = join(folder, "entail");
    Deno.writeTextFileSync(fake, '#!/bin/sh\necho "$@" >>calls\n[ "$1" != hpo ] || [ ! -e fail ] || exit 130\n');
    Deno.chmodSync(fake, 0o755);
    const launch = async () => {
      const command = ["env", `ENTAIL=${fake}`, join(dirname(`${ROOT}x`), "scripts/launch_studies")];
      return (await start(folder, ["seed=1"], command).output()).code;
    };
    Deno.writeTextFileSync(join(folder, "fail"), "");
    assert.equal(await launch(), 130);
    Deno.removeSync(join(folder, "fail"));
    assert.equal(await launch(), 0);
    const both = (command: string) => [
      `${command} data=redsm5 model=deberta_nli hpo=optuna hpo.study_name=deberta_base_no_aug seed=1`,
      `${command} data=redsm5 model=deberta_nli hpo=optuna_aug hpo.study_name=deberta_base_aug seed=1`,
    ];
    const calls = Deno.readTextFileSync(join(folder, "calls")).trim().split("\n");
    assert.deepEqual(calls, [...both("verify"), both("hpo")[0], ...both("verify"), ...both("hpo")]);
  });
});
