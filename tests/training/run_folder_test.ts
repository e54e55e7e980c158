/** A run is one thing: what must not be mixed with it is refused and changes nothing, what does not matter goes on. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Gpu } from "../../src/gpu/device.ts";
import { crossValidate } from "../../src/training/cross_validation.ts";
import { evaluateRun } from "../../src/training/evaluate_run.ts";
import { silentReporter } from "../../src/training/reporter.ts";
import { loadRun } from "../../src/training/run_folder.ts";
import { gpuTest } from "../support/gpu.ts";
import { inTemporaryFolder, runConfig, TEXT_MODEL, writeAnnotations, writeRunData } from "../support/run_data.ts";

const SHORT = ["training.num_epochs=1", "training.max_steps=1"];

/** Every file below a folder with its content, so that a change of any is seen. */
function snapshot(folder: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const path = join(folder, name);
    if (isDirectory) Object.assign(files, snapshot(path));
    else files[path] = Deno.readFileSync(path).toBase64();
  }
  return files;
}

/** Trains a short run into `folder`/run, and returns the lines that it said. */
async function train(gpu: Gpu, folder: string, overrides: string[] = [], fold?: number): Promise<string[]> {
  const said: string[] = [];
  const reporter = { ...silentReporter, info: (line: string) => void said.push(line) };
  await crossValidate(gpu, runConfig(folder, ...SHORT, ...overrides), { reporter, fold });
  return said;
}

const evaluate = async (gpu: Gpu, run: string) =>
  await evaluateRun(gpu, await loadRun(run), { reporter: silentReporter });

function copyFolder(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) copyFolder(join(from, name), join(to, name));
    else Deno.copyFileSync(join(from, name), join(to, name));
  }
}

const edit = (path: string, change: (text: string) => string) =>
  Deno.writeTextFileSync(path, change(Deno.readTextFileSync(path)));

gpuTest("crossValidate: another run in the folder is refused, named, and left as it is", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const model = join(folder, "model");
    copyFolder(TEXT_MODEL, model);
    const overrides = [...writeAnnotations(folder), "augmentation.prob=0", `model.model_name=${model}`];
    writeRunData(folder);
    await train(gpu, folder, overrides);
    const run = join(folder, "run");
    const before = snapshot(run);

    const edits: [string, (text: string) => string][] = [
      ["groundtruth.csv", (text) => text.replace("sad", "glad")],
      ["criteria.json", (text) => text.replace("Insomnia", "Sleeplessness")],
      ["annotations.csv", (text) => text.replace("somebody else", "nobody")],
      ["model/tokenizer.json", (text) => text + "\n"],
      ["model/config.json", (text) => text + "\n"],
    ];
    for (const [file, change] of edits) {
      const path = join(folder, file);
      const original = Deno.readTextFileSync(path);
      // Not by runConfig, which writes the data anew.
      const config = runConfig(folder, ...SHORT, ...overrides);
      edit(path, change);
      await assert.rejects(crossValidate(gpu, config, { reporter: silentReporter }), (error: Error) => {
        assert.equal((error as { kind?: string }).kind, "usage");
        assert.match(error.message, /overwrite=true/);
        assert.ok(error.message.includes(file.startsWith("model/t") ? "tokenizer" : join(folder, file.split("/")[0])));
        return true;
      });
      Deno.writeTextFileSync(path, original);
    }

    const others: [string, RegExp][] = [
      ["seed=7", /seed is 7, there 42/],
      ["kfold.n_splits=3", /kfold\.n_splits/],
      ["kfold.group_by_post=false", /kfold\.group_by_post/],
      ["data.sample_size=20", /data\.sample_size is 20, there null/],
      ["model.classifier_head=mean_pooling", /model\.classifier_head/],
      ["training.learning_rate=0.5", /training\.learning_rate/],
      ["model.positive_threshold=0.4", /model\.positive_threshold/],
      ["augmentation.enable=false", /augmentation\.enable/],
    ];
    for (const [override, named] of others) {
      await assert.rejects(
        train(gpu, folder, [...overrides, override], 0),
        { kind: "usage", message: named },
        override,
      );
    }
    assert.deepEqual(snapshot(run), before);
  });
});

