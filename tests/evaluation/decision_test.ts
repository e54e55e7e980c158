import assert from "node:assert/strict";
import { crossFit, decide, fitDecision, partOfPost } from "../../src/evaluation/decision.ts";
import type { Decision, DecisionSettings } from "../../src/evaluation/decision.ts";
import { type JudgedPair, measure } from "../../src/evaluation/metrics.ts";
import { Mt19937 } from "../../src/random/mt19937.ts";

const FIXED: DecisionSettings = {
  calibration: "none",
  thresholdMode: "fixed",
  positiveThreshold: 0.5,
  globalInit: 0.4,
};
const SETTINGS: DecisionSettings[] = [
  { ...FIXED, calibration: "temperature" },
  { ...FIXED, thresholdMode: "global" },
  { ...FIXED, calibration: "temperature", thresholdMode: "per_class" },
];

/** Pairs of posts in folds; criteria differ in how high their scores are. */
function randomPairs(seed: number, { posts = 60, signal = 1.5 } = {}) {
  const random = new Mt19937(seed);
  return Array.from({ length: posts }, (_, post) =>
    ["A.1", "A.2", "A.3"].map((criterionId, c) => {
      const label = random.random() < 0.3 ? 1 : 0;
      const noise = random.random() + random.random() + random.random() - 1.5;
      return { postId: `p${post}`, fold: post % 3, criterionId, label, score: 3 * (noise + signal * label + c - 2) };
    })).flat();
}

Deno.test("decide: what is fixed is the sigmoid at the threshold, to the bit", () => {
  const decision: Decision = fitDecision(randomPairs(1), FIXED);
  assert.deepEqual(decision, { temperature: 1, threshold: 0.5, criterion_thresholds: null });
  for (const pair of randomPairs(2)) {
    const { probability, prediction }: JudgedPair = decide(pair, decision);
    const { score } = pair;
    assert.equal(probability, score >= 0 ? 1 / (1 + Math.exp(-score)) : Math.exp(score) / (1 + Math.exp(score)));
    assert.equal(prediction, probability >= 0.5 ? 1 : 0);
  }
});

Deno.test("fitDecision: on its own pairs a threshold of each criterion is no worse than one, and one no worse than fixed", () => {
  for (const seed of [3, 4, 5]) {
    const pairs = randomPairs(seed);
    for (const { criterionId } of pairs.slice(0, 3)) {
      const f1 = (["fixed", "global", "per_class"] as const).map((thresholdMode) => {
        const decision = fitDecision(pairs, { ...FIXED, thresholdMode });
        const judged = pairs.map((pair) => decide(pair, decision));
        return [measure(judged).f1, measure(judged.filter((pair) => pair.criterionId === criterionId)).f1];
      });
      assert.ok(f1[0][0] < f1[1][0] && f1[1][1] <= f1[2][1]);
    }
  }
});

Deno.test("fitDecision: a criterion without a positive pair has the threshold of all", () => {
  const pairs = randomPairs(6).map((pair) => pair.criterionId === "A.2" ? { ...pair, label: 0 } : pair);
  const decision = fitDecision(pairs, { ...FIXED, thresholdMode: "per_class" });
  assert.deepEqual(Object.keys(decision.criterion_thresholds!), ["A.1", "A.3"]);
  const { probability, prediction } = decide(pairs[1], decision);
  assert.equal(prediction, probability >= decision.threshold ? 1 : 0);
});

Deno.test("crossFit: no group has a part in what decides about it", () => {
  const pairs = randomPairs(7);
  for (const settings of SETTINGS) {
    const whole = crossFit(pairs, ({ fold }) => fold, settings);
    for (const fold of [0, 1, 2]) {
      // Whatever its labels and scores are: the decision about it is the same.
      const other = pairs.map((pair) => pair.fold === fold ? { ...pair, label: 1 - pair.label } : pair);
      assert.deepEqual(crossFit(other, ({ fold }) => fold, settings).decisions.get(fold), whole.decisions.get(fold));
      // And it is not for want of an effect: the other folds' decisions change.
      assert.notDeepEqual(crossFit(other, ({ fold }) => fold, settings).decisions, whole.decisions);
    }
    whole.judged.forEach((judged, i) => {
      assert.deepEqual(judged, decide(pairs[i], whole.decisions.get(pairs[i].fold)!));
    });
  }
});

Deno.test("crossFit: scores that say nothing gain nothing from thresholds, while in sample they seem to", () => {
  let [inSample, crossFitted, always] = [0, 0, 0];
  for (let seed = 0; seed < 20; seed++) {
    const pairs = randomPairs(100 + seed, { posts: 15, signal: 0 });
    const settings = { ...FIXED, thresholdMode: "per_class" } as const;
    const decision = fitDecision(pairs, settings);
    inSample += measure(pairs.map((pair) => decide(pair, decision))).f1 / 20;
    crossFitted += measure(crossFit(pairs, partOfPost(pairs), settings).judged).f1 / 20;
    always += measure(pairs.map((pair) => ({ ...pair, probability: 1, prediction: 1 }))).f1 / 20;
  }
  assert.ok(inSample > always + 0.05, `${inSample} in sample, ${always} for all positive`);
  assert.ok(crossFitted < always, `${crossFitted} cross-fitted, ${always} for all positive`);
});

Deno.test("partOfPost: posts stay whole and are dealt evenly", () => {
  const pairs = randomPairs(8);
  const sizes = Map.groupBy(pairs, partOfPost(pairs));
  assert.deepEqual([...sizes.values()].map((part) => part.length), [36, 36, 36, 36, 36]);
  const partsOf = Map.groupBy(pairs, ({ postId }) => postId);
  for (const own of partsOf.values()) assert.equal(new Set(own.map(partOfPost(pairs))).size, 1);
});
