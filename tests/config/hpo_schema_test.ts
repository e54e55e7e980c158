import assert from "node:assert/strict";
import { EntailError } from "../../src/errors.ts";
import { composeConfig } from "../../src/config/config.ts";

function refused(parameters: string, ...overrides: string[]): string {
  try {
    composeConfig([`+hpo.search_space=${parameters}`, ...overrides]);
  } catch (error) {
    assert.ok(error instanceof EntailError && error.kind === "usage", `${error}`);
    return error.message;
  }
  return "accepted";
}

Deno.test("hpo/optuna.yaml: the original's nine parameters", () => {
  const space = composeConfig(["hpo=optuna"]).hpo.search_space;
  const ranges = Object.entries(space).map(([name, { low, high, log, choices }]) =>
    `${name}: ${choices?.join(" ") ?? `${low} ${high}${log ? " log" : ""}`}`
  );
  assert.deepEqual(ranges, [
    "learning_rate: 0.000001 0.00005 log",
    "target_effective_batch_size: 16 32 64 128 256",
    "scheduler_type: linear cosine cosine_with_restarts",
    "weight_decay: 0 0.1",
    "warmup_ratio: 0 0.2",
    "classifier_dropout: 0.1 0.5",
    "hidden_dropout: 0 0.3",
    "attention_dropout: 0 0.3",
    "focal_gamma: 1 2 3",
  ]);
});

Deno.test("hpo/optuna_aug.yaml: the same and the augmentation, conditional on aug_enable", () => {
  const { hpo } = composeConfig(["hpo=optuna_aug"]);
  const names = Object.keys(hpo.search_space);
  assert.deepEqual(names.slice(0, 9), Object.keys(composeConfig([]).hpo.search_space));
  assert.deepEqual(names.slice(9), ["aug_enable", "aug_prob", "aug_method"]);
  assert.deepEqual(hpo.search_space.aug_prob.when, { aug_enable: true });
  assert.deepEqual(hpo.search_space.aug_method.when, { aug_enable: true });
  assert.equal(hpo.search_space.aug_enable.when, null);
  assert.equal(hpo.n_trials, 2000);
});

Deno.test("hpo.search_space: a parameter must set a configuration key, within its range", () => {
  assert.match(
    refused("{x: {key: training.learning_rte, type: float, low: 0, high: 1}}"),
    /^"hpo.search_space.x.key": unknown key "training.learning_rte"; did you mean "training.learning_rate"\?$/,
  );
  assert.match(refused("{x: {type: float, low: 0, high: 1}}"), /"hpo.search_space.x.key": unknown key "x"/);
  assert.match(refused("{model: {type: float, low: 0, high: 1}}"), /"model" is a group of keys, not a key/);
  assert.match(
    refused("{x: {key: model.hidden_dropout, type: float, low: 0, high: 1}}"),
    /"hpo.search_space.x.high": "model.hidden_dropout" must be a number in \[0, 1\).*, not 1/,
  );
  assert.match(
    refused("{x: {key: training.scheduler_type, type: categorical, choices: [linear, lineer]}}"),
    /"hpo.search_space.x.choices\[1\]": "training.scheduler_type" must be one of linear.*, not "lineer"/,
  );
  assert.match(
    refused("{x: {key: training.batch_size, type: float, low: 1, high: 8}}"),
    /"hpo.search_space.x.type": "training.batch_size" must be an integer >= 1/,
  );
  assert.equal(refused("{x: {key: training.batch_size, type: int, low: 1, high: 8, log: true}}"), "accepted");
  assert.equal(refused("{x: {key: model.hidden_dropout, type: categorical, choices: [null, 0.1]}}"), "accepted");
});

