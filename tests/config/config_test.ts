import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { EntailError } from "../../src/errors.ts";
import {
  composeConfig,
  differences,
  loadConfigFile,
  printConfig,
  setByPath,
  showConfig,
} from "../../src/config/config.ts";
import { checkedConfig } from "../../src/config/validation.ts";

/** The one-line message of a usage error. */
function refusal(body: () => unknown, kind = "usage"): string {
  try {
    body();
  } catch (error) {
    assert.ok(error instanceof EntailError, `${error}`);
    assert.equal(error.kind, kind, error.message);
    assert.ok(!error.message.includes("\n"), error.message);
    return error.message;
  }
  return "accepted";
}

const refused = (...overrides: string[]) => refusal(() => composeConfig(overrides));

/** Runs the body with a folder that holds these files. */
function withFolder<T>(files: Record<string, string>, body: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "entail-config-"));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    return body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

Deno.test("composeConfig: the default is the demo with its own model and training", () => {
  const config = composeConfig([]);
  assert.match(config.data.groundtruth_csv, /^\/.*\/data\/demo\/groundtruth\.csv$/);
  assert.match(config.model.model_name!, /\/data\/demo\/model$/);
  assert.equal(config.model.classifier_head, "pooler_linear");
  assert.equal(config.data.max_length, 256);
  assert.ok(config.training.num_epochs < 100);
  assert.equal(config.seed, 42);
  assert.equal(config.output_dir, `outputs/${config.experiment_name}`);
  assert.equal(config.checkpoint_dir, `outputs/${config.experiment_name}/checkpoints`);
});

Deno.test("composeConfig: data=redsm5 brings deberta_nli and the original's training", () => {
  const { data, model, training, kfold, hpo } = composeConfig(["data=redsm5"]);
  assert.equal(data.groundtruth_csv, "data/redsm5/groundtruth.csv");
  assert.equal(data.max_length, 512);
  assert.equal(model.model_name, "microsoft/deberta-v3-base");
  assert.equal(model.classifier_head, "pooler_linear");
  assert.deepEqual([training.num_epochs, training.early_stopping_patience, training.learning_rate], [100, 20, 2e-5]);
  assert.deepEqual([training.weight_decay, training.warmup_ratio, training.scheduler_type], [0.01, 0.1, "linear"]);
  assert.deepEqual([training.max_grad_norm, training.max_steps, training.shuffle], [1, null, true]);
  assert.equal(kfold.n_splits, 5);
  assert.deepEqual([hpo.n_trials, hpo.pruner.reduction_factor, hpo.pruner.bootstrap_count], [2000, 4, 30]);
  assert.equal(hpo.pruner.max_resource, 100);
  // Those of Optuna 5's TPESampler.
  const { n_startup_trials, multivariate, group, constant_liar } = hpo.sampler;
  assert.deepEqual([n_startup_trials, multivariate, group, constant_liar], [10, true, false, true]);
});

Deno.test("composeConfig: an explicit model or training wins over the data's, in any order", () => {
  const tiny = composeConfig(["data=redsm5", "model=deberta_tiny"]);
  assert.match(tiny.model.model_name!, /data\/demo\/model$/);
  assert.equal(tiny.training.num_epochs, 100);
  assert.equal(composeConfig(["model=deberta_nli"]).model.model_name, "microsoft/deberta-v3-base");
  assert.equal(composeConfig(["training=default", "data=demo"]).training.num_epochs, 100);
  assert.ok(composeConfig(["training=demo", "data=redsm5"]).training.num_epochs < 100);
});

Deno.test("composeConfig: a key override wins over every group, and the last one over earlier ones", () => {
  assert.equal(composeConfig(["training.num_epochs=7", "training=default"]).training.num_epochs, 7);
  assert.equal(composeConfig(["seed=1", "seed=2"]).seed, 2);
});

Deno.test("composeConfig: values keep their types", () => {
  const config = composeConfig([
    "experiment_name='a b: c'",
    "training.learning_rate=1e-5",
    "training.shuffle=False",
    "training.max_steps=null",
    "model.focal_alpha=none",
    "model.hidden_dropout=.1",
    "hpo.storage=sqlite:///x.db",
    "hpo.search_space.focal_gamma.choices=[0.5, 1]",
    "training.optimization={precision: fp32, fused_adamw: false}",
  ]);
  assert.equal(config.output_dir, "outputs/a b: c");
  assert.equal(config.training.learning_rate, 1e-5);
  assert.equal(config.training.shuffle, false);
  assert.equal(config.model.focal_alpha, "none");
  assert.equal(config.model.hidden_dropout, 0.1);
  assert.equal(config.hpo.storage, "sqlite:///x.db");
  assert.deepEqual(config.hpo.search_space.focal_gamma.choices, [0.5, 1]);
  assert.equal(config.training.optimization.precision, "fp32");
  assert.equal(config.training.optimization.use_torch_compile, true);
  assert.equal(composeConfig(["model.focal_alpha=0.25"]).model.focal_alpha, 0.25);
});

