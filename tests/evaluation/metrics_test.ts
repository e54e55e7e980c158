import assert from "node:assert/strict";
import {
  type JudgedPair,
  macroMeans,
  meanStd,
  measure,
  measureRanked,
  rankPairs,
} from "../../src/evaluation/metrics.ts";
import { Mt19937 } from "../../src/random/mt19937.ts";
import fixtures from "../fixtures/evaluation/metrics.json" with { type: "json" };

/** Pairs that are positive from a threshold on. */
const judged = (labels: readonly number[], probabilities: readonly number[], threshold: number): JudgedPair[] =>
  labels.map((label, i) => {
    return { label, probability: probabilities[i], prediction: probabilities[i] >= threshold ? 1 : 0 };
  });

Deno.test("measure: scikit-learn's values in every recorded case", () => {
  fixtures.cases.forEach(({ labels, scores, threshold, expected }, i) => {
    const found = measure(judged(labels, scores, threshold)) as unknown as Record<string, number | null>;
    for (const [name, value] of Object.entries(expected)) {
      if (value === null) assert.equal(found[name], null, `case ${i}: ${name}`);
      else assert.ok(Math.abs(found[name]! - value) <= 1e-14, `case ${i}: ${name} is ${found[name]}, not ${value}`);
    }
  });
});

Deno.test("macroMeans: every criterion counts once; one without a positive has an F1 of 0 and no area", () => {
  const pairs = (criterionId: string, labels: number[], probabilities: number[]) =>
    judged(labels, probabilities, 0.5).map((pair) => ({ ...pair, criterionId }));
  const a = pairs("A.1", [1, 0, 1, 0, 0, 0], [0.9, 0.8, 0.7, 0.1, 0.2, 0.3]);
  const [b, none] = [pairs("A.2", [0, 1], [0.6, 0.4]), pairs("A.3", [0, 0], [0.1, 0.2])];
  // Average precision of A.1 is (1/1 + 2/3) / 2, of A.2 1/2; F1 is 4/5 and 0.
  const { macro_f1, macro_pr_auc } = macroMeans([...a, ...b, ...none]);
  assert.ok(Math.abs(macro_f1 - 0.8 / 3) < 1e-15 && Math.abs(macro_pr_auc! - (5 / 6 + 0.5) / 2) < 1e-15);
  assert.deepEqual(macroMeans(none), { macro_f1: 0, macro_pr_auc: null });
});

Deno.test("measure: no pairs", () => {
  const { count, f1, accuracy, auc, pr_auc, ece, brier } = measure([]);
  const nothing = { count: 0, f1: 0, accuracy: 0, auc: null, pr_auc: null, ece: null, brier: null };
  assert.deepEqual({ count, f1, accuracy, auc, pr_auc, ece, brier }, nothing);
});

Deno.test("measure: a score that is not a number has no rank", () => {
  const { auc, pr_auc } = measure(judged([0, 1, 1], [0.1, NaN, 0.3], 0.5));
  assert.deepEqual([auc, pr_auc], [null, null]);
});

Deno.test("measure: probabilities that are the shares of positives have no calibration error", () => {
  for (const [eighths, positives] of [[0, 0], [1, 1], [3, 3], [5, 5], [8, 8], [4, 4]]) {
    const labels = Array.from({ length: 8 }, (_, i) => i < positives ? 1 : 0);
    assert.equal(measure(judged(labels, labels.map(() => eighths / 8), 0.5)).ece, 0);
  }
  const wrong = measure(judged([1, 0, 0, 0], [0.75, 0.75, 0.75, 0.75], 0.5));
  assert.equal(wrong.ece, 0.5);
});

Deno.test("measureRanked: a weight is so many pairs alike", () => {
  const random = new Mt19937(5);
  for (let round = 0; round < 20; round++) {
    const pairs = Array.from({ length: 40 }, () => {
      const probability = random.interval(8) / 8;
      return { label: random.interval(1), probability, prediction: probability > 0.4 ? 1 : 0 };
    });
    const weights = pairs.map(() => random.interval(3));
    const found = measureRanked(rankPairs(pairs), weights);
    const repeated = measure(pairs.flatMap((pair, i) => Array.from({ length: weights[i] }, () => pair)));
    for (const [name, value] of Object.entries(repeated)) {
      assert.ok(Math.abs(found[name as keyof typeof found]! - value) < 1e-14, name);
    }
  }
});

Deno.test("meanStd: NumPy's default deviation, values without a number left out", () => {
  const { values, mean, std } = fixtures.spread;
  const found = meanStd([values[0], null, ...values.slice(1), NaN]);
  assert.ok(Math.abs(found.mean - mean) < 1e-15 && Math.abs(found.std - std) < 1e-15);
  assert.deepEqual(meanStd([null]), { mean: NaN, std: NaN });
});
