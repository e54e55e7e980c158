import assert from "node:assert/strict";
import { fitTemperature, probabilityOf, scoreOf } from "../../src/evaluation/calibration.ts";
import { Mt19937 } from "../../src/random/mt19937.ts";
import fixtures from "../fixtures/evaluation/decisions.json" with { type: "json" };

const pairsOf = ({ labels, scores }: { labels: number[]; scores: number[] }) =>
  labels.map((label, i) => ({ label, score: scores[i] }));

/** Mean negative log-likelihood. */
const loss = (pairs: { label: number; score: number }[], temperature: number): number =>
  pairs.reduce((sum, { label, score }) => {
    return sum + Math.log1p(Math.exp((label === 1 ? -score : score) / temperature));
  }, 0) / pairs.length;

Deno.test("fitTemperature: SciPy's minimum, and no other temperature is likelier", () => {
  for (const each of fixtures.temperatures) {
    const pairs = pairsOf(each);
    const found = fitTemperature(pairs);
    assert.ok(Math.abs(found / each.temperature - 1) < 1e-6, `${found}, not ${each.temperature}`);
    assert.ok(loss(pairs, found) <= each.loss + 1e-15);
    for (const factor of [0.9, 0.999, 1.001, 1.1]) assert.ok(loss(pairs, found) < loss(pairs, found * factor));
  }
});

Deno.test("fitTemperature: scores times c have the temperature times c", () => {
  const pairs = pairsOf(fixtures.temperatures[0]);
  const whole = fitTemperature(pairs);
  for (const factor of [0.25, 3, 8]) {
    const scaled = fitTemperature(pairs.map(({ label, score }) => ({ label, score: score * factor })));
    assert.ok(Math.abs(scaled / whole / factor - 1) < 1e-12);
  }
});

Deno.test("fitTemperature: 1 where no temperature is the best", () => {
  const cases = {
    "no pairs": [],
    "all right": [{ label: 1, score: 2 }, { label: 1, score: 1 }],
    "separated": [{ label: 1, score: 2 }, { label: 0, score: -1 }],
    "the wrong way round": [{ label: 0, score: 2 }, { label: 1, score: -1 }],
    "no number": [{ label: 0, score: NaN }, { label: 1, score: -1 }],
  };
  for (const [name, pairs] of Object.entries(cases)) assert.equal(fitTemperature(pairs), 1, name);
});

Deno.test("probabilityOf: no temperature changes the order, or the side of one half", () => {
  const random = new Mt19937(3);
  const scores = Array.from({ length: 200 }, () => (random.random() - 0.5) * 20).sort((a, b) => a - b);
  for (const temperature of [0.5, 1, 1.7, 30]) {
    const probabilities = scores.map((score) => probabilityOf(score, temperature));
    probabilities.forEach((probability, i) => {
      assert.ok(i === 0 || probabilities[i - 1] <= probability);
      assert.equal(probability >= 0.5, scores[i] >= 0);
    });
  }
});

Deno.test("scoreOf: undoes the sigmoid as far as a probability can tell", () => {
  for (const score of [-30, -5.5, -1e-3, 0, 0.25, 3, 15]) {
    assert.ok(Math.abs(scoreOf(probabilityOf(score)) - score) < 1e-8 * Math.max(1, Math.abs(score)), `${score}`);
  }
  assert.ok(scoreOf(1) > 36 && scoreOf(1) < 37);
  assert.equal(scoreOf(0), -scoreOf(1));
});
