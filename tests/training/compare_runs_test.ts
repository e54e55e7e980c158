import assert from "node:assert/strict";
import { join } from "node:path";
import { comparePredictions, holm } from "../../src/evaluation/comparison.ts";
import { compareRuns } from "../../src/training/compare_runs.ts";
import { judgedFolds, readRunResults } from "../../src/training/run_results.ts";
import { inTemporaryFolder } from "../support/run_data.ts";
import { writeRunFiles } from "../support/run_files.ts";

const WEIGHTS = (letter: string) => ({
  "data.groundtruth_csv": "a".repeat(64),
  "data.criteria_json": "b".repeat(64),
  "folds.csv": "c",
  "model.model_name": letter.repeat(64),
});

Deno.test("compareRuns: every two runs on the folds that all have finished, by Holm's p-values; what was set differently", async () => {
  await inTemporaryFolder(async (folder) => {
    const [a, b, c] = ["a", "b", "c"].map((name) => join(folder, name));
    await writeRunFiles(a, { overrides: ["model.model_name=first"], record: { content: WEIGHTS("1") } });
    await writeRunFiles(b, {
      shift: 1.5,
      unfinished: [2],
      overrides: ["training.learning_rate=0.5", "model.model_name=second"],
      record: { content: WEIGHTS("2") },
    });
    await writeRunFiles(c, {
      shift: -1,
      overrides: ["model.model_name=moved"],
      record: { content: WEIGHTS("1"), precision: "fp32", settings: { "kfold.n_splits": 3 } },
    });
    const { folds, runs, comparisons, differences } = await compareRuns([a, b, c]);
    assert.deepEqual(folds, [0, 1]);
    assert.deepEqual(comparisons.map(({ first, second }) => [first, second]), [[a, b], [a, c], [b, c]]);
    const ofFolds = async (run: string) =>
      judgedFolds(await readRunResults(run)).predictions.filter(({ fold }) => fold < 2);
    const expected = comparePredictions(await ofFolds(a), await ofFolds(c), { seed: 42 });
    const { mcnemar_p_holm, metrics: { f1 }, ...found } = comparisons[1];
    assert.equal(found.pairs, 80);
    assert.equal(found.mcnemar_p_value, expected.mcnemar_p_value);
    assert.deepEqual({ ...f1, p_holm: undefined }, { ...expected.metrics.f1, p_holm: undefined });
    assert.equal(runs[2].metrics.f1, expected.metrics.f1.second);
    assert.equal(mcnemar_p_holm, holm(comparisons.map(({ mcnemar_p_value }) => mcnemar_p_value))[1]);
    assert.equal(f1.p_holm, holm(comparisons.map(({ metrics }) => metrics.f1.p_value))[1]);
    const first = `first ${"1".repeat(64)}`;
    assert.deepEqual(differences, [
      { key: "training.learning_rate", values: [1e-3, 0.5, 2e-5] },
      { key: "model.model_name", values: [first, `second ${"2".repeat(64)}`, `moved ${"1".repeat(64)}`] },
      { key: "precision", values: ["fp16", "fp16", "fp32"] },
    ]);
  });
});

Deno.test("compareRuns: other data, other folds and runs without a common fold are data errors that name the run", async () => {
  await inTemporaryFolder(async (folder) => {
    const run = join(folder, "run");
    await writeRunFiles(run);
    const cases: [Parameters<typeof writeRunFiles>[1], RegExp][] = [
      [
        { record: { content: { ...WEIGHTS("1"), "data.groundtruth_csv": "x" } } },
        /other: data\.groundtruth_csv has other/,
      ],
      [
        { record: { content: { ...WEIGHTS("1"), "folds.csv": "x" } } },
        /other: folds\.csv has other content than in .*run;/,
      ],
      [{ unfinished: [0, 1, 2] }, /run, .*other: no fold is trained to its end in all of them/],
    ];
    for (const [files, message] of cases) {
      const other = join(folder, "other");
      await writeRunFiles(other, files);
      await assert.rejects(compareRuns([run, other]), { kind: "data", message });
      await Deno.remove(other, { recursive: true });
    }
    await assert.rejects(compareRuns([run, folder]), { kind: "data", message: /config\.yaml: no such file/ });
  });
});
