import assert from "node:assert/strict";
import { comparePredictions, exactMcNemar, holm } from "../../src/evaluation/comparison.ts";
import fixtures from "../fixtures/evaluation/decisions.json" with { type: "json" };

const { posts, labels, probabilities, others, differences, seed, resamples } = fixtures.bootstrap;
const pairsOf = (probabilities: number[]) =>
  posts.map((post, i) => ({
    postId: `p${post}`,
    criterionId: `A.${i % 4}`,
    fold: post % 2,
    label: labels[i],
    probability: probabilities[i],
    prediction: probabilities[i] >= 0.5 ? 1 : 0,
  }));
const [first, second] = [pairsOf(probabilities), pairsOf(others)];

Deno.test("exactMcNemar: statsmodels' p-values, few pairs and many", () => {
  for (const { onlyFirst, onlySecond, p } of fixtures.mcnemar) {
    assert.ok(Math.abs(exactMcNemar(onlyFirst, onlySecond) / p - 1) < 1e-10, `${onlyFirst}, ${onlySecond}`);
    assert.equal(exactMcNemar(onlyFirst, onlySecond), exactMcNemar(onlySecond, onlyFirst));
  }
});

Deno.test("comparePredictions: the differences of the same resamples, in whatever order the pairs come", () => {
  const found = comparePredictions(first, second.toReversed(), { seed, resamples });
  for (const [name, [low, high]] of Object.entries(differences)) {
    const { first, second, difference, interval } = found.metrics[name as keyof typeof differences];
    assert.equal(difference, first! - second!);
    assert.ok(Math.abs(interval![0] - low) < 1e-12 && Math.abs(interval![1] - high) < 1e-12, name);
  }
  const { both_right, only_first_right, only_second_right, both_wrong } = found;
  assert.equal(both_right + only_first_right + only_second_right + both_wrong, found.pairs);
  assert.equal((both_right + only_first_right) / found.pairs, found.metrics.accuracy.first);
  assert.equal(found.mcnemar_p_value, exactMcNemar(only_first_right, only_second_right));
  const swapped = comparePredictions(second, first, { seed, resamples });
  assert.equal(swapped.metrics.f1.difference, -found.metrics.f1.difference!);
  assert.equal(swapped.metrics.f1.p_value, found.metrics.f1.p_value);
});

Deno.test("comparePredictions: a run and itself do not differ", () => {
  const { metrics, mcnemar_p_value } = comparePredictions(first, first, { seed });
  assert.equal(mcnemar_p_value, 1);
  assert.deepEqual(metrics.f1.interval, [0, 0]);
  assert.equal(metrics.f1.p_value, 1);
});

Deno.test("comparePredictions: other pairs, labels or folds are a data error that names the pair", () => {
  const changed = (change: Partial<typeof first[number]>) => second.with(3, { ...second[3], ...change });
  const cases: [typeof second, RegExp][] = [
    [second.slice(1), /^post p0, criterion A\.0: only the first run has it/],
    [changed({ postId: "new" }), /only the first run has it/],
    [changed({ label: 1 - second[3].label }), /^post p0, criterion A\.3: its label is another one/],
    [changed({ fold: 1 }), /^post p0, criterion A\.3: is in fold 0 of the first run, 1 of the second/],
  ];
  for (const [pairs, message] of cases) {
    assert.throws(() => comparePredictions(first, pairs, { seed }), { kind: "data", message });
  }
  assert.throws(() => comparePredictions(first.slice(1), second, { seed }), /only the second run has it/);
});

Deno.test("holm: each p-value times the number of those not smaller, never less than a smaller one's, 1 at most", () => {
  const found = holm([0.01, 0.04, null, 0.03, 0.005, 0.7]);
  [0.04, 0.09, null, 0.09, 0.025, 0.7].forEach((expected, i) => {
    if (expected === null) assert.equal(found[i], null);
    else assert.ok(Math.abs(found[i]! - expected) < 1e-15, `${i}: ${found[i]}`);
  });
  assert.deepEqual(holm([0.3]), [0.3]);
  assert.deepEqual(holm([0.6, 0.9]), [1, 1]);
  assert.deepEqual(holm([]), []);
});
