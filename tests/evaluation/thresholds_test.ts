import assert from "node:assert/strict";
import { measure } from "../../src/evaluation/metrics.ts";
import { bestThreshold } from "../../src/evaluation/thresholds.ts";
import fixtures from "../fixtures/evaluation/decisions.json" with { type: "json" };

const pairsOf = (labels: number[], probabilities: number[]) =>
  labels.map((label, i) => ({ label, probability: probabilities[i] }));

const f1At = (pairs: { label: number; probability: number }[], threshold: number): number =>
  measure(pairs.map((pair) => ({ ...pair, prediction: pair.probability >= threshold ? 1 : 0 }))).f1;

Deno.test("bestThreshold: the highest F1 on scikit-learn's curve, wherever the search starts", () => {
  for (const { labels, probabilities, f1 } of fixtures.thresholds) {
    const pairs = pairsOf(labels, probabilities);
    for (const start of [0, 0.3, 0.5, 0.7, 1]) {
      const threshold = bestThreshold(pairs, start);
      assert.ok(threshold >= 0 && threshold <= 1);
      assert.ok(Math.abs(f1At(pairs, threshold) - f1) < 1e-15, `${f1At(pairs, threshold)}, not ${f1}`);
    }
  }
});

Deno.test("bestThreshold: of equals the nearest to the start, and the start itself where it is one", () => {
  const pairs = pairsOf([0, 1], [0.2, 0.8]);
  assert.equal(bestThreshold(pairs, 0.3), 0.3);
  assert.equal(bestThreshold(pairs, 0.8), 0.8);
  assert.equal(bestThreshold(pairs, 0.2), 0.5);
  assert.equal(bestThreshold(pairs, 0.9), 0.5);
  // F1 is 2/3 above 0.7 and again up to 0.3.
  const twice = pairsOf([1, 0, 0, 1], [0.9, 0.7, 0.5, 0.3]);
  const found = [0.8, 0.55, 0.45, 0.2].map((start) => bestThreshold(twice, start));
  assert.deepEqual(found, [0.8, 0.8, 0.15, 0.2]);
});

Deno.test("bestThreshold: without a positive pair it stays where it starts; neighbours closer than a double's half", () => {
  assert.equal(bestThreshold(pairsOf([0, 0], [0.2, 0.8]), 0.4), 0.4);
  assert.equal(bestThreshold([], 0.4), 0.4);
  const close = [0.5, 0.5 + Number.EPSILON / 2];
  assert.equal(bestThreshold(pairsOf([0, 1], close), 0.1), close[1]);
});
