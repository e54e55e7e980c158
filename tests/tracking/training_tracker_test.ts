import assert from "node:assert/strict";
import { join } from "node:path";
import { openTrainingTracker } from "../../src/tracking/training_tracker.ts";
import { EntailError } from "../../src/errors.ts";
import type { Summary } from "../../src/training/summary.ts";
import type { LogEntry } from "../../src/training/metrics_log.ts";
import { silentReporter } from "../../src/training/reporter.ts";
import { entail } from "../support/command_line.ts";
import { fitDecision } from "../../src/evaluation/decision.ts";
import { BOOTSTRAP, bootstrapIntervals } from "../../src/evaluation/intervals.ts";
import { inTemporaryFolder, runConfig, writeRunData } from "../support/run_data.ts";
import { serveMlflow } from "./mlflow_server.ts";

const AVERAGED = {
  f1: 0.5,
  precision: 1,
  recall: 0.25,
  accuracy: 0.75,
  auc: NaN,
  pr_auc: 0.5,
  ece: 0.125,
  brier: 0.25,
};
const COUNTS = { count: 4, truePositives: 1, falsePositives: 0, trueNegatives: 2, falseNegatives: 1 };
const METRICS = { ...AVERAGED, ...COUNTS, positives: 2 };
const step = (step: number): LogEntry => ({ step, epoch: step / 2, loss: 1 / step, learning_rate: 0.1, grad_norm: 2 });
const epoch = (epoch: number): LogEntry => ({
  epoch,
  eval_loss: 0.5,
  eval_f1: 0.5,
  eval_precision: 1,
  eval_recall: 0.25,
  eval_accuracy: 0.75,
  eval_auc: null,
  eval_macro_f1: 0.5,
  eval_macro_pr_auc: null,
  eval_ece: 0.125,
});
const CONTENT = { "data.groundtruth_csv": "ab".repeat(32), "data.criteria_json": "cd".repeat(32) };
const FIXED = { calibration: "none", thresholdMode: "fixed", positiveThreshold: 0.5, globalInit: 0.5 } as const;
const RESULT = { best: { epoch: 1, loss: 0.5, metrics: METRICS }, evaluations: 1, seconds: 1, updates: 2, skipped: 0 };

/** What `train` writes before and while it is recorded. */
async function writeRun(run: string, fold: number, logged: LogEntry[]): Promise<void> {
  await Deno.mkdir(join(run, `checkpoints/fold_${fold}/best`), { recursive: true });
  await Deno.mkdir(join(run, `fold_${fold}`), { recursive: true });
  await Deno.writeTextFile(join(run, "config.yaml"), "seed: 1\n");
  await Deno.writeTextFile(join(run, "folds.csv"), "post_id,criterion_id,fold\n");
  await Deno.writeTextFile(join(run, "summary.json"), "{}\n");
  await Deno.writeTextFile(join(run, `checkpoints/fold_${fold}/best/config.json`), "{}");
  await Deno.writeTextFile(join(run, `fold_${fold}/predictions.csv`), "post_id\n");
  await Deno.writeTextFile(
    join(run, `fold_${fold}/metrics.jsonl`),
    logged.map((entry) => JSON.stringify(entry) + "\n").join(""),
  );
}

