/** Commands as a user runs them: their exit status, their files and their one-line errors. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { parse } from "../../src/packages/yaml.ts";
import { assertClose } from "../support/close.ts";
import { entail, failure, start } from "../support/command_line.ts";
import { loadTextFixture } from "../support/deberta_fixture.ts";
import { inTemporaryFolder, TEXT_MODEL, writeRunData } from "../support/run_data.ts";

Deno.test("entail --help: names every command; each has a help of its own", async () => {
  const { code, stdout } = await entail(["--help"]);
  assert.equal(code, 0);
  const commands =
    "train eval predict hpo status best report compare dashboard verify prepare bench info compile test check"
      .split(" ");
  for (const command of commands) assert.match(stdout, new RegExp(`^  ${command}\\b`, "m"));
  const helps = await Promise.all(commands.map((command) => entail([command, "--help"])));
  for (const { code, stdout } of helps) {
    assert.equal(code, 0);
    assert.match(stdout, /--quiet/);
  }
});

Deno.test("entail train --cfg job: prints the configuration as YAML", async () => {
  const { code, stdout } = await entail(["train", "--cfg", "job", "training.learning_rate=3e-5", "seed=7"]);
  assert.equal(code, 0);
  const config = parse(stdout);
  assert.equal(config.training.learning_rate, 3e-5);
  assert.equal(config.seed, 7);
  assert.equal(config.model.classifier_head, "pooler_linear");
});

Deno.test("entail: mistakes on the command line end with status 2 and name the nearest right word", async () => {
  const cases: [string[], RegExp][] = [
    [["train", "training.learning_rte=1"], /training\.learning_rate/],
    [["train", "training.batch_size=-1"], /training\.batch_size/],
    [["train", "training.learning_rate=nan"], /training\.learning_rate/],
    [["train", "kfold.n_splits=1"], /kfold\.n_splits/],
    [["train", "model=deberta_nil"], /deberta_nli/],
    [["train", "--fld", "0"], /--fold/],
    [["trian"], /train/],
    [["bench", "kernels", "--shape", "12"], /1024x768x768/],
    [["bench", "kernels", "--profile"], /--profile is for bench step/],
    [["train", "augmentation.enable=true", "data.annotations_csv=null"], /data\.annotations_csv/],
    [
      ["train", "augmentation.enable=true", "augmentation.method=contextual", "augmentation.model_name=null"],
      /model_name/,
    ],
    [["train", "model.classifier_head=mlp3"], /model\.classifier_head/],
  ];
  const results = await Promise.all(cases.map(([args]) => failure(args)));
  results.forEach(([code, line], i) => {
    assert.match(line, cases[i][1]);
    assert.equal(code, 2, line);
  });
});

Deno.test("entail: bad files end with status 3 and are named", async () => {
  await inTemporaryFolder(async (folder) => {
    const overrides = writeRunData(folder);
    const broken = (name: string, text: string) => {
      Deno.writeTextFileSync(join(folder, name), text);
      return `data.groundtruth_csv=${join(folder, name)}`;
    };
    const header = "post_id,post,DSM5_symptom,groundtruth\n";
    const model = join(folder, "model");
    Deno.mkdirSync(model);
    Deno.copyFileSync(join(TEXT_MODEL, "config.json"), join(model, "config.json"));
    Deno.copyFileSync(join(TEXT_MODEL, "tokenizer.json"), join(model, "tokenizer.json"));
    const weights = Deno.readFileSync(join(TEXT_MODEL, "model.safetensors"));
    Deno.writeFileSync(join(model, "model.safetensors"), weights.subarray(0, weights.length - 100));
    const cases: [string, RegExp][] = [
      ["data.groundtruth_csv=/nowhere.csv", /\/nowhere\.csv: no such file/],
      [broken("label.csv", header + "p1,text,A.1,2\n"), /label\.csv:2/],
      [broken("criterion.csv", header + "p1,text,A.77,1\n"), /criterion\.csv:2.*A\.77/],
      [broken("twice.csv", header + "p1,text,A.1,1\np1,text,A.1,1\n"), /twice\.csv:3/],
      [broken("empty.csv", header), /empty\.csv/],
      [broken("column.csv", "post_id,text,DSM5_symptom,groundtruth\np1,text,A.1,1\n"), /column\.csv/],
      ["data.criteria_json=/nowhere.json", /\/nowhere\.json/],
      ["model.model_name=/no/model", /\/no\/model/],
      [`model.model_name=${model}`, /model\.safetensors/],
    ];
    const results = await Promise.all(cases.map(([override]) => failure(["train", ...overrides, override])));
    results.forEach(([code, line], i) => {
      assert.match(line, cases[i][1]);
      assert.equal(code, 3, line);
    });
    const [code, line] = await failure(["train", ...overrides, `output_dir=${join(folder, "groundtruth.csv")}`]);
    assert.match(line, /groundtruth\.csv/);
    assert.equal(code, 2, line);
  });
});

Deno.test("entail train: says when the first step came and how busy the device was", async () => {
  await inTemporaryFolder(async (folder) => {
    const train = ["train", "--fold", "0", ...writeRunData(folder), "training.max_steps=4"];
    const { code, stderr } = await entail(train);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /first step after [\d.]+ s: program .*, device .*, data .*, kernels .*, weights and step /);
    const [, share] = /the device was busy ([\d.]+) %/.exec(stderr)!;
    assert.ok(Number(share) > 0 && Number(share) <= 100, stderr);
    const again = await entail(train);
    assert.doesNotMatch(again.stderr, /first step|busy/);
  });
});

Deno.test("entail: no adapter is status 4, out of device memory status 5", async () => {
  await inTemporaryFolder(async (folder) => {
    const overrides = writeRunData(folder);
    const none = { VK_DRIVER_FILES: "/dev/null", VK_ICD_FILENAMES: "/dev/null" };
    const [[adapter, adapterLine], [memory, memoryLine]] = await Promise.all([
      failure(["train", ...overrides], none),
      // An intermediate activation wider than any binding.
      failure(["bench", "step", ...overrides, "data.max_length=64", "training.batch_size=100000000"]),
    ]);
    assert.equal(adapter, 4, adapterLine);
    assert.match(adapterLine, /Vulkan driver/);
    assert.equal(memory, 5, memoryLine);
    assert.match(memoryLine, /training\.batch_size/);
  });
});

Deno.test("entail predict: JSON lines and CSV get transformers' logits and keep their other fields", async () => {
  const { pairs, maxLength } = await loadTextFixture();
  await inTemporaryFolder(async (folder) => {
    const lines = pairs.map(({ post, criterion }, id) => JSON.stringify({ id, post, criterion, note: "kept" }));
    const args = ["predict", "--checkpoint", TEXT_MODEL, `data.max_length=${maxLength}`];
    const output = join(folder, "scores.jsonl");
    const [file, piped] = await Promise.all([
      (async () => {
        Deno.writeTextFileSync(join(folder, "pairs.jsonl"), lines.join("\n"));
        return await entail([...args, "--input", join(folder, "pairs.jsonl"), "--output", output]);
      })(),
      entail([...args, "--input", "-", "--output", "-"], `post,criterion\n"a ""quoted"" post",Depressed mood\n`),
    ]);
    assert.equal(file.code, 0, file.stderr);
    const scores = (await Deno.readTextFile(output)).trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(scores.map(({ id, note }) => [id, note]), pairs.map((_, id) => [id, "kept"]));
    const flat = (values: { logits: number[] }[]) => values.flatMap(({ logits }) => logits);
    assertClose(flat(scores), flat(pairs), { atol: 1e-4, rtol: 1e-4 }, "logits");
    assertClose(scores.map(({ probability }) => probability), pairs.map(({ probability }) => probability), {
      atol: 1e-4,
      rtol: 1e-4,
    });
    assert.equal(piped.code, 0, piped.stderr);
    assert.match(
      piped.stdout,
      /^post,criterion,logits,probability\n"a ""quoted"" post",Depressed mood,"\[.*\]",0\.\d+\n$/,
    );
  });
});

Deno.test("entail train: killed at any moment, the same command goes on to the bits of an unbroken run", async () => {
  await inTemporaryFolder(async (folder) => {
    const overrides = [...writeRunData(folder), "training.num_epochs=6"];
    const killed = start(["train", "--fold", "0", ...overrides]);
    const log = join(folder, "run/fold_0/metrics.jsonl");
    // As soon as an epoch is on disk: the kill falls somewhere into the epochs after it.
    while (!(await Deno.readTextFile(log).catch(() => "")).includes("eval_f1")) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    killed.kill("SIGKILL");
    await killed.output();

    const other = join(folder, "unbroken");
    const [resumed, unbroken] = await Promise.all([
      entail(["train", "--fold", "0", ...overrides]),
      entail(["train", "--fold", "0", ...overrides, `output_dir=${other}`]),
    ]);
    assert.equal(resumed.code, 0, resumed.stderr);
    assert.equal(unbroken.code, 0, unbroken.stderr);
    assert.match(resumed.stdout, /all pairs/);
    for (
      const file of ["fold_0/metrics.jsonl", "fold_0/predictions.csv", "checkpoints/fold_0/last/model.safetensors"]
    ) {
      assert.deepEqual(await Deno.readFile(join(folder, "run", file)), await Deno.readFile(join(other, file)), file);
    }
  });
});

Deno.test("entail eval: output_dir alone is enough, from anywhere; what the run decides cannot be set", async () => {
  await inTemporaryFolder(async (folder) => {
    const run = join(folder, "run");
    const checkpoints = join(folder, "elsewhere/checkpoints");
    const overrides = [...writeRunData(folder), "training.num_epochs=1", `checkpoint_dir=${checkpoints}`];
    const trained = await entail(["train", ...overrides]);
    assert.equal(trained.code, 0, trained.stderr);
    Deno.renameSync(run, join(folder, "moved"));
    const moved = `output_dir=${join(folder, "moved")}`;
    const [evaluated, otherThreshold, repeated] = await Promise.all([
      entail(["eval", moved]),
      entail(["eval", moved, "model.positive_threshold=0"]),
      entail(["eval", ...overrides, moved]),
    ]);
    assert.equal(evaluated.code, 0, evaluated.stderr);
    assert.equal(evaluated.stdout, trained.stdout);
    assert.equal(repeated.stdout, evaluated.stdout, repeated.stderr);
    assert.equal(otherThreshold.code, 0, otherThreshold.stderr);
    assert.notEqual(otherThreshold.stdout, evaluated.stdout);
    const global = ["evaluation.threshold_mode=global", "evaluation.calibration=temperature"];
    const [json, judged] = await Promise.all([
      entail(["eval", moved, "--json"]),
      entail(["eval", moved, ...global]),
    ]);
    assert.deepEqual(JSON.parse(json.stdout), JSON.parse(await Deno.readTextFile(join(folder, "moved/summary.json"))));
    assert.match(
      judged.stdout,
      /^in sample: .*\nfold\tbest epoch\tF1[^]*\nfold\ttemperature\tthreshold\n[^]*\ncross-fitted: /,
    );
    assert.deepEqual(
      (await failure(["eval", moved, "data.max_length=16"]))[0],
      2,
    );
    assert.match((await failure(["eval", `output_dir=${folder}`]))[1], /config\.yaml: no such file; train first/);
  });
});

Deno.test("entail train: Ctrl-C saves and ends with status 130", async () => {
  await inTemporaryFolder(async (folder) => {
    const child = start(["train", ...writeRunData(folder), "training.num_epochs=200"]);
    const log = join(folder, "run/fold_0/metrics.jsonl");
    while (!(await Deno.readTextFile(log).catch(() => "")).includes("eval_f1")) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    child.kill("SIGINT");
    const { code, stderr } = await child.output();
    assert.equal(code, 130);
    assert.match(new TextDecoder().decode(stderr), /^error: interrupted; the same command .* goes on from here$/m);
    const state = JSON.parse(await Deno.readTextFile(join(folder, "run/checkpoints/fold_0/last/trainer_state.json")));
    assert.ok(state.counters.updates > 0 && !state.finished);
  });
});
