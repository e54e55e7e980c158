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
    trial(0, "COMPLETE", 0, 10, { value: 0.5, userAttrs: { fixed_seconds: 1, "entail:config": "v" } }),
    // Two at a time, then a pause of twenty seconds.
    trial(1, "COMPLETE", 10, 20, { value: 0.75, userAttrs: { fixed_seconds: 2 } }),
    trial(2, "PRUNED", 12, 20, { value: 0.25 }),
    trial(3, "PRUNED", 40, 42, { userAttrs: { out_of_memory: true } }),
    trial(4, "RUNNING", 42, null),
    trial(5, "RUNNING", 45, null),
  ];
  const overview = overviewOf(study, trials);
  assert.deepEqual([overview.by_hpo, overview.objective], [true, "F1"]);
  assert.deepEqual(overview.states, { RUNNING: 2, COMPLETE: 2, PRUNED: 2, FAIL: 0, WAITING: 0 });
  assert.deepEqual(overview.best, { number: 1, value: 0.75, params: {} });
  assert.deepEqual([overview.pruned_share, overview.out_of_memory_rate], [0.25, 0.25]);
  // Nobody has measured it.
  assert.equal(overview.busy_share, null);
  assert.ok(Math.abs(overview.fixed_share! - 0.15) < 1e-12);
  assert.equal(overview.seconds_per_trial, 7.5);
  // Six to go, two at a time.
  assert.equal(overview.eta_seconds, 6 * 7.5 / 2);
});

Deno.test("overviewOf: the device is busy as far as it had work in its sittings; pauses between them do not count", () => {
  const ran = (number: number, from: number, to: number, worked: number, worker?: string) =>
    trial(number, "COMPLETE", from, to, {
      value: 0.5,
      userAttrs: { device_seconds: worked, ...(worker && { worker }) },
    });
  const sitting = [ran(0, 0, 10, 9, "a"), ran(1, 10, 20, 10, "a"), ran(2, 21, 31, 10, "a")];
  const busy = (...trials: FrozenTrial[]) => overviewOf(study, trials).busy_share;
  assert.equal(busy(...sitting), 29 / 31);
  // Another sitting after a day, and one beside it.
  const later = [ran(3, 86400, 86410, 10, "b"), ran(4, 86410, 86420, 10, "b"), ran(5, 86400, 86420, 10, "c")];
  assert.equal(busy(...sitting, ...later), (29 + 30) / (31 + 40));
  // What runs, was killed and found a day later, or comes from elsewhere, says nothing.
  const silent = [trial(6, "RUNNING", 86420, null, { userAttrs: { worker: "b" } }), trial(7, "FAIL", 40, 86400)];
  assert.equal(busy(...sitting, ...silent), 29 / 31);
  // Trials of the first version do not name their sittings.
  assert.equal(busy(ran(0, 0, 10, 9), ran(1, 1000, 1010, 10)), 19 / 20);
});

Deno.test("overviewOf: a killed trial's time, which ends when somebody notices, is no trial's time", () => {
  const killed = trial(1, "FAIL", 10, 86400, { userAttrs: { fail_reason: "no sign of life for 120 seconds" } });
  const { seconds_per_trial } = overviewOf(study, [trial(0, "COMPLETE", 0, 10, { value: 1 }), killed]);
  assert.equal(seconds_per_trial, 10);
});

Deno.test("overviewOf: a study of another program has its own objective, whoever continues it", () => {
  const trials = [trial(0, "COMPLETE", 0, 10, { value: 0.5 })];
  const { by_hpo, objective } = overviewOf(study, trials);
  assert.deepEqual([by_hpo, objective], [false, "value"]);
  const named = (name: string) => overviewOf({ ...study, systemAttrs: { "study:metric_names": [name] } }, trials);
  assert.equal(named("mean loss").objective, "mean loss");
  assert.equal(named("<b>|x").objective, "value");
});

Deno.test("overviewOf: a study without trials has nothing to share out", () => {
  const overview = overviewOf({ ...study, userAttrs: {} }, []);
  assert.deepEqual(
    [overview.best, overview.pruned_share, overview.busy_share, overview.eta_seconds, overview.n_trials],
    [null, null, null, null, null],
  );
});

Deno.test("originalDifferences: the studies of scripts/launch_studies are the original's, and a change is named", () => {
  const differences = (...overrides: string[]) => originalDifferences(composeConfig(["data=redsm5", ...overrides]));
  const [plain, augmented] = ["hpo.study_name=deberta_base_no_aug", "hpo.study_name=deberta_base_aug"];
  assert.deepEqual(differences(plain), []);
  assert.deepEqual(differences(augmented, "hpo=optuna_aug"), []);
  assert.deepEqual(
    differences(augmented)?.map(({ key, found }) => [key, found]),
    ["enable", "prob", "method"].map((name) => [`hpo.search_space of augmentation.${name}`, "absent"]),
  );
  const changed = differences(
    plain,
    "hpo.search_space.weight_decay.high=0.2",
    "~hpo.search_space.focal_gamma",
    "kfold.n_splits=4",
  );
  assert.deepEqual(changed?.map(({ key, found }) => [key, found]), [
    ["kfold.n_splits", "4"],
    ["hpo.search_space of training.weight_decay", "{type:float,low:0,high:0.2,log:false,step:null}"],
    ["hpo.search_space of model.focal_gamma", "absent"],
  ]);
  // Any other study is its own.
  assert.equal(differences("kfold.n_splits=4"), null);
});