Deno.test("openTrainingTracker: an interrupted training goes on in the same runs, each point once", async () => {
  const server = serveMlflow();
  try {
    await inTemporaryFolder(async (folder) => {
      const run = join(folder, "run");
      const overrides = ["mlflow.enable=true", `mlflow.tracking_uri=${server.uri}`, "experiment_name=demo"];
      const first = (await openTrainingTracker(runConfig(folder, ...overrides), silentReporter))!;
      await writeRun(run, 0, []);
      first.runStarted({ continued: false, content: CONTENT });
      first.foldStarted(0);
      first.logged(0, [step(1), step(2)]);
      first.logged(0, [epoch(1)]);
      first.foldEnded(0, RESULT);
      await writeRun(run, 1, []);
      first.foldStarted(1);
      first.logged(1, [step(1), step(2), epoch(1), step(3)]);
      first.failed(new EntailError("interrupted", "interrupted"));
      await first.close();
      assert.equal(server.runNamed("demo").status, "KILLED");
      assert.equal(server.runNamed("demo fold 0").status, "FINISHED");
      assert.equal(server.runNamed("demo fold 1").status, "KILLED");

      // The checkpoint knows two steps; the third is trained again.
      await writeRun(run, 1, [step(1), step(2), epoch(1)]);
      const callsBefore = server.calls.length;
      const second = (await openTrainingTracker(runConfig(folder, ...overrides), silentReporter))!;
      second.runStarted({ continued: true, content: CONTENT });
      second.foldStarted(0);
      second.foldEnded(0, RESULT);
      second.foldStarted(1);
      second.logged(1, [step(3), step(4), epoch(2)]);
      second.foldEnded(1, RESULT);
      const facts = { best_epoch: 1, skipped_steps: 0, loss: 0.5, decision: fitDecision([], FIXED), metrics: METRICS };
      const folds = [0, 1].map((fold) => ({ fold, ...facts }));
      const none = bootstrapIntervals([], { seed: 1 });
      const summary: Summary = {
        folds,
        mean: AVERAGED,
        std: AVERAGED,
        overall: METRICS,
        per_criterion: { "A.1": METRICS },
        intervals: { ...BOOTSTRAP, seed: 1, folds: {}, overall: none, per_criterion: {} },
        in_sample: false,
        cross_fitted: null,
      };
      second.runEnded(summary);
      await second.close();

      assert.equal(server.runs.size, 3);
      const whole = server.runNamed("demo");
      const fold = server.runNamed("demo fold 1");
      assert.equal(whole.status, "FINISHED");
      assert.equal(fold.status, "FINISHED");
      assert.equal(fold.tags["mlflow.parentRunId"], whole.run_id);
      const stepsOf = (key: string) => fold.metrics.filter((point) => point.key === key).map(({ step }) => step);
      assert.deepEqual(stepsOf("loss"), [1, 2, 3, 4]);
      assert.deepEqual(stepsOf("eval_f1"), [2, 4]);
      assert.deepEqual(stepsOf("best_f1"), [4]);
      assert.deepEqual(stepsOf("eval_auc"), []);
      assert.equal(fold.params["training.batch_size"], "4");
      assert.equal(fold.params.fold, "1");
      assert.ok(!Object.keys(fold.params).some((key) => /^(hpo|mlflow|resume)/.test(key)));
      assert.deepEqual(Object.keys(fold.artifacts).sort(), ["checkpoint/config.json", "predictions.csv"]);
      assert.deepEqual(Object.keys(whole.artifacts).sort(), ["config.yaml", "folds.csv", "summary.json"]);
      const metric = (key: string) => whole.metrics.filter((point) => point.key === key).map((p) => [p.step, p.value]);
      assert.deepEqual(metric("fold_f1"), [[0, 0.5], [1, 0.5]]);
      assert.deepEqual(metric("mean_auc"), [[2, "NaN"]]);
      assert.deepEqual(metric("criterion/A.1/precision"), [[2, 1]]);
      const datasets = whole.datasets.map(({ name, digest, source_type }) => [name, digest, source_type]);
      assert.deepEqual(datasets, [["groundtruth.csv", "ab".repeat(18), "local"], [
        "criteria.json",
        "cd".repeat(18),
        "local",
      ]]);
      // A fold that was recorded to its end is not touched, its checkpoint not sent again.
      const fold0 = server.runNamed("demo fold 0").run_id;
      assert.ok(!server.calls.slice(callsBefore).some((call) => call.includes(fold0)));
    });
  } finally {
    await server.stop();
  }
});

Deno.test("openTrainingTracker: mlflow.enable=false records nothing; an error fails the run", async () => {
  await inTemporaryFolder(async (folder) => {
    assert.equal(await openTrainingTracker(runConfig(folder), silentReporter), undefined);
    const store = join(folder, "store");
    const config = runConfig(folder, "mlflow.enable=true", `mlflow.tracking_uri=${store}`);
    const tracker = (await openTrainingTracker(config, silentReporter))!;
    await writeRun(join(folder, "run"), 0, []);
    tracker.runStarted({ continued: false, content: CONTENT });
    tracker.failed(new Error("defect"));
    await tracker.close();
    const { run_id } = JSON.parse(await Deno.readTextFile(join(folder, "run/mlflow.json")));
    const experiment = [...Deno.readDirSync(store)].find(({ name }) => /^\d{18}$/.test(name))!.name;
    assert.match(await Deno.readTextFile(join(store, experiment, run_id, "meta.yaml")), /^status: 4$/m);
  });
});

Deno.test("entail train --quiet: what a tracking server has not got is said all the same", async () => {
  const gone = serveMlflow();
  await gone.stop();
  await inTemporaryFolder(async (folder) => {
    const overrides = [...writeRunData(folder), "data.max_length=200", "training.num_epochs=1", "mlflow.enable=true"];
    const args = ["train", "--quiet", "--fold", "0", ...overrides, `mlflow.tracking_uri=${gone.uri}`];
    const { code, stderr } = await entail(args);
    assert.equal(code, 0, stderr);
    assert.match(
      stderr,
      /^MLflow: .* cannot be reached \(.*\); what it has not got is in .*mlflow-unsent-0\.jsonl.*\n$/,
    );
  });
});
