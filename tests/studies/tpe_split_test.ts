import assert from "node:assert/strict";
import type { FrozenTrial, TrialState } from "../../src/studies/frozen_trial.ts";
import { goodCount, splitTrials } from "../../src/studies/tpe_split.ts";

function trial(
  number: number,
  state: TrialState,
  value: number | null,
  more: { reports?: [number, number][]; constraint?: number } = {},
): FrozenTrial {
  return {
    trialId: number + 100,
    number,
    state,
    value,
    values: value === null ? null : [value],
    params: {},
    distributions: {},
    internalParams: {},
    intermediateValues: new Map(more.reports ?? []),
    userAttrs: {},
    systemAttrs: more.constraint === undefined ? {} : { "constraints:c": more.constraint },
    datetimeStart: null,
    datetimeComplete: null,
  };
}

function goodNumbers(trials: FrozenTrial[], direction: "minimize" | "maximize" = "minimize"): number[] {
  const { good, bad } = splitTrials(trials, direction);
  const ignored = trials.filter((t) => t.state === "FAIL" || t.state === "WAITING").length;
  assert.equal(good.length + bad.length + ignored, trials.length);
  return good.map((t) => t.number);
}

Deno.test("goodCount: a tenth rounded up, at most 25", () => {
  assert.deepEqual([0, 1, 10, 11, 250, 1000].map(goodCount), [0, 1, 1, 2, 25, 25]);
});

Deno.test("splitTrials: takes the best COMPLETE trials, the earliest of equals, in order of number", () => {
  const values = [5, 1, 3, 1, 1, 9, 9, 9, 9, 9, 9];
  const trials = values.map((value, i) => trial(i, "COMPLETE", value));
  assert.deepEqual(goodNumbers(trials), [1, 3]);
  assert.deepEqual(goodNumbers(trials, "maximize"), [5, 6]);
  assert.deepEqual(goodNumbers([...trials, trial(11, "RUNNING", null), trial(12, "FAIL", null)]), [1, 3]);
});

Deno.test("splitTrials: fills up with pruned trials by step and value, then with infeasible ones", () => {
  const pruned = [
    trial(0, "PRUNED", 1, { reports: [[1, 0.1]] }),
    trial(1, "PRUNED", 1, { reports: [[1, 0.1], [4, 0.9]] }),
    trial(2, "PRUNED", null, { reports: [[4, NaN]] }),
    trial(3, "PRUNED", null),
    trial(4, "PRUNED", 1, { reports: [[4, 0.8]] }),
  ];
  const infeasible = [5, 6, 7].map((i) => trial(i, "COMPLETE", -1, { constraint: 10 - i }));
  // More trials make more of them good: the order in which they come is the ranking.
  const ranking = (trials: FrozenTrial[]) => {
    const order: number[] = [];
    for (let n = 1; n <= trials.length; n++) {
      const failed = Array.from({ length: 10 * n }, (_, i) => trial(1000 + i, "COMPLETE", 1, { constraint: 1e9 + i }));
      const good = goodNumbers([...trials, ...failed].slice(0, 10 * n));
      order.push(...good.filter((number) => !order.includes(number)));
    }
    return order;
  };
  assert.deepEqual(ranking([...pruned, ...infeasible]), [4, 1, 2, 0, 3, 7, 6, 5]);
});
