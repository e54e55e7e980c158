import assert from "node:assert/strict";
import { distributionFromJson, floatDistribution, intDistribution } from "../../src/studies/distributions.ts";
import { fitParzen, logDensity, recencyWeights, sampleParzen } from "../../src/studies/parzen.ts";
import { RandomStream } from "../../src/studies/random_stream.ts";

/** Optuna 5.0.0's densities, see tests/oracles/studies_fixtures.py. */
const cases: {
  distributions: Record<string, string>;
  observed: number[][];
  points: number[][];
  logDensity: number[];
}[] = JSON.parse(Deno.readTextFileSync(new URL("../fixtures/studies/parzen.json", import.meta.url)));

Deno.test("fitParzen, logDensity: Optuna's densities for every kind of domain", () => {
  for (const { distributions, observed, points, logDensity: expected } of cases) {
    const space = new Map(Object.entries(distributions).map(([name, text]) => [name, distributionFromJson(text)]));
    const columns = observed.map((column) => Float64Array.from(column));
    const estimator = fitParzen(space, columns);
    logDensity(estimator, points.map((column) => Float64Array.from(column))).forEach((value, i) => {
      const what = `${Object.keys(distributions)} with ${observed[0].length} observations`;
      assert.ok(Math.abs(value - expected[i]) <= 1e-10 * Math.max(1, Math.abs(expected[i])), `${what}: ${value}`);
    });
  }
});

Deno.test("logDensity: integrates to one, also with many observations in one place", () => {
  const distribution = floatDistribution(0, 1);
  const crowded = Float64Array.from({ length: 300 }, (_, i) => i < 200 ? 0.5 : 0.4 + i * 1e-6);
  const estimator = fitParzen(new Map([["x", distribution]]), [crowded]);
  const points = Float64Array.from({ length: 20000 }, (_, i) => (i + 0.5) / 20000);
  const integral = logDensity(estimator, [points]).reduce((sum, log) => sum + Math.exp(log) / points.length, 0);
  assert.ok(Math.abs(integral - 1) < 1e-6, String(integral));
  const grid = Float64Array.from({ length: 12 }, (_, i) => i + 1);
  const steps = fitParzen(new Map([["n", intDistribution(1, 12)]]), [Float64Array.of(3, 3, 7, 12, 1)]);
  const mass = logDensity(steps, [grid]).reduce((sum, log) => sum + Math.exp(log), 0);
  assert.ok(Math.abs(mass - 1) < 1e-12, String(mass));
});

Deno.test("sampleParzen: stays in the domain and on the grid", () => {
  const space = new Map([["x", floatDistribution(0.1, 0.7, { step: 0.2 })], [
    "y",
    floatDistribution(1, 8, { log: true }),
  ]]);
  const estimator = fitParzen(space, [Float64Array.of(0.1, 0.7), Float64Array.of(1, 8)]);
  const [x, y] = sampleParzen(estimator, new RandomStream(1), 500);
  assert.ok(x.every((value) => [0.1, 0.3, 0.5, 0.7].some((point) => Math.abs(point - value) < 1e-9)));
  assert.ok(y.every((value) => value > 1 - 1e-9 && value < 8 + 1e-9));
});

Deno.test("recencyWeights: ones up to 25, then a ramp for the older ones", () => {
  assert.deepEqual([...recencyWeights(3)], [1, 1, 1]);
  assert.deepEqual([...recencyWeights(25)], Array(25).fill(1));
  assert.deepEqual([...recencyWeights(26)], [1 / 26, ...Array(25).fill(1)]);
  const weights = recencyWeights(29);
  assert.deepEqual([weights[0], weights[3], weights[28]], [1 / 29, 1, 1]);
  assert.ok(Math.abs(weights[1] - (1 / 29 + (28 / 29) / 3)) < 1e-15);
});