gpuTest("crossValidate: the same run goes on, fold by fold, and is left as it is when it is finished", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const run = join(folder, "run");
    await train(gpu, folder, [], 1);
    await train(gpu, folder, ["training.recompute=true"], 0);
    const summary = JSON.parse(Deno.readTextFileSync(join(run, "summary.json")));
    assert.deepEqual(summary.folds.map(({ fold }: { fold: number }) => fold), [0, 1]);
    const before = snapshot(run);
    const said = await train(gpu, folder, ["experiment_name=other", "training.num_workers=1", "resume=false"]);
    assert.match(said.join("\n"), /finished already/);
    assert.deepEqual(snapshot(run), before);

    // Another name for the same folder, in another place.
    Deno.renameSync(run, join(folder, "moved"));
    const moved = await train(gpu, folder, [`output_dir=${join(folder, "moved")}`]);
    assert.match(moved.join("\n"), /finished already/);
    const { folds } = await evaluate(gpu, join(folder, "moved"));
    assert.deepEqual(folds.map(({ metrics }) => metrics), summary.folds.map((f: { metrics: unknown }) => f.metrics));

    // Whole in one sitting, and with all activations kept, the bits are the same.
    await train(gpu, folder);
    const whole = snapshot(run);
    const inPieces = snapshot(join(folder, "moved"));
    for (const file of Object.keys(whole).filter((path) => /safetensors|jsonl|predictions|summary/.test(path))) {
      assert.equal(inPieces[file.replace(run, join(folder, "moved"))], whole[file], file);
    }
  });
});

gpuTest("crossValidate: annotations that are not there are named, with the way out", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const missing = `data.annotations_csv=${folder}/none.csv`;
    await assert.rejects(train(gpu, folder, [missing]), {
      kind: "data",
      message:
        /^data\.annotations_csv: .*none\.csv: no such file; .* data\.annotations_csv=null where nothing is augmented$/,
    });
    await assert.rejects(Deno.stat(join(folder, "run")), Deno.errors.NotFound);
    await train(gpu, folder, ["data.annotations_csv=null"]);
  });
});

gpuTest("crossValidate: an unfinished run goes on, unless resume=false; overwrite=true begins anew", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const run = join(folder, "run");
    const abort = new AbortController();
    const reporter = { ...silentReporter, training: () => abort.abort() };
    const interrupted = crossValidate(gpu, runConfig(folder), { reporter, signal: abort.signal });
    await assert.rejects(interrupted, { kind: "interrupted" });
    const resumed = (...overrides: string[]) => {
      const said: string[] = [];
      const reporter = { ...silentReporter, info: (line: string) => void said.push(line) };
      return crossValidate(gpu, runConfig(folder, ...overrides), { reporter }).then(() => said.join("\n"));
    };
    const before = snapshot(run);
    await assert.rejects(resumed("resume=false"), { kind: "usage", message: /resume=false.*overwrite=true/ });
    assert.deepEqual(snapshot(run), before);

    // Begun by another version on another adapter: a notice, and on it goes.
    edit(join(run, "run.json"), (text) => text.replace(/"program": ".*?"/, '"program": "entail 0.0.1"'));
    assert.match(await resumed(), /continuing the run.*fold 0 at step 1[\s\S]*begun by entail 0\.0\.1.*may differ/);

    Deno.writeTextFileSync(join(run, "fold_0", "left_over.txt"), "of the old run");
    await resumed("overwrite=true", "kfold.n_splits=3");
    assert.equal(Deno.readTextFileSync(join(run, "folds.csv")).includes(",2\n"), true);
    assert.deepEqual(Object.keys(snapshot(run)).filter((path) => path.includes("left_over")), []);
    await assert.rejects(resumed(), { kind: "usage", message: /kfold\.n_splits/ });
  });
});

gpuTest(
  "crossValidate: what is not this run's is refused: unknown folders, damaged records, a second process",
  async (gpu) => {
    await inTemporaryFolder(async (folder) => {
      const run = join(folder, "run");
      await train(gpu, folder, [], 0);
      const record = Deno.readTextFileSync(join(run, "run.json"));
      Deno.removeSync(join(run, "run.json"));
      await assert.rejects(train(gpu, folder), { kind: "usage", message: /run\.json/ });
      await assert.rejects(evaluate(gpu, run), { kind: "data", message: /run\.json/ });
      Deno.writeTextFileSync(join(run, "run.json"), '{"version": 1}');
      await assert.rejects(train(gpu, folder), { kind: "data", message: /run\.json/ });
      Deno.writeTextFileSync(join(run, "run.json"), record);

      // Another output_dir that would write into this run's checkpoints.
      const checkpoints = `checkpoint_dir=${join(run, "checkpoints")}`;
      const elsewhere = [`output_dir=${join(folder, "elsewhere")}`, checkpoints, "seed=3"];
      await assert.rejects(train(gpu, folder, elsewhere), { kind: "usage", message: /fold_0/ });

      const lock = Deno.openSync(run);
      lock.lockSync(true);
      await assert.rejects(train(gpu, folder), { kind: "usage", message: /another train is at work/ });
      lock.close();
    });
  },
);

