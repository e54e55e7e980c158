import assert from "node:assert/strict";
import { composeConfig } from "../../src/config/config.ts";
import { originalDifferences } from "../../src/search/original_study.ts";
import { overviewOf } from "../../src/search/overview.ts";
import type { FrozenTrial } from "../../src/studies/frozen_trial.ts";
import type { StudyRecord } from "../../src/studies/storage.ts";

const at = (seconds: number) => new Date(1_700_000_000_000 + seconds * 1000);

function trial(number: number, state: FrozenTrial["state"], from: number, to: number | null, more = {}): FrozenTrial {
  return {
    trialId: number + 1,
    number,
    state,
    value: null,
    values: null,
    params: {},
    distributions: {},
    internalParams: {},
    intermediateValues: new Map(),
    userAttrs: {},
    systemAttrs: {},
    datetimeStart: at(from),
    datetimeComplete: to === null ? null : at(to),
    ...more,
  };
}

const study: StudyRecord = {
  studyId: 1,
  studyName: "s",
  directions: ["maximize"],
  userAttrs: { "entail:n_trials": 10 },
  systemAttrs: {},
};

Deno.test("overviewOf: shares, the best trial and the time left", () => {
  const trials = [
    trial(0, "COMPLETE", 0, 10, { value: 0.5, userAttrs: { fixed_seconds: 1 } }),
    // Two at a time, then a pause of twenty seconds.
    trial(1, "COMPLETE", 10, 20, { value: 0.75, userAttrs: { fixed_seconds: 2 } }),
    trial(2, "PRUNED", 12, 20, { value: 0.25 }),
    trial(3, "PRUNED", 40, 42, { userAttrs: { out_of_memory: true } }),
    trial(4, "RUNNING", 42, null),
    trial(5, "RUNNING", 45, null),
  ];
  const overview = overviewOf(study, trials, at(50));
  assert.deepEqual(overview.states, { RUNNING: 2, COMPLETE: 2, PRUNED: 2, FAIL: 0, WAITING: 0 });
  assert.deepEqual(overview.best, { number: 1, value: 0.75, params: {} });
  assert.deepEqual([overview.pruned_share, overview.out_of_memory_rate], [0.25, 0.25]);
  assert.equal(overview.busy_share, 30 / 50);
  assert.ok(Math.abs(overview.fixed_share! - 0.15) < 1e-12);
  assert.equal(overview.seconds_per_trial, 7.5);
  // Six to go, two at a time.
  assert.equal(overview.eta_seconds, 6 * 7.5 / 2);
});

Deno.test("overviewOf: a device that waits for its host during a trial is not busy", () => {
  const trials = [
    trial(0, "COMPLETE", 0, 10, { value: 0.5, userAttrs: { device_seconds: 7 } }),
    trial(1, "PRUNED", 10, 20, { userAttrs: { device_seconds: 8 } }),
    trial(2, "FAIL", 30, 40), // made by a program that does not say
  ];
  assert.equal(overviewOf(study, trials, at(50)).busy_share, 30 / 40 * 25 / 30);
});

Deno.test("overviewOf: a study without trials has nothing to share out", () => {
  const overview = overviewOf({ ...study, userAttrs: {} }, [], at(0));
  assert.deepEqual(
    [overview.best, overview.pruned_share, overview.busy_share, overview.eta_seconds, overview.n_trials],
    [null, null, null, null, null],
  );
});

Deno.test("originalDifferences: the redsm5 configurations are the original's two studies, and a change is named", () => {
  assert.deepEqual(originalDifferences(composeConfig(["data=redsm5"])), []);
  assert.deepEqual(originalDifferences(composeConfig(["data=redsm5", "hpo=pc_ce"])), []);
  const changed = composeConfig([
    "data=redsm5",
    "hpo.search_space.weight_decay.high=0.2",
    "~hpo.search_space.focal_gamma",
    "kfold.n_splits=4",
  ]);
  assert.deepEqual(originalDifferences(changed).map(({ key, found }) => [key, found]), [
    ["kfold.n_splits", "4"],
    ["hpo.search_space of training.weight_decay", "{type:float,low:0,high:0.2,log:false,step:null}"],
    ["hpo.search_space of model.focal_gamma", "absent"],
  ]);
});
