import assert from "node:assert/strict";
import { EntailError } from "../../src/errors.ts";
import {
  categoricalDistribution,
  checkCompatible,
  containsInternal,
  distributionFromJson,
  distributionToJson,
  floatDistribution,
  intDistribution,
  isSingle,
  roundHalfEven,
  sameDistribution,
  toExternal,
  toInternal,
} from "../../src/studies/distributions.ts";

/** What Optuna 5.0.0 writes and says, see tests/oracles/studies_fixtures.py. */
const fixture: { json: string; single: boolean; high: number | null; contains: boolean[] }[] = JSON.parse(
  Deno.readTextFileSync(new URL("../fixtures/studies/distributions.json", import.meta.url)),
);
const MADE = [
  floatDistribution(1e-6, 5e-5, { log: true }),
  floatDistribution(0, 0.3, { step: 0.05 }),
  floatDistribution(0, 1, { step: 0.3 }),
  floatDistribution(-0.1, 0.75, { step: 0.1 }),
  floatDistribution(1e-3, 1e16),
  floatDistribution(0.1, 0.1),
  floatDistribution(1e-5, 123456.75),
  floatDistribution(0, 1, { step: 1e-7 }),
  floatDistribution(0.1, 0.7, { step: 0.2 }),
  intDistribution(1, 12),
  intDistribution(1, 10, { step: 4 }),
  intDistribution(2, 256, { log: true }),
  categoricalDistribution(["a", null, true, 1.5]),
  categoricalDistribution(["é", "😀", '"\\\n']),
];
const usage = (error: unknown) => error instanceof EntailError && error.kind === "usage";

Deno.test("distributionToJson: Optuna's text, byte for byte, and back", () => {
  assert.deepEqual(MADE.map(distributionToJson), fixture.map((entry) => entry.json));
  for (const distribution of MADE) {
    assert.deepEqual(distributionFromJson(distributionToJson(distribution)), distribution);
  }
});

Deno.test("floatDistribution, intDistribution: lower high to the last step in decimal arithmetic, as Optuna does", () => {
  MADE.forEach((distribution, i) => {
    assert.equal(distribution.kind === "categorical" ? null : distribution.high, fixture[i].high);
    assert.equal(isSingle(distribution), fixture[i].single);
    const contains = [0, 0.1, 0.3, 1, 5, 0.30000000000000004].map((value) => containsInternal(distribution, value));
    assert.deepEqual(contains, fixture[i].contains, fixture[i].json);
  });
});

Deno.test("distributionFromJson: reads spacing, missing fields and the names of old Optuna versions", () => {
  const read = (name: string, attributes: Record<string, unknown>) => {
    return distributionFromJson(JSON.stringify({ name, attributes }));
  };
  assert.deepEqual(read("FloatDistribution", { low: 0, high: 1 }), floatDistribution(0, 1));
  assert.deepEqual(read("UniformDistribution", { low: 0, high: 1 }), floatDistribution(0, 1));
  assert.deepEqual(read("LogUniformDistribution", { low: 1, high: 2 }), floatDistribution(1, 2, { log: true }));
  assert.deepEqual(
    read("DiscreteUniformDistribution", { low: 0, high: 1, q: 0.25 }),
    floatDistribution(0, 1, { step: 0.25 }),
  );
  assert.deepEqual(read("IntUniformDistribution", { low: 1, high: 9, step: 2 }), intDistribution(1, 9, { step: 2 }));
  assert.deepEqual(
    read("IntLogUniformDistribution", { low: 1, high: 9, step: 1 }),
    intDistribution(1, 9, { log: true }),
  );
  assert.throws(() => read("BetaDistribution", {}), EntailError);
});

Deno.test("floatDistribution, intDistribution, categoricalDistribution: refuse impossible domains", () => {
  for (
    const make of [
      () => floatDistribution(1, 0),
      () => floatDistribution(0, 1, { log: true }),
      () => floatDistribution(1, 2, { log: true, step: 1 }),
      () => floatDistribution(0, 1, { step: 0 }),
      () => floatDistribution(NaN, 1),
      () => intDistribution(0, 4, { log: true }),
      () => intDistribution(1, 4, { log: true, step: 2 }),
      () => intDistribution(0.5, 2),
      () => categoricalDistribution([]),
    ]
  ) assert.throws(make, usage);
});

Deno.test("toInternal, toExternal: convert values and refuse what does not fit", () => {
  const kinds = categoricalDistribution(["a", null, true, 1.5]);
  assert.deepEqual([0, 1, 2, 3].map((i) => toExternal(kinds, i)), ["a", null, true, 1.5]);
  assert.deepEqual(["a", null, true, 1.5, 1].map((value) => toInternal(kinds, value)), [0, 1, 2, 3, 2]);
  assert.throws(() => toInternal(kinds, "b"), usage);
  assert.throws(() => toExternal(kinds, 4), EntailError);
  assert.equal(toInternal(floatDistribution(0, 1), "0.5"), 0.5);
  assert.throws(() => toInternal(floatDistribution(0, 1), "x"), usage);
  assert.throws(() => toInternal(floatDistribution(1, 2, { log: true }), 0), usage);
  assert.equal(toExternal(intDistribution(1, 4), 3), 3);
});

Deno.test("checkCompatible, sameDistribution: allow other bounds, not another kind, log or choices", () => {
  const log = floatDistribution(1, 2, { log: true });
  checkCompatible("x", log, floatDistribution(1, 9, { log: true }));
  assert.throws(() => checkCompatible("x", log, floatDistribution(1, 2)), usage);
  assert.throws(() => checkCompatible("x", log, intDistribution(1, 2, { log: true })), usage);
  assert.throws(() => checkCompatible("x", categoricalDistribution([1, 2]), categoricalDistribution([2, 1])), usage);
  assert.ok(sameDistribution(categoricalDistribution([1, NaN]), categoricalDistribution([true, NaN])));
  assert.ok(!sameDistribution(log, floatDistribution(1, 9, { log: true })));
});

Deno.test("roundHalfEven: rounds halves to even", () => {
  assert.deepEqual([0.5, 1.5, 2.5, -1.5, -2.5, 0.49, 2.51].map(roundHalfEven), [0, 2, 2, -2, -2, 0, 3]);
});