Deno.test("composeConfig: texts that mean a number or a switch are taken for it", () => {
  assert.equal(composeConfig(["seed='5'", "training.shuffle=off"]).seed, 5);
  assert.equal(composeConfig(["training.shuffle=off"]).training.shuffle, false);
  assert.equal(composeConfig(["experiment_name=2024"]).experiment_name, "2024");
  assert.equal(composeConfig(["training.num_workers=auto"]).training.num_workers, null);
});

Deno.test("composeConfig: interpolations in overrides", () => {
  assert.equal(
    composeConfig(["output_dir=/tmp/${seed}/${experiment_name}"]).checkpoint_dir,
    "/tmp/42/entail/checkpoints",
  );
  assert.equal(
    composeConfig(["training.eval_batch_size=${training.batch_size}", "training.batch_size=3"]).training
      .eval_batch_size,
    3,
  );
  assert.match(refused("output_dir=${checkpoint_dir}"), /cycle: output_dir -> checkpoint_dir -> output_dir/);
});

Deno.test("+key: adds below open maps and into empty places, nothing else", () => {
  const added = composeConfig([
    "+hpo.search_space.batch={key: training.batch_size, type: int, low: 4, high: 8, step: 4}",
  ]);
  const { key, type, low, high, step } = added.hpo.search_space.batch;
  assert.deepEqual([key, type, low, high, step], ["training.batch_size", "int", 4, 8, 4]);
  assert.equal(Object.keys(added.hpo.search_space).length, 10);
  const dotted = composeConfig(["+hpo.search_space={training.batch_size: {type: int, low: 4, high: 8}}"]);
  assert.equal(dotted.hpo.search_space["training.batch_size"].key, "training.batch_size");
  assert.equal(composeConfig(["+training.max_steps=3"]).training.max_steps, 3);
  assert.equal(composeConfig(["++training.num_epochs=3"]).training.num_epochs, 3);
  assert.match(refused("+seed=1"), /"seed" has a value already; write seed=… or \+\+seed=…/);
  assert.match(refused("+training.new=1"), /unknown key "training.new"; did you mean "training\./);
  assert.match(refused("hpo.search_space.new.type=int"), /unknown key .* write \+hpo.search_space.new.type=int/);
  assert.match(refused("+hpo.search_space.__proto__.type=int"), /__proto__/);
});

Deno.test("~key: takes a search-space parameter away, or a key back to its default", () => {
  const without = composeConfig(["~hpo.search_space.focal_gamma"]);
  assert.deepEqual(Object.keys(without.hpo.search_space).includes("focal_gamma"), false);
  assert.equal(composeConfig(["~training.learning_rate"]).training.learning_rate, 2e-5);
  assert.equal(composeConfig(["~seed=42"]).seed, 42);
  assert.match(refused("~seed=43"), /the value of "seed" is 42/);
  assert.match(refused("~hpo.search_space.nothing"), /"hpo.search_space.nothing" is not in the configuration/);
});

Deno.test("composeConfig: unknown keys, groups and options name the nearest", () => {
  assert.equal(
    refused("training.learning_rte=1"),
    'unknown key "training.learning_rte"; did you mean "training.learning_rate"?',
  );
  assert.match(refused("learning_rate=1"), /did you mean "training.learning_rate"\?/);
  assert.match(refused("training.optimization.precison=fp32"), /did you mean "training.optimization.precision"/);
  assert.match(refused("training.precision=fp32"), /did you mean "training.optimization.precision"/);
  assert.match(refused("training.x=1"), /did you mean "training\./);
  assert.match(refused("modle=deberta_nli"), /unknown key "modle"; did you mean "model"/);
  assert.match(
    refused("model=deberta_nil"),
    /option "deberta_nil" of group "model"; did you mean "deberta_nli"\? .*deberta_tiny/,
  );
  assert.match(
    refused("modle/x=y"),
    /unknown group "modle\/x"; did you mean "model"\? \(there are: augmentation, data,/,
  );
  assert.match(
    refused("model.model_name=null", "model.architecture.hiden_size=8"),
    /did you mean "model.architecture.hidden_size"/,
  );
  assert.match(refused("model.constructor=1"), /unknown key "model.constructor"/);
});

Deno.test("composeConfig: values out of range and of the wrong type name the key and what it allows", () => {
  const cases: [string, RegExp][] = [
    ["training.batch_size=0", /^"training.batch_size" must be an integer >= 1, not 0$/],
    ["training.batch_size=1.5", /must be an integer >= 1, not 1.5/],
    ["training.batch_size=[1]", /must be an integer >= 1, not \[1\]/],
    ["training.eval_batch_size=-1", /must be an integer >= 1, not -1/],
    ["training.learning_rate=nan", /^"training.learning_rate" must be a number >= 0, not nan$/],
    ["training.learning_rate=inf", /must be a number >= 0, not inf/],
    ["training.learning_rate=-1e-5", /must be a number >= 0, not -0.00001/],
    ["training.learning_rate=fast", /must be a number >= 0, not "fast"/],
    ["training.learning_rate=null", /must be a number >= 0, not null/],
    ["training.num_epochs=", /"training.num_epochs" must be an integer >= 1, not ""/],
    ["training.warmup_ratio=1.1", /must be a number in \[0, 1\], not 1.1/],
    ["training.weight_decay=-0.1", /must be a number >= 0/],
    ["training.gradient_accumulation_steps=0", /must be an integer >= 1/],
    ["training.max_steps=0", /must be an integer >= 1, or null/],
    ["training.shuffle=maybe", /must be true or false, not "maybe"/],
    ["training.scheduler_type=lineer", /must be one of linear, cosine, .*, not "lineer"/],
    ["training.optimization.precision=fp8", /must be one of auto, fp32, fp16, bf16/],
    ["training.optimization=5", /"training.optimization" must be a mapping, not 5/],
    ["model.hidden_dropout=1", /must be a number in \[0, 1\), or null .*, not 1/],
    ["model.attention_dropout=-0.1", /must be a number in \[0, 1\)/],
    ["model.classifier_dropout=nan", /must be a number in \[0, 1\).*, not nan/],
    ["model.num_labels=3", /must be an integer in \[1, 2\], not 3/],
    ["model.focal_gamma=-1", /must be a number >= 0/],
    ["model.focal_alpha=2", /"model.focal_alpha" must be a number in \[0, 1\], null .* or none, not 2/],
    ["model.positive_threshold=1.01", /must be a number in \[0, 1\]/],
    ["model.classifier_head=pooler", /must be one of pooler_linear, linear, /],
    ["kfold.n_splits=1", /^"kfold.n_splits" must be an integer >= 2, not 1$/],
    ["data.max_length=3", /"data.max_length" must be an integer >= 4, not 3/],
    ["data.sample_size=0", /must be an integer >= 1, or null \(everything\), not 0/],
    ["data.groundtruth_csv=null", /must be a file name, not null/],
    ["experiment_name=''", /"experiment_name" must be a text, not ""/],
    ["seed=-1", /must be an integer in \[0, 4294967295\], not -1/],
    ["gpu.backend=cuda", /must be one of deno, dawn/],
    ["hpo.pruner.reduction_factor=1", /must be an integer >= 2/],
    ["hpo.sampler={group: true, multivariate: false}", /"hpo.sampler.group" needs hpo.sampler.multivariate=true/],
    ["hpo.pruner.min_resource=1000", /must be at most hpo.pruner.max_resource/],
    ["training.num_epochs=???", /"training.num_epochs" has no value yet/],
  ];
  for (const [override, message] of cases) assert.match(refused(override), message, override);
});

Deno.test("model.architecture: a model from scratch, and only then", () => {
  const { architecture } = composeConfig([
    "model.model_name=null",
    "model.architecture={hidden_size: 64, num_attention_heads: 2, num_hidden_layers: 2, pos_att_type: p2c|c2p}",
    "model.architecture.relative_attention=true",
  ]).model;
  assert.deepEqual(architecture!.pos_att_type, ["p2c", "c2p"]);
  assert.deepEqual([architecture!.hidden_size, architecture!.relative_attention], [64, true]);
  assert.deepEqual([architecture!.layer_norm_eps, architecture!.max_position_embeddings], [null, 512]);
  assert.match(architecture!.tokenizer, /data\/demo\/model$/);
  assert.match(refused("model.model_name=null"), /"model.architecture" is needed for a model from scratch/);
  assert.match(refused("model.architecture.hidden_size=64"), /is for a model from scratch; add model.model_name=null/);
  assert.match(
    refused("model.model_name=null", "model.architecture.pos_att_type=[c2c]"),
    /"model.architecture.pos_att_type" must be a list of c2p and p2c, or null .*, not \[c2c\]|\["c2c"\]/,
  );
});

Deno.test("model.lora: contradicts a frozen backbone, a model from scratch, and peft's folders a head of our own", () => {
  const lora = ["model.lora.r=8", "model.lora.bits=4bit"];
  assert.equal(composeConfig(lora).model.lora.r, 8);
  assert.match(refused(...lora, "model.freeze_backbone=true"), /^"model\.lora\.r" must be null with .*freeze_backbone/);
  assert.match(refused(...lora, "model.model_name=null", "model.architecture={}"), /^"model\.lora\.r" must be null/);
  assert.match(
    refused(...lora, "model.lora.save=adapter", "model.classifier_head=mlp1"),
    /^"model\.lora\.save" must be/,
  );
  assert.match(refused("model.lora.bits=2bit"), /^"model\.lora\.bits" must be one of none, 8bit, 4bit/);
});

Deno.test("use_bf16: the same as precision=bf16, and contradicts the others", () => {
  const bf16 = composeConfig(["training.optimization.use_bf16=true"]);
  assert.equal(bf16.training.optimization.precision, "bf16");
  assert.match(
    refused("training.optimization.use_bf16=true", "training.optimization.precision=fp32"),
    /"training.optimization.use_bf16" must be false with training.optimization.precision=fp32/,
  );
});

Deno.test("--config-dir: the user's files come first, and may bring groups and options", () => {
  const files = {
    "data/mine.yaml": "groundtruth_csv: my.csv\ncriteria_json: my.json\n",
    "training/default.yaml": "learning_rate: 0.5\nnum_epochs: 9\n",
    "exp/quick.yaml": "# @package _global_\ndefaults: [{override /training: demo}, _self_]\nseed: 7\n",
  };
  withFolder(files, (configDir) => {
    const mine = composeConfig(["data=mine"], { configDir });
    assert.equal(mine.data.groundtruth_csv, "my.csv");
    assert.equal(mine.data.max_length, 512);
    assert.equal(mine.model.model_name, "microsoft/deberta-v3-base");
    assert.deepEqual([mine.training.learning_rate, mine.training.num_epochs, mine.training.warmup_ratio], [
      0.5,
      9,
      0.1,
    ]);
    assert.equal(composeConfig(["+exp=quick"], { configDir }).seed, 7);
    assert.match(
      refusal(() => composeConfig(["data=miner"], { configDir })),
      /did you mean "mine"\? .*demo, mine, redsm5/,
    );
  });
  assert.match(refusal(() => composeConfig([], { configDir: "/no/such/folder" })), /--config-dir \/no\/such\/folder/);
});

Deno.test("configuration files: unknown keys and wrong values name the key", () => {
  withFolder({ "training/bad.yaml": "learning_rte: 1\n", "training/worse.yaml": "batch_size: many\n" }, (configDir) => {
    const of = (option: string) => refusal(() => composeConfig([`training=${option}`], { configDir }));
    assert.equal(of("bad"), 'unknown key "training.learning_rte"; did you mean "training.learning_rate"?');
    assert.equal(of("worse"), '"training.batch_size" must be an integer >= 1, not "many"');
  });
});

Deno.test("printConfig: loadConfigFile reads the same configuration back", () => {
  const config = composeConfig([
    "hpo=pc_ce",
    "model.model_name=null",
    "model.architecture.num_hidden_layers=2",
    "experiment_name='yes: #1'",
    "training.learning_rate=1e-7",
    "output_dir='\\${literal}'",
  ]);
  assert.equal(config.output_dir, "${literal}");
  const text = printConfig(config);
  assert.match(text, /^experiment_name: "yes: #1"\nseed: 42\n/);
  // YAML 1.1 readers take 1e-7 for a text.
  assert.match(text, /learning_rate: 1\.0e-7\n/);
  assert.doesNotMatch(text, /[^\\]\$\{/);
  withFolder({ "config.yaml": text }, (folder) => {
    const read = loadConfigFile(join(folder, "config.yaml"));
    assert.deepEqual(read, config);
    assert.equal(printConfig(read), text);
  });
});

Deno.test("loadConfigFile: errors are data errors that name the file", () => {
  const files = {
    "syntax.yaml": "a: [1\n",
    "unknown.yaml": "sed: 1\n",
    "list.yaml": "- 1\n",
    "range.yaml": "seed: -1\n",
  };
  withFolder(files, (folder) => {
    const of = (name: string) => refusal(() => loadConfigFile(join(folder, name)), "data").replace(folder, "");
    assert.match(of("syntax.yaml"), /^\/syntax.yaml:2:1: /);
    assert.equal(of("unknown.yaml"), '/unknown.yaml: unknown key "sed"; did you mean "seed"?');
    assert.match(of("list.yaml"), /^\/list.yaml:1:1: a configuration file is a mapping/);
    assert.match(of("range.yaml"), /^\/range.yaml: "seed" must be/);
    assert.match(of("none.yaml"), /^\/none.yaml: no such file/);
    assert.match(of("."), /is a folder, not a file/);
  });
});

Deno.test("setByPath: a new configuration with one key changed and checked", () => {
  const config = composeConfig([]);
  const before = structuredClone(config);
  const changed = setByPath(config, "model.hidden_dropout", 0.25);
  assert.equal(changed.model.hidden_dropout, 0.25);
  assert.deepEqual(config, before);
  assert.deepEqual(differences(config, changed), ["model.hidden_dropout"]);
  assert.equal(setByPath(config, "training.target_effective_batch_size", 64).training.target_effective_batch_size, 64);
  assert.match(refusal(() => setByPath(config, "model.hidden_dropout", 2)), /"model.hidden_dropout" must be/);
  assert.match(refusal(() => setByPath(config, "model.hiden_dropout", 0)), /did you mean "model.hidden_dropout"/);
});

Deno.test("setByPath: every key of every search space can be set", () => {
  for (const hpo of ["optuna_aug", "pc_ce"]) {
    const config = composeConfig([`hpo=${hpo}`]);
    for (const { key, low, high, choices } of Object.values(config.hpo.search_space)) {
      for (const value of choices ?? [low!, high!]) {
        const read = key.split(".").reduce(
          (node, name) => (node as Record<string, unknown>)[name],
          setByPath(config, key, value) as unknown,
        );
        assert.deepEqual(read, value, key);
      }
    }
  }
});

Deno.test("differences: dotted keys in order, also those that only one side has", () => {
  const a = composeConfig(["hpo=pc_ce"]);
  const b = composeConfig(["seed=1", "training.batch_size=7"]);
  const keys = differences(a, b);
  assert.deepEqual(keys.slice(0, 2), ["seed", "training.batch_size"]);
  assert.ok(keys.includes("hpo.search_space.aug_prob.low"));
  assert.deepEqual(differences(a, a), []);
});

Deno.test("schema: its defaults are the values of configs/ for data=redsm5", () => {
  const composed = composeConfig(["data=redsm5"]);
  const keys = differences(composed, checkedConfig({})).filter((key) => !key.startsWith("hpo.search_space"));
  assert.deepEqual(keys, ["data.annotations_csv"]);
});

Deno.test("printConfig: addresses are kept without credentials, and shown without passwords", () => {
  const overrides = [
    "mlflow.tracking_uri=http://me:s3cr%40t@host:80/x",
    "hpo.storage='postgresql+psycopg2://u:s3cret@db/x?sslpassword=s3cret'",
  ];
  const config = composeConfig(overrides);
  assert.match(config.hpo.storage!, /s3cret/);
  const kept = printConfig(config);
  assert.doesNotMatch(kept, /s3cr/);
  assert.match(kept, /tracking_uri: http:\/\/host:80\/x$/m);
  assert.match(kept, /storage: postgresql\+psycopg2:\/\/db\/x$/m);
  const shown = showConfig(config);
  assert.doesNotMatch(shown, /s3cr/);
  assert.match(shown, /tracking_uri: http:\/\/me:\*\*\*@host:80\/x$/m);
  // A mask that is read is no password: who it belongs to comes from the environment then.
  withFolder({ "config.yaml": shown }, (folder) => {
    const { mlflow, hpo } = loadConfigFile(join(folder, "config.yaml"));
    assert.deepEqual([mlflow.tracking_uri, hpo.storage], ["http://host:80/x", "postgresql+psycopg2://db/x"]);
  });
  assert.equal(composeConfig(["mlflow.tracking_uri=http://me:***@host"]).mlflow.tracking_uri, "http://host");
});
