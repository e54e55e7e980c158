import assert from "node:assert/strict";
import { composeConfig, type Config } from "../../src/config/config.ts";
import { checkEffects, leftOutParameters } from "../../src/search/effects.ts";
import { sampleValues } from "../../src/search/sampling.ts";
import { checkSearchSpace, replacedParameters, sampleConfig } from "../../src/search/search_space.ts";
import type { ParamValue } from "../../src/studies/distributions.ts";

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
    for (const hpo of ["optuna", "optuna_aug", "demo", "pc_ce"]) {
      assert.equal(refusal(`data=${data}`, `hpo=${hpo}`), null);
    }
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
    ["{key: model.lora.alpha, type: categorical, choices: [16, 32]}", [], /model\.lora\.r is not null; set model/],
    [
      "{key: model.lora.r, type: categorical, choices: [16, 32]}",
      ["model.freeze_backbone=true"],
      /freeze_backbone is false; set model\.freeze_backbone=false/,
    ],
    ["{key: model.lora.save, type: categorical, choices: [merged, adapter]}", [], /changes no trial's/],
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
  const lora = { r: "[16, 32]", alpha: "[16, 32, 64]", targets: "[qkv, qkvd]", bits: "[4bit, 8bit, none]" };
  const searched = Object.entries(lora).map(([key, choices]) =>
    `+hpo.search_space.lora_${key}={key: model.lora.${key}, type: categorical, choices: ${choices}}`
  );
  const dropout = "{key: model.lora.dropout, type: float, low: 0, high: 0.15}";
  assert.equal(refusal("data=demo", ...searched, SPACE + dropout), null);
  const precision = "{key: training.optimization.precision, type: categorical, choices: [fp32, bf16]}";
  assert.equal(refusal("data=demo", SPACE + precision), null);
  const replaced = refusal("data=demo", `${SPACE}{key: training.learning_rate, type: float, low: 0.1, high: 0.2}`);
  assert.match(replaced!, /^hpo\.search_space\.learning_rate: has no effect, x always replaces its value/);
});

Deno.test("hpo/pc_ce.yaml: every parameter has an effect in some trial, and exists only in those", () => {
  for (const data of ["data=demo", "data=redsm5"]) {
    const overrides = [data, "hpo=pc_ce"];
    assert.equal(refusal(...overrides), null);
    assert.deepEqual(leftOut(...overrides), []);
    assert.deepEqual(replacedParameters(composeConfig(overrides)), []);
  }
  const ask = (chosen: Record<string, ParamValue>): { config: Config; asked: string[] } => {
    const asked: string[] = [];
    const note = <T>(name: string, value: T): T => (asked.push(name), value);
    const config = sampleConfig({
      suggestFloat: (name, low, high) => note(name, (low + high) / 2),
      suggestInt: (name, low) => note(name, low),
      suggestCategorical: (name, choices) =>
        note(name, choices.find((choice) => choice === chosen[name]) ?? choices[0]),
    }, composeConfig(["hpo=pc_ce"]));
    return { config, asked };
  };
  const always = [
    ...["learning_rate", "target_effective_batch_size", "scheduler_type", "weight_decay", "warmup_ratio"],
    ...["classifier_dropout", "hidden_dropout", "attention_dropout", "loss_type", "aug_enable"],
    ...["lora_r", "lora_alpha", "lora_dropout", "lora_targets", "qlora_bits"],
    ...["amp_dtype", "calibration", "chunk_max_len", "chunk_stride", "pc_topM_enable"],
    ...["neg_per_pos", "xpost_neg_frac", "agg_type", "threshold_mode"],
  ];
  const ranking = ["pos_weight_scale", "rank_margin", "rank_weight", "label_smoothing"];
  const cases: [Record<string, ParamValue>, string[]][] = [
    [{ aug_enable: false, loss_type: "bce+rank", agg_type: "max", threshold_mode: "per_class" }, ranking],
    [{ aug_enable: true, loss_type: "cb_focal", agg_type: "LSE", threshold_mode: "global", pc_topM_enable: true }, [
      ...["focal_gamma", "aug_prob", "aug_method", "pc_topM_M", "cb_beta", "lse_tau", "threshold_global_init"],
    ]],
    [{ aug_enable: false, loss_type: "cb_focal", agg_type: "top-m", threshold_mode: "per_class" }, [
      ...["focal_gamma", "cb_beta", "top_m"],
    ]],
  ];
  for (const [chosen, more] of cases) assert.deepEqual(ask(chosen).asked.toSorted(), [...always, ...more].sort());
  const { config: { model, training, evaluation, data } } = ask(cases[0][0]);
  assert.deepEqual([model.loss_type, model.pos_weight_scale, model.label_smoothing], ["bce+rank", 3.5, 0.05]);
  assert.deepEqual([training.neg_per_pos, training.xpost_neg_frac, training.optimization.precision], [2, 0.15, "bf16"]);
  assert.deepEqual([evaluation.calibration, evaluation.agg_type, evaluation.threshold_mode], [
    "temperature",
    "max",
    "per_class",
  ]);
  assert.deepEqual([data.chunk_max_len, data.chunk_stride], [512, 128]);
});