gpuTest("crossValidate: a checkpoint that is gone, or of another fold or run, is named", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    await train(gpu, folder);
    await train(gpu, folder, ["seed=9", `output_dir=${join(folder, "other")}`]);
    const run = join(folder, "run");
    const weights = (root: string, fold: number, name: string) => {
      return join(folder, root, `checkpoints/fold_${fold}`, name, "model.safetensors");
    };
    const own = Deno.readFileSync(weights("run", 0, "best"));

    Deno.copyFileSync(weights("run", 1, "best"), weights("run", 0, "best"));
    await assert.rejects(evaluate(gpu, run), { kind: "data", message: /fold_0\/best.*fold 1 of this run/ });
    await assert.rejects(train(gpu, folder), { kind: "data", message: /fold_0\/best/ });
    Deno.copyFileSync(weights("other", 0, "best"), weights("run", 0, "best"));
    await assert.rejects(evaluate(gpu, run), { kind: "data", message: /fold_0\/best.*another run/ });
    Deno.copyFileSync(join(TEXT_MODEL, "model.safetensors"), weights("run", 0, "best"));
    await assert.rejects(evaluate(gpu, run), { kind: "data", message: /fold_0\/best.*nothing says/ });
    Deno.writeFileSync(weights("run", 0, "best"), own);
    await evaluate(gpu, run);

    Deno.removeSync(join(run, "checkpoints/fold_0/best"), { recursive: true });
    await assert.rejects(train(gpu, folder), { kind: "data", message: /fold_0\/best: is gone/ });
    await train(gpu, folder, ["overwrite=true"], 0);
    await evaluate(gpu, run);
  });
});

gpuTest(
  "evaluateRun: data, criteria, folds, settings or tokenizer that are no longer the run's are refused",
  async (gpu) => {
    await inTemporaryFolder(async (folder) => {
      await train(gpu, folder);
      const run = join(folder, "run");
      const cases: [string, (text: string) => string, RegExp][] = [
        [join(folder, "groundtruth.csv"), (text) => text.replace("sad", "glad"), /data\.groundtruth_csv/],
        [join(folder, "criteria.json"), (text) => text.replace("Insomnia", "Sleep"), /data\.criteria_json/],
        [join(run, "folds.csv"), (text) => text.replace(",0\n", ",1\n"), /folds\.csv/],
        [join(run, "config.yaml"), (text) => text.replace("seed: 42", "seed: 43"), /config\.yaml: seed is 43/],
        [join(run, "checkpoints/fold_1/best/tokenizer.json"), (text) => text + " ", /fold_1\/best\/tokenizer\.json/],
      ];
      for (const [path, change, named] of cases) {
        const original = Deno.readTextFileSync(path);
        edit(path, change);
        await assert.rejects(evaluate(gpu, run), { kind: "data", message: named });
        Deno.writeTextFileSync(path, original);
      }
      await evaluate(gpu, run);
    });
  },
);

gpuTest("crossValidate: a trainer state with impossible counters is refused", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const abort = new AbortController();
    const reporter = { ...silentReporter, training: () => abort.abort() };
    const interrupted = crossValidate(gpu, runConfig(folder), { reporter, signal: abort.signal });
    await assert.rejects(interrupted, { kind: "interrupted" });
    const file = join(folder, "run/checkpoints/fold_0/last/trainer_state.json");
    const state = JSON.parse(Deno.readTextFileSync(file));
    const broken = [
      { ...state, counters: { ...state.counters, updates: 1e9 } },
      { ...state, counters: { ...state.counters, updates: -1 } },
      { ...state, counters: { ...state.counters, microBatches: 1 } },
      { ...state, version: 1, scaler: undefined },
      { ...state, scaler: { ...state.scaler, applied: state.scaler.applied - 1 } },
      { ...state, scaler: { ...state.scaler, scale: 2 } },
      { ...state, scaler: { ...state.scaler, goodSteps: 1e9 } },
      { ...state, epoch: 7 },
      { ...state, stepInEpoch: 0.5 },
      { ...state, evaluations: 12 },
      { ...state, best: { epoch: 1, loss: 1, metrics: { f1: 2 } } },
      { ...state, finished: "yes" },
      [],
    ];
    for (const content of broken) {
      Deno.writeTextFileSync(file, JSON.stringify(content));
      await assert.rejects(crossValidate(gpu, runConfig(folder), { reporter: silentReporter }), {
        kind: "data",
        message: /trainer_state\.json/,
      }, JSON.stringify(content));
    }
  });
});
