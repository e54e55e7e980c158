import assert from "node:assert/strict";
import { bootstrapIntervals, percentiles } from "../../src/evaluation/intervals.ts";
import fixtures from "../fixtures/evaluation/decisions.json" with { type: "json" };

const { posts, labels, probabilities, predictions, intervals, seed, resamples } = fixtures.bootstrap;
const pairs = posts.map((post, i) => {
  return { postId: `p${post}`, label: labels[i], probability: probabilities[i], prediction: predictions[i] };
});

Deno.test("bootstrapIntervals: NumPy's percentiles of scikit-learn's metrics over the same draws", () => {
  const found = bootstrapIntervals(pairs, { seed, resamples });
  for (const [name, [low, high]] of Object.entries(intervals)) {
    const [from, to] = found[name as keyof typeof intervals]!;
    assert.ok(Math.abs(from - low) < 1e-12 && Math.abs(to - high) < 1e-12, `${name}: ${from}, ${to}: ${low}, ${high}`);
  }
});

Deno.test("bootstrapIntervals: the same seed gives the same bits, another one others, a wider level a wider one", () => {
  const at = (seed: number, level = 0.95) => bootstrapIntervals(pairs, { seed, level });
  assert.deepEqual(at(1), at(1));
  assert.notDeepEqual(at(1), at(2));
  const [narrow, wide] = [at(1, 0.5).f1!, at(1, 0.99).f1!];
  assert.ok(wide[0] < narrow[0] && narrow[1] < wide[1]);
});

Deno.test("bootstrapIntervals: what is the same in every resample has no width, what none has is null", () => {
  const alike = pairs.map((pair) => ({ ...pair, label: 1, prediction: 1, probability: 0.75 }));
  const { f1, accuracy, brier, auc } = bootstrapIntervals(alike, { seed });
  assert.deepEqual({ f1, accuracy, brier, auc }, { f1: [1, 1], accuracy: [1, 1], brier: [0.0625, 0.0625], auc: null });
  const one = bootstrapIntervals(pairs.slice(0, 4), { seed });
  assert.equal(one.f1![0], one.f1![1], "there is one post to draw");
});

Deno.test("bootstrapIntervals: copies of a post's pairs do not narrow it, copies of posts do", () => {
  const width = (copies: typeof pairs) => {
    const [low, high] = bootstrapIntervals(copies, { seed }).accuracy!;
    return high - low;
  };
  const copiesOf = (rename: (postId: string, copy: number) => string) =>
    pairs.flatMap((pair) => [0, 1, 2, 3].map((copy) => ({ ...pair, postId: rename(pair.postId, copy) })));
  assert.ok(Math.abs(width(copiesOf((id) => id)) - width(pairs)) < 1e-12);
  const halved = width(copiesOf((id, copy) => `${id}/${copy}`)) / width(pairs);
  assert.ok(halved > 0.35 && halved < 0.65, `${halved}`);
});

Deno.test("percentiles: nulls and NaN are left out", () => {
  assert.deepEqual(percentiles([null, 3, NaN, 1, 2], { level: 0.5 }), [1.5, 2.5]);
  assert.equal(percentiles([null, NaN]), null);
});
