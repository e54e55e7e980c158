import assert from "node:assert/strict";
import { composeConfig } from "../../src/config/config.ts";
import { checkEffects, leftOutParameters } from "../../src/search/effects.ts";
import { checkSearchSpace, sampleConfig } from "../../src/search/search_space.ts";

const SPACE = "+hpo.search_space.x=";

/** What is said of the default space with more parameters; null where nothing is. */
function refusal(...overrides: string[]): string | null {
  try {
    checkEffects(composeConfig(overrides));
    return null;
  } catch (error) {
    assert.equal((error as { kind?: string }).kind, "usage");
    return (error as Error).message;
  }
}

const leftOut = (...overrides: string[]) => [...leftOutParameters(composeConfig(overrides)).values()];

Deno.test("checkEffects: the spaces that come with the program are right whatever the data is", () => {
  for (const data of ["demo", "redsm5"]) {
    for (const hpo of ["optuna", "demo", "pc_ce"]) assert.equal(refusal(`data=${data}`, `hpo=${hpo}`), null);
  }
});

Deno.test("checkEffects: a parameter without effect is refused by name, with ways out that work", () => {
  const cases: [parameter: string, overrides: string[], says: RegExp][] = [
    [
      "{key: model.focal_alpha, type: float, low: 0, high: 1}",
      [],
      /model\.focal_alpha has no effect.*loss_type is focal/,
    ],
    ["{key: augmentation.prob, type: float, low: 0, high: 1}", [], /set augmentation\.enable=true, or/],
    ["{key: training.batch_size, type: int, low: 4, high: 8}", [], /target_effective_batch_size is null; leave/],
    [
      "{key: training.num_epochs, type: int, low: 1, high: 2}",
      ["training.max_steps=5"],
      /set training\.max_steps=null/,
    ],
    [
      "{key: data.chunk_stride, type: int, low: 1, high: 2}",
      [],
      /data\.chunk_max_len is not null; set data\.chunk_max_len/,
    ],
    [
      "{key: data.pc_topM_M, type: int, low: 1, high: 2}",
      ["data.chunk_max_len=256"],
      /set data\.pc_topM_enable=true, or/,
    ],
    [
      "{key: evaluation.top_m, type: int, low: 1, high: 2}",
      ["data.chunk_max_len=256"],
      /set evaluation\.agg_type=top-m, or/,
    ],
    [
      "{key: data.max_length, type: int, low: 64, high: 128}",
      ["data.chunk_max_len=256"],
      /set data\.chunk_max_len=null, or/,
    ],
    ["{key: data.sample_seed, type: int, low: 1, high: 2}", [], /data\.sample_size is not null; set data\.sample_size/],
    ["{key: kfold.n_splits, type: int, low: 2, high: 3}", ["hpo.hpo_mode.mode=single_split"], /mode=kfold/],
    ["{key: training.num_workers, type: int, low: 1, high: 2}", [], /training\.num_workers changes no trial's value/],
    ["{key: training.optimization.fused_adamw, type: categorical, choices: [true, false]}", [], /changes no trial's/],
    ["{key: gpu.power_preference, type: categorical, choices: [null, low-power]}", [], /changes no trial's/],
    ["{key: model.cb_beta, type: float, low: 0.995, high: 0.9995}", [], /loss_type is cb_focal; set model\.loss_type/],
    ["{key: model.rank_margin, type: float, low: 0.1, high: 0.4}", [], /loss_type is bce\+rank; set model\.loss_type/],
    [
      "{key: model.label_smoothing, type: float, low: 0, high: 0.1}",
      ["model.loss_type=focal"],
      /loss_type is ce or bce or weighted_bce or bce\+rank; set model\.loss_type=ce/,
    ],
    ["{key: training.xpost_neg_frac, type: float, low: 0, high: 0.3}", [], /neg_per_pos is not null; set training/],
    ["{key: training.hard_neg_frac, type: float, low: 0, high: 0.5}", [], /neg_per_pos is not null; set training/],
    [
      "{key: data.teacher_scores, type: categorical, choices: [a.csv, b.csv]}",
      [],
      /loss_type is distillation or mse or margin_mse; set model\.loss_type=distillation/,
    ],
    ["{key: model.distill_alpha, type: float, low: 0, high: 1}", [], /loss_type is distillation; set model\.loss_type/],
    [
      "{key: training.layerwise_lr_decay, type: float, low: 0.8, high: 1}",
      ["model.freeze_backbone=true"],
      /freeze_backbone is false; set model\.freeze_backbone=false/,
    ],
    ["{key: model.architecture.pooler_dropout, type: float, low: 0, high: 0.1}", [], /model\.model_name is null/],
    [
      "{key: evaluation.threshold_global_init, type: float, low: 0.3, high: 0.7}",
      [],
      /set evaluation\.threshold_mode=global, or/,
    ],
    [
      "{key: evaluation.calibration, type: categorical, choices: [none, temperature]}",
      [],
      /evaluation\.threshold_mode is not fixed; set evaluation\.threshold_mode/,
    ],
    [
      "{key: model.positive_threshold, type: float, low: 0.3, high: 0.7}",
      ["evaluation.threshold_mode=global"],
      /evaluation\.threshold_mode is not global/,
    ],
  ];
  for (const [parameter, overrides, says] of cases) {
    const message = refusal("data=demo", SPACE + parameter, ...overrides)!;
    assert.match(message, /^hpo\.search_space\.x: /);
    assert.match(message, says);
    assert.match(message, /leave (it|the parameter) out with ~hpo\.search_space\.x$/);
    const [, set] = message.match(/set (\S+=\S+), or/) ?? [];
    // A model from scratch takes more than that.
    if (set && set !== "model.model_name=null") {
      assert.equal(refusal("data=demo", SPACE + parameter, ...overrides, set), null, set);
    }
  }
  const precision = "{key: training.optimization.precision, type: categorical, choices: [fp32, bf16]}";
  assert.equal(refusal("data=demo", SPACE + precision), null);
  const replaced = refusal("data=demo", `${SPACE}{key: training.learning_rate, type: float, low: 0.1, high: 0.2}`);
  assert.match(replaced!, /^hpo\.search_space\.learning_rate: has no effect, x always replaces its value/);
});

Deno.test("checkEffects: the original's parameters of chunks are right together", () => {
  const parameters = {
    chunk_max_len: "{key: data.chunk_max_len, type: categorical, choices: [512, 384]}",
    chunk_stride: "{key: data.chunk_stride, type: categorical, choices: [128, 192]}",
    pc_topM_enable: "{key: data.pc_topM_enable, type: categorical, choices: [false, true]}",
    pc_topM_M: "{key: data.pc_topM_M, type: categorical, choices: [6, 8, 10], when: {pc_topM_enable: true}}",
    agg_type: "{key: evaluation.agg_type, type: categorical, choices: [LSE, top-m, max]}",
    lse_tau: "{key: evaluation.lse_tau, type: float, low: 5, high: 10, when: {agg_type: LSE}}",
    top_m: "{key: evaluation.top_m, type: categorical, choices: [2, 3], when: {agg_type: top-m}}",
  };
  const overrides = Object.entries(parameters).map(([name, value]) => `+hpo.search_space.${name}=${value}`);
  assert.equal(refusal(...overrides), null);
  assert.match(
    refusal(...overrides, "hpo.search_space.top_m.when=null")!,
    /add .*when=\{evaluation\.agg_type: top-m\}/,
  );
});

Deno.test("checkEffects: the original's losses and samplers can be searched, each under its condition", () => {
  const losses = [
    `+hpo.search_space.loss_type={key: model.loss_type, type: categorical, choices: [bce+rank, cb_focal]}`,
    ...["pos_weight_scale", "rank_margin", "rank_weight", "label_smoothing"].map((name) =>
      `+hpo.search_space.${name}={key: model.${name}, type: float, low: 0.1, high: 0.4, when: {loss_type: bce+rank}}`
    ),
    "+hpo.search_space.cb_beta={key: model.cb_beta, type: float, low: 0.995, high: 0.9995, when: {loss_type: cb_focal}}",
    "hpo.search_space.focal_gamma.when={model.loss_type: cb_focal}",
    "+hpo.search_space.neg_per_pos={key: training.neg_per_pos, type: categorical, choices: [2, 4, 6, 8]}",
    "+hpo.search_space.xpost_neg_frac={key: training.xpost_neg_frac, type: float, low: 0, high: 0.3}",
  ];
  assert.equal(refusal(...losses), null);
  assert.deepEqual(leftOut(...losses), []);
  const asked: string[] = [];
  const { model, training } = sampleConfig({
    suggestFloat: (name, low, high) => {
      asked.push(name);
      return (low + high) / 2;
    },
    suggestInt: (_, low) => low,
    suggestCategorical: (name, choices) => {
      asked.push(name);
      return choices[0];
    },
  }, composeConfig(losses));
  assert.deepEqual([model.loss_type, model.rank_margin, training.neg_per_pos, training.xpost_neg_frac], [
    "bce+rank",
    0.25,
    2,
    0.15,
  ]);
  assert.ok(asked.includes("label_smoothing") && !asked.includes("cb_beta") && !asked.includes("focal_gamma"));
});

Deno.test("checkEffects: where another parameter decides, the condition to write is named, and enough", () => {
  const cases = [
    ["hpo=pc_ce", "hpo.search_space.aug_prob.when=null"],
    ["hpo=pc_ce", `${SPACE}{key: augmentation.model_name, type: categorical, choices: [a, b]}`],
    [
      "+hpo.search_space.mode={key: evaluation.threshold_mode, type: categorical, choices: [per_class, global]}",
      `${SPACE}{key: evaluation.threshold_global_init, type: float, low: 0.3, high: 0.7}`,
    ],
    [
      "hpo.search_space.focal_gamma.when=null",
      "+hpo.search_space.loss={key: model.loss_type, type: categorical, choices: [ce, focal]}",
    ],
    [
      "hpo.search_space.focal_gamma.when=null",
      "+hpo.search_space.loss={key: model.loss_type, type: categorical, choices: [bce+rank, cb_focal]}",
    ],
    [
      `${SPACE}{key: training.batch_size, type: int, low: 4, high: 8}`,
      "hpo.search_space.target_effective_batch_size.choices=[null, 16]",
    ],
  ];
  for (const overrides of cases) {
    const all = [...overrides];
    let message: string | null;
    for (let i = 0; i < 2 && (message = refusal(...all)) !== null; i++) {
      const [, , remedy] = message.match(/has an effect only where (.*); add (.*)$/)!;
      all.push(remedy);
    }
    assert.equal(refusal(...all), null);
    assert.ok(all.length > overrides.length, "was refused");
  }
  // A condition that names the parameter is as good as one that names its key.
  assert.equal(composeConfig(["hpo=pc_ce"]).hpo.search_space.aug_prob.when?.aug_enable, true);
  assert.equal(
    refusal(
      "+hpo.search_space.loss={key: model.loss_type, type: categorical, choices: [ce, focal]}",
      "hpo.search_space.focal_gamma.when={loss: focal}",
    ),
    null,
  );
});

Deno.test("leftOutParameters: what no trial samples is named with the reason, and the rest is searched", () => {
  const line = "hpo.search_space.focal_gamma: left out, model.loss_type is ce, not focal";
  assert.deepEqual(leftOut("data=demo"), [line]);
  assert.deepEqual(leftOut("data=demo", "hpo=demo"), [line]);
  assert.deepEqual(leftOut("data=demo", "model.loss_type=focal"), []);
  assert.deepEqual(leftOut("data=redsm5", "hpo=pc_ce"), []);
  const loss = "+hpo.search_space.loss={key: model.loss_type, type: categorical, choices: [ce, bce]}";
  assert.match(leftOut(loss)[0], /focal_gamma: left out, model\.loss_type is never focal/);
  const only = composeConfig([
    "data=demo",
    "~hpo.search_space",
    "+hpo.search_space={x: {key: model.focal_gamma, " +
    "type: float, low: 1, high: 2, when: {model.loss_type: focal}}}",
  ]);
  assert.throws(() => checkSearchSpace(only), { kind: "usage", message: /^hpo\.search_space: is empty/ });
});

Deno.test("sampleConfig: a condition on a configuration key follows what a trial samples for it", () => {
  const config = composeConfig([
    "+hpo.search_space.loss={key: model.loss_type, type: categorical, choices: [ce, focal]}",
  ]);
  for (const loss of ["ce", "focal"]) {
    const asked: string[] = [];
    const { model } = sampleConfig({
      suggestFloat: (_, low) => low,
      suggestInt: (_, low) => low,
      suggestCategorical: (name, choices) => {
        asked.push(name);
        return choices.find((choice) => choice === loss) ?? choices.at(-1)!;
      },
    }, config);
    assert.equal(model.loss_type, loss);
    assert.equal(asked.includes("focal_gamma"), loss === "focal");
    assert.equal(model.focal_gamma, loss === "focal" ? 3 : 2);
  }
});