Deno.test("when: one of several values is enough, and of several conditions all must hold", () => {
  const either = "hpo.search_space.lse_tau={key: evaluation.lse_tau, type: float, low: 5, high: 10, when: {";
  const both = ["hpo=pc_ce", "hpo.search_space.agg_type.choices=[LSE, max, top-m]", "~hpo.search_space.lse_tau"];
  // Where only one of the values gives it an effect, the other is told.
  assert.match(
    refusal(...both, `+${either}agg_type: [LSE, top-m]}}`)!,
    /lse_tau: evaluation\.lse_tau has an effect only where .*evaluation\.agg_type is LSE; add .*=\{evaluation\.agg_type: LSE\}$/,
  );
  const sampledWhere = (when: string) => {
    const config = composeConfig([...both, `+${either}${when}}}`]);
    return ["LSE", "max", "top-m"].filter((agg_type) =>
      Object.hasOwn(
        sampleValues({
          suggestFloat: (_, low) => low,
          suggestInt: (_, low) => low,
          suggestCategorical: (name, choices) =>
            choices.find((choice) => name === "agg_type" && choice === agg_type) ?? choices[0],
        }, config),
        "lse_tau",
      )
    );
  };
  assert.deepEqual(sampledWhere("agg_type: [LSE, top-m]"), ["LSE", "top-m"]);
  assert.deepEqual(sampledWhere("evaluation.agg_type: [max, top-m]"), ["max", "top-m"]);
  assert.deepEqual(sampledWhere("agg_type: [LSE, max], threshold_mode: per_class"), ["LSE", "max"]);
  assert.deepEqual(sampledWhere("agg_type: [LSE, max], threshold_mode: [global]"), []);
  // A remedy names all values that will do.
  assert.match(
    refusal(
      "hpo=pc_ce",
      "hpo.search_space.focal_gamma.when=null",
      "hpo.search_space.loss_type.choices=[ce, focal, cb_focal, bce+rank]",
    )!,
    /add hpo\.search_space\.focal_gamma\.when=\{model\.loss_type: \[focal, cb_focal\]\}$/,
  );
  const loss = "+hpo.search_space.loss={key: model.loss_type, type: categorical, choices: [ce, bce]}";
  assert.deepEqual(leftOut(loss), [
    "hpo.search_space.focal_gamma: left out, model.loss_type is never focal or cb_focal in a trial where it could be",
  ]);
  const rates = (a: string, b: string) =>
    replacedParameters(composeConfig([
      `hpo.search_space.learning_rate.when={scheduler_type: ${a}}`,
      `+hpo.search_space.rate={key: training.learning_rate, type: float, low: 0.1, high: 0.2, when: {scheduler_type: ${b}}}`,
    ])).length;
  assert.deepEqual([rates("[linear, cosine]", "cosine_with_restarts"), rates("[linear, cosine]", "[cosine]")], [0, 1]);
});

Deno.test("checkEffects: where another parameter decides, the condition to write is named, and enough", () => {
  const cases = [
    ["hpo=optuna_aug", "hpo.search_space.aug_prob.when=null"],
    ["hpo=optuna_aug", `${SPACE}{key: augmentation.model_name, type: categorical, choices: [a, b]}`],
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
  assert.equal(composeConfig(["hpo=optuna_aug"]).hpo.search_space.aug_prob.when?.aug_enable, true);
  assert.equal(
    refusal(
      "+hpo.search_space.loss={key: model.loss_type, type: categorical, choices: [ce, focal]}",
      "hpo.search_space.focal_gamma.when={loss: focal}",
    ),
    null,
  );
});

Deno.test("leftOutParameters: what no trial samples is named with the reason, and the rest is searched", () => {
  const line = "hpo.search_space.focal_gamma: left out, model.loss_type is ce, not focal or cb_focal";
  assert.deepEqual(leftOut("data=demo"), [line]);
  assert.deepEqual(leftOut("data=demo", "hpo=demo"), [line]);
  assert.deepEqual(leftOut("data=demo", "model.loss_type=focal"), []);
  assert.deepEqual(leftOut("data=redsm5", "hpo=optuna_aug"), []);
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
