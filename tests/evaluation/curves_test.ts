import assert from "node:assert/strict";
import { type CurvePoint, precisionRecallCurve, reliability, rocCurve } from "../../src/evaluation/curves.ts";
import { type JudgedPair, measure } from "../../src/evaluation/metrics.ts";
import fixtures from "../fixtures/evaluation/metrics.json" with { type: "json" };

const pairsOf = ({ labels, scores }: { labels: number[]; scores: number[] }): JudgedPair[] =>
  labels.map((label, i) => ({ label, probability: scores[i], prediction: 0 }));

const isClose = (value: number, expected: number | null, label: string) =>
  assert.ok(Math.abs(value - expected!) <= 1e-12, `${label}: ${value}, not ${expected}`);

const sumOf = (points: readonly CurvePoint[], area: (from: CurvePoint, to: CurvePoint) => number): number =>
  points.slice(1).reduce((sum, to, i) => sum + area(points[i], to), 0);

Deno.test("curves: the areas below them and the distances of the bins are scikit-learn's figures", () => {
  fixtures.cases.forEach((each, i) => {
    const pairs = pairsOf(each);
    const { auc, pr_auc, ece } = measure(pairs);
    const roc = rocCurve(pairs);
    if (auc === null) assert.deepEqual(roc, []);
    else {
      assert.deepEqual([roc[0], roc.at(-1)], [[0, 0], [1, 1]]);
      isClose(sumOf(roc, ([x0, y0], [x1, y1]) => (x1 - x0) * (y0 + y1) / 2), auc, `case ${i}: AUC`);
    }
    const curve = precisionRecallCurve(pairs);
    if (pr_auc === null) assert.deepEqual(curve, []);
    else isClose(sumOf([[0, 1], ...curve], ([x0], [x1, y1]) => (x1 - x0) * y1), pr_auc, `case ${i}: average precision`);
    const bins = reliability(pairs);
    assert.equal(bins.reduce((sum, { count }) => sum + count, 0), pairs.length);
    const distance = bins.reduce(
      (sum, { count, probability, share }) => sum + count * Math.abs(share - probability),
      0,
    );
    if (ece !== null) isClose(distance / pairs.length, ece, `case ${i}: ECE`);
  });
});

Deno.test("rocCurve: pairs of one probability are one point", () => {
  assert.deepEqual(rocCurve(pairsOf({ labels: [1, 0, 1, 0], scores: [0.5, 0.5, 0.5, 0.1] })), [[0, 0], [0.5, 1], [
    1,
    1,
  ]]);
});
