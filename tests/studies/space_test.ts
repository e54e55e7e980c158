import assert from "node:assert/strict";
import { categoricalDistribution, type Distribution, floatDistribution } from "../../src/studies/distributions.ts";
import type { FrozenTrial, TrialState } from "../../src/studies/frozen_trial.ts";
import { GroupedSpace, IntersectionSpace } from "../../src/studies/space.ts";

const X = floatDistribution(0, 1);
const WIDER = floatDistribution(0, 2);
const SINGLE = categoricalDistribution(["only"]);

function trial(trialId: number, state: TrialState, distributions: Record<string, Distribution>): FrozenTrial {
  return {
    trialId,
    number: trialId,
    state,
    value: null,
    values: null,
    params: {},
    distributions,
    internalParams: {},
    intermediateValues: new Map(),
    userAttrs: {},
    systemAttrs: {},
    datetimeStart: null,
    datetimeComplete: null,
  };
}

function names(spaces: readonly ReadonlyMap<string, Distribution>[]): string[][] {
  return spaces.map((space) => [...space.keys()]);
}

Deno.test("IntersectionSpace: what all COMPLETE and PRUNED trials share, sorted, without single values", () => {
  const space = new IntersectionSpace();
  assert.deepEqual(space.update([]), []);
  const trials = [
    trial(0, "COMPLETE", { z: X, a: X, s: SINGLE, b: X }),
    trial(1, "FAIL", { a: X }),
    trial(2, "RUNNING", { a: X }),
  ];
  assert.deepEqual(names(space.update(trials)), [["a", "b", "z"]]);
  trials[2] = trial(2, "PRUNED", { a: X, b: WIDER, z: X, s: SINGLE });
  assert.deepEqual(names(space.update(trials)), [["a", "z"]]);
  assert.deepEqual(space.update([...trials, trial(3, "COMPLETE", {})]), []);
});

Deno.test("GroupedSpace: sets of parameters that occur together", () => {
  const space = new GroupedSpace();
  const trials = [trial(0, "COMPLETE", { lr: X, method: X, prob: X })];
  assert.deepEqual(names(space.update(trials)), [["lr", "method", "prob"]]);
  trials.push(trial(1, "COMPLETE", { lr: X, other: X }));
  assert.deepEqual(names(space.update(trials)), [["lr"], ["method", "prob"], ["other"]]);
  trials.push(trial(2, "FAIL", { method: X }));
  assert.deepEqual(names(space.update(trials)), [["lr"], ["method", "prob"], ["other"]]);
});
