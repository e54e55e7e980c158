import assert from "node:assert/strict";
import { confusion, evaluateBinary, meanStd, perCriterion, rocAuc } from "../../src/training/metrics.ts";
import fixtures from "../fixtures/training/metrics.json" with { type: "json" };

Deno.test("evaluateBinary: scikit-learn's values in every recorded case", () => {
  fixtures.cases.forEach(({ labels, scores, threshold, expected }, i) => {
    const found = evaluateBinary(labels, scores, threshold) as unknown as Record<string, number | null>;
    for (const [name, value] of Object.entries(expected)) {
      if (value === null) assert.equal(found[name], null, `case ${i}: ${name}`);
      else assert.ok(Math.abs(found[name]! - value) <= 1e-14, `case ${i}: ${name} is ${found[name]}, not ${value}`);
    }
  });
});

Deno.test("evaluateBinary: no pairs", () => {
  const { count, f1, accuracy, auc } = evaluateBinary([], [], 0.5);
  assert.deepEqual({ count, f1, accuracy, auc }, { count: 0, f1: 0, accuracy: 0, auc: null });
});

Deno.test("rocAuc: a score that is not a number has no rank", () => {
  assert.equal(rocAuc([0, 1, 1], [0.1, NaN, 0.3]), null);
});

Deno.test("confusion: rejects unequal lengths", () => {
  assert.throws(() => confusion([1, 0], [1]), RangeError);
});

Deno.test("perCriterion: splits by criterion in order of appearance", () => {
  const metrics = perCriterion(["A.2", "A.1", "A.2", "A.1"], [1, 0, 0, 1], [0.9, 0.8, 0.2, 0.7], 0.5);
  assert.deepEqual([...metrics.keys()], ["A.2", "A.1"]);
  assert.deepEqual(metrics.get("A.2"), evaluateBinary([1, 0], [0.9, 0.2], 0.5));
  assert.deepEqual(metrics.get("A.1"), evaluateBinary([0, 1], [0.8, 0.7], 0.5));
});

Deno.test("meanStd: NumPy's default deviation, values without a number left out", () => {
  const { values, mean, std } = fixtures.spread;
  const found = meanStd([values[0], null, ...values.slice(1), NaN]);
  assert.ok(Math.abs(found.mean - mean) < 1e-15 && Math.abs(found.std - std) < 1e-15);
  assert.deepEqual(meanStd([null]), { mean: NaN, std: NaN });
});
