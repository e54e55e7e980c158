import assert from "node:assert/strict";
import { join } from "node:path";
import { composeConfig } from "../../src/config/config.ts";
import { readModelConfig } from "../../src/models/checkpoint.ts";
import { carriedDecision, withDecision } from "../../src/models/decision.ts";
import { fitDecision } from "../../src/evaluation/decision.ts";
import { crossValidate } from "../../src/training/cross_validation.ts";
import { carryDecision, decisionOf, decisionSettings, decisionsInVain } from "../../src/training/decisions.ts";
import { evaluateRun } from "../../src/training/evaluate_run.ts";
import { readPredictions } from "../../src/training/predictions.ts";
import { silentReporter } from "../../src/training/reporter.ts";
import { loadRun } from "../../src/training/run_folder.ts";
import { loadPairs } from "../../src/training/run_data.ts";
import { openScorer, scoreTexts } from "../../src/training/scorer.ts";
import { gpuTest } from "../support/gpu.ts";
import { inTemporaryFolder, runConfig, TEXT_MODEL } from "../support/run_data.ts";

const CHOSEN = ["evaluation.calibration=temperature", "evaluation.threshold_mode=per_class"];
const PAIRS = [{ criterionId: "A.1", criterion: "Low mood" }, { criterionId: "A.4", criterion: "Poor sleep" }];

Deno.test("carryDecision: a checkpoint says what was chosen for it, and another training starts without it", async () => {
  const config = await readModelConfig(TEXT_MODEL);
  assert.equal(carriedDecision(config), null);
  const decision = { temperature: 1.5, threshold: 0.25, criterion_thresholds: { "A.4": 0.75 } };
  const carrying = carryDecision(config, decision, PAIRS);
  assert.deepEqual(carriedDecision(carrying), {
    temperature: 1.5,
    threshold: 0.25,
    criterionThresholds: { "Poor sleep": 0.75 },
  });
  assert.deepEqual(decisionOf(carrying, PAIRS), decision);
  assert.equal(decisionOf(config, PAIRS), undefined);
  assert.deepEqual(withDecision(carrying, null).other, config.other);
});

Deno.test("carriedDecision: what no choice can be is a data error that names the key", async () => {
  const config = await readModelConfig(TEXT_MODEL);
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ calibration_temperature: 0 }, /calibration_temperature/],
    [{ calibration_temperature: "1" }, /calibration_temperature/],
    [{ calibration_temperature: 1, criterion_thresholds: [2] }, /criterion_thresholds/],
    [{ calibration_temperature: 1, criterion_thresholds: null }, /criterion_thresholds/],
  ];
  for (const [other, message] of cases) {
    assert.throws(() => carriedDecision({ ...config, other }), { kind: "data", message });
  }
});

Deno.test("decisionsInVain: names the setting and the one that keeps it from having an effect", () => {
  const lines = (...overrides: string[]) => decisionsInVain(composeConfig(overrides));
  const global = "evaluation.threshold_mode=global";
  assert.deepEqual(lines(), []);
  assert.deepEqual(lines(global, "evaluation.threshold_global_init=0.4"), []);
  assert.match(lines("evaluation.threshold_global_init=0.4")[0], /^evaluation\.threshold_global_init has no effect/);
  assert.match(lines(global, "model.positive_threshold=0.4")[0], /^model\.positive_threshold has no effect/);
});

gpuTest("crossValidate: what is chosen on a fold is in its checkpoint, its predictions and predict's", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const config = runConfig(folder, ...CHOSEN);
    const summary = await crossValidate(gpu, config, { reporter: silentReporter });
    const run = join(folder, "run");
    const best = join(run, "checkpoints/fold_0/best");
    const pairs = await loadPairs(config);

    const carried = decisionOf(await readModelConfig(best), pairs)!;
    const rows = await readPredictions(join(run, "fold_0/predictions.csv"));
    assert.deepEqual(carried, summary.folds[0].decision);
    assert.deepEqual(carried, fitDecision(rows, decisionSettings(config)));
    for (const { criterionId, score, probability, prediction } of rows) {
      assert.equal(probability, sigmoid(score / carried.temperature));
      const threshold = carried.criterion_thresholds?.[criterionId] ?? carried.threshold;
      assert.equal(prediction, probability >= threshold ? 1 : 0);
    }

    const members = rows.map((row) =>
      pairs.find(({ postId, criterionId }) => postId === row.postId && criterionId === row.criterionId)!
    );
    const scorer = await openScorer(gpu, best, { precision: "fp32", numWorkers: 0 });
    const scores = await scoreTexts(scorer, members);
    scorer.release();
    assert.deepEqual(
      scores.map(({ probability, prediction }) => ({ probability, prediction })),
      rows.map(({ probability, prediction }) => ({ probability, prediction })),
    );

    const epochs = (await Deno.readTextFile(join(run, "fold_0/metrics.jsonl"))).trim().split("\n")
      .map((line) => JSON.parse(line)).filter((line) => "eval_f1" in line);
    assert.ok(epochs.every((epoch) => epoch.eval_f1_cross_fitted >= 0));
    assert.ok(summary.in_sample && summary.cross_fitted!.over === "folds");
    assert.notDeepEqual(summary.cross_fitted!.folds[0].decision, carried);

    // `eval` finds the same; judged otherwise, the same scores are those of a fixed threshold.
    const open = await loadRun(run);
    assert.deepEqual(await evaluateRun(gpu, open, { reporter: silentReporter }), summary);
    const fixed = { ...open.config, evaluation: runConfig(folder).evaluation };
    const other = await evaluateRun(gpu, { ...open, config: fixed }, { reporter: silentReporter });
    assert.equal(other.in_sample, false);
    assert.deepEqual(other.folds[0].decision, { temperature: 1, threshold: 0.5, criterion_thresholds: null });
    const single = await evaluateRun(gpu, open, { fold: 0, reporter: silentReporter });
    assert.equal(single.cross_fitted!.over, "posts");
  });
});

gpuTest("crossValidate: a run that chooses, interrupted after every epoch, comes to the same", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const config = runConfig(folder, ...CHOSEN);
    const whole = await crossValidate(gpu, config, { reporter: silentReporter });
    const files = ["fold_0/metrics.jsonl", "fold_1/predictions.csv", "checkpoints/fold_1/last/config.json"];
    const read = () => Promise.all(files.map((file) => Deno.readTextFile(join(folder, "run", file))));
    const before = await read();
    await Deno.remove(join(folder, "run"), { recursive: true });
    let sittings = 0;
    const sitting = async () => {
      const controller = new AbortController();
      const reporter = { ...silentReporter, epoch: () => controller.abort() };
      return await crossValidate(gpu, config, { reporter, signal: controller.signal });
    };
    let resumed;
    while (resumed === undefined) {
      resumed = await sitting().catch((error) => {
        if (error.kind !== "interrupted" || ++sittings > 20) throw error;
        return undefined;
      });
    }
    assert.ok(sittings > 1);
    assert.deepEqual(resumed, whole);
    assert.deepEqual(await read(), before);
  });
});

const sigmoid = (z: number): number => z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z));