Deno.test("hpo.search_space: a parameter's own fields fit its type", () => {
  const with_ = (fields: string) => refused(`{x: {key: training.learning_rate, ${fields}}}`);
  assert.match(with_("low: 0, high: 1"), /"hpo.search_space.x.type" is missing: one of float, int, categorical/);
  assert.match(with_("type: real"), /"hpo.search_space.x.type" must be one of float, int, categorical, not "real"/);
  assert.match(with_("type: float, high: 1"), /"hpo.search_space.x.low" is needed for a parameter of type float/);
  assert.match(with_("type: float, low: 0"), /"hpo.search_space.x.high" is needed/);
  assert.match(with_("type: float, low: 2, high: 1"), /"hpo.search_space.x.low" must be at most high \(1\), not 2/);
  assert.match(with_("type: float, low: 0, high: 1, log: true"), /low" must be above 0 with log: true, not 0/);
  assert.match(with_("type: float, low: 1, high: 2, log: true, step: 1"), /step" cannot be combined with log: true/);
  assert.match(with_("type: float, low: 1, high: 2, step: 0"), /step" must be a number > 0/);
  assert.match(with_("type: int, low: 0.5, high: 2"), /low" must be an integer for type int, not 0.5/);
  assert.match(with_("type: float, low: 0, high: 1, choices: [1]"), /choices" is not for a parameter of type float/);
  assert.match(with_("type: categorical"), /choices" is needed for a categorical parameter/);
  assert.match(with_("type: categorical, choices: []"), /choices" must be a list/);
  assert.match(with_("type: categorical, choices: [1], low: 1"), /low" is not for a categorical parameter/);
  assert.match(
    with_("type: float, low: 0, high: 1, hgih: 2"),
    /unknown key "hpo.search_space.x.hgih"; did you mean "hpo.search_space.x.high"/,
  );
  assert.match(refused("{1x: {type: float}}"), /"hpo.search_space.1x": a name is made of letters/);
});

Deno.test("hpo.search_space: conditions name other parameters, without circles", () => {
  const parameter = (when: string) => `{key: training.learning_rate, type: float, low: 0, high: 1, when: {${when}}}`;
  assert.equal(refused(`{x: ${parameter("scheduler_type: linear")}}`), "accepted");
  assert.match(
    refused(`{x: ${parameter("aug_enable: true")}}`),
    /"hpo.search_space.x.when.aug_enable" is not a parameter of the search space; known are learning_rate, /,
  );
  assert.match(
    refused(`{x: ${parameter("y: 1")}, y: ${parameter("x: 1")}}`),
    /"hpo.search_space.x.when" is a cycle: x -> y -> x/,
  );
});

Deno.test("hpo.search_space: refuses what no trial can change, and a condition that never holds", () => {
  for (const key of ["hpo.n_trials", "mlflow.enable", "output_dir", "resume"]) {
    assert.match(
      refused(`{x: {key: ${key}, type: categorical, choices: [1]}}`),
      new RegExp(`^"hpo.search_space.x.key": "${key}" is the same for all trials and cannot be searched$`),
    );
  }
  const space = (when: string) =>
    "{on: {key: training.shuffle, type: categorical, choices: [true, false]}, " +
    "n: {key: training.num_epochs, type: int, low: 2, high: 4}, " +
    `a: {key: kfold.n_splits, type: int, low: 2, high: 3, when: ${when}}}`;
  assert.equal(refused(space("{on: true, n: 4}")), "accepted");
  assert.match(refused(space('{on: "true"}')), /^"hpo.search_space.a.when.on" is "true", a value that on never has$/);
  assert.match(refused(space("{n: 5}")), /is 5, a value that n never has/);
  assert.equal(refused(space("{n: [2, 4]}")), "accepted");
  assert.match(refused(space("{n: [2, 5]}")), /is 5, a value that n never has/);
  assert.match(refused(space("{n: []}")), /search_space\.a\.when/);
  assert.equal(refused(space("{model.loss_type: [focal, cb_focal]}")), "accepted");
  assert.match(
    refused(space("{model.loss_type: [focal, focla]}")),
    /when\.model\.loss_type" must be one of .*, not "focla"/,
  );
  assert.match(refused(space("{n: 2.5}")), /is 2.5, a value that n never has/);
});

Deno.test("hpo.hpo_mode.validation_fraction: at most half", () => {
  assert.match(refused("{}", "hpo.hpo_mode.validation_fraction=0.7"), /must be a number in \(0, 0.5\], not 0.7/);
});
