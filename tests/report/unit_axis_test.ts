import assert from "node:assert/strict";
import { tickText } from "../../src/report/labels.ts";
import { linearTicks, logTicks } from "../../src/report/ticks.ts";
import { ABSENT, numericAxis, parameterAxis } from "../../src/report/study/unit_axis.ts";
import { createStudy } from "../../src/studies/study.ts";
import { RandomSampler } from "../../src/studies/random_sampler.ts";

Deno.test("linearTicks: round numbers inside the range, few of them", () => {
  assert.deepEqual(linearTicks(0, 1), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(linearTicks(0.31, 0.94), [0.4, 0.6, 0.8]);
  assert.deepEqual(linearTicks(-30, 20), [-30, -20, -10, 0, 10, 20]);
  assert.deepEqual(linearTicks(7, 7), [7]);
  assert.deepEqual(linearTicks(-1e308, 1e308), [-1e308, 1e308]);
  for (const [low, high] of [[1, 1 + 1e-15], [0, 5e-324], [1e300, 2e300], [-3, 1e9]]) {
    const ticks = linearTicks(low, high);
    assert.ok(ticks.length >= 1 && ticks.length <= 6, `${low} to ${high}: ${ticks}`);
  }
});

Deno.test("logTicks: powers of ten, and numbers between them where they are few", () => {
  assert.deepEqual(logTicks(1e-6, 1e-2), [1e-6, 1e-5, 1e-4, 1e-3, 1e-2]);
  assert.deepEqual(logTicks(1e-6, 5e-5), [1e-6, 3e-6, 1e-5, 3e-5]);
  assert.deepEqual(logTicks(2, 9), linearTicks(2, 9));
  assert.ok(logTicks(1e-300, 1e300).length <= 7);
});

Deno.test("tickText: short", () => {
  assert.deepEqual([0, 0.25, 64, 1e-6, 3e-5, 2.5e-4, 1e9, -0.5].map(tickText), [
    ...["0", "0.25", "64", "1e-6", "3e-5", "2.5e-4", "1e9", "-0.5"],
  ]);
});

Deno.test("numericAxis: from 0 to 1, logarithmic if asked; a single value in the middle, none below the axis", () => {
  assert.deepEqual(numericAxis("x", [2, null, 4, 3]).positions, [0, ABSENT, 1, 0.5]);
  const log = numericAxis("x", [1, 10, 100], { log: true });
  log.positions.forEach((at, i) => assert.ok(Math.abs(at - i / 2) < 1e-12));
  assert.deepEqual(log.ticks.map(({ label }) => label), ["1", "10", "100"]);
  assert.deepEqual(numericAxis("x", [5, 5]), {
    name: "x",
    ticks: [{ at: 0.5, label: "5" }],
    positions: [0.5, 0.5],
    isChoice: false,
  });
});

Deno.test("parameterAxis: choices in their order, log domains, and trials without the parameter", async () => {
  const study = await createStudy({ sampler: new RandomSampler({ seed: 3 }) });
  await study.enqueueTrial({ kind: "b", rate: 1e-4 });
  await study.enqueueTrial({ kind: "c", rate: 1e-2 });
  await study.enqueueTrial({ kind: "a" });
  await study.optimize((trial) => {
    const kind = trial.suggestCategorical("kind", ["a", "b", "c"]);
    if (kind !== "a") trial.suggestFloat("rate", 1e-5, 1, { log: true });
    return 0;
  }, { nTrials: 3 });
  assert.deepEqual(parameterAxis("kind", study.trials), {
    name: "kind",
    ticks: [{ at: 0, label: "a" }, { at: 0.5, label: "b" }, { at: 1, label: "c" }],
    positions: [0.5, 1, 0],
    isChoice: true,
  });
  const rate = parameterAxis("rate", study.trials);
  assert.deepEqual(rate.positions, [0, 1, ABSENT]);
  assert.deepEqual(rate.ticks.map(({ label }) => label), ["1e-4", "0.001", "0.01"]);
});
