import assert from "node:assert/strict";
import { parseConfig } from "../../src/models/config_json.ts";
import { maskedLmParameters, matchTensors, modelParameters } from "../../src/models/parameters.ts";
import { EntailError } from "../../src/errors.ts";
import type { ParameterSpec } from "../../src/nn/parameters.ts";

const SMALL = {
  model_type: "deberta-v2",
  vocab_size: 97,
  hidden_size: 30,
  num_attention_heads: 5,
  num_hidden_layers: 2,
  intermediate_size: 37,
  relative_attention: true,
  position_buckets: 8,
  max_relative_positions: 24,
  share_att_key: true,
  norm_rel_ebd: "layer_norm",
  pos_att_type: ["p2c", "c2p"],
  position_biased_input: false,
};

const CONFIG = parseConfig(SMALL, "c");
const specsOf = (extra: object, options = {}) => modelParameters(parseConfig({ ...SMALL, ...extra }, "c"), options);
const stored = (specs: readonly ParameterSpec[]) => new Map(specs.map(({ name, shape }) => [name, shape]));
const dataError = (pattern: RegExp) => (error: unknown) =>
  error instanceof EntailError && error.kind === "data" && pattern.test(error.message);

Deno.test("modelParameters: names, shapes and order of DebertaV2ForSequenceClassification", () => {
  // As printed by transformers 5.17 for this configuration.
  const layer = (i: number) =>
    [
      ["attention.self.query_proj.weight", [30, 30]],
      ["attention.self.query_proj.bias", [30]],
      ["attention.self.key_proj.weight", [30, 30]],
      ["attention.self.key_proj.bias", [30]],
      ["attention.self.value_proj.weight", [30, 30]],
      ["attention.self.value_proj.bias", [30]],
      ["attention.output.dense.weight", [30, 30]],
      ["attention.output.dense.bias", [30]],
      ["attention.output.LayerNorm.weight", [30]],
      ["attention.output.LayerNorm.bias", [30]],
      ["intermediate.dense.weight", [37, 30]],
      ["intermediate.dense.bias", [37]],
      ["output.dense.weight", [30, 37]],
      ["output.dense.bias", [30]],
      ["output.LayerNorm.weight", [30]],
      ["output.LayerNorm.bias", [30]],
    ].map(([name, shape]) => [`deberta.encoder.layer.${i}.${name}`, shape]);
  const expected = [
    ["deberta.embeddings.word_embeddings.weight", [97, 30]],
    ["deberta.embeddings.LayerNorm.weight", [30]],
    ["deberta.embeddings.LayerNorm.bias", [30]],
    ...layer(0),
    ...layer(1),
    ["deberta.encoder.rel_embeddings.weight", [16, 30]],
    ["deberta.encoder.LayerNorm.weight", [30]],
    ["deberta.encoder.LayerNorm.bias", [30]],
    ["pooler.dense.weight", [30, 30]],
    ["pooler.dense.bias", [30]],
    ["classifier.weight", [2, 30]],
    ["classifier.bias", [2]],
  ];
  assert.deepEqual(specsOf({}).map(({ name, shape }) => [name, shape]), expected);
});

Deno.test("modelParameters: tables and projections follow the configuration", () => {
  const names = (extra: object) => specsOf(extra).map(({ name }) => name).join("\n");
  assert.match(names({ share_att_key: false }), /layer\.1\.attention\.self\.pos_key_proj\.weight/);
  assert.match(names({ share_att_key: false }), /layer\.1\.attention\.self\.pos_query_proj\.bias/);
  assert.doesNotMatch(names({ share_att_key: false, pos_att_type: "c2p" }), /pos_query_proj/);
  assert.doesNotMatch(names({ share_att_key: false, relative_attention: false }), /pos_key_proj|rel_embeddings/);
  assert.match(names({ position_biased_input: true }), /embeddings\.position_embeddings\.weight/);
  assert.match(names({ type_vocab_size: 2 }), /embeddings\.token_type_embeddings\.weight/);
  assert.doesNotMatch(names({ norm_rel_ebd: "none" }), /encoder\.LayerNorm/);
  assert.doesNotMatch(names({ classifier_head: "max_pooling" }), /pooler/);
  const rows = (extra: object) => specsOf(extra).find(({ name }) => name.endsWith("rel_embeddings.weight"))!.shape[0];
  assert.equal(rows({ position_buckets: -1 }), 48);
  assert.equal(rows({ position_buckets: -1, max_relative_positions: -1 }), 1024);
});

Deno.test("modelParameters: no decay for biases and LayerNorms, no gradient for what is frozen or never read", () => {
  for (const { name, decay } of specsOf({ share_att_key: false, type_vocab_size: 2 })) {
    assert.equal(decay, !(name.endsWith(".bias") || name.includes("LayerNorm")), name);
  }
  for (const { name, trainable } of specsOf({}, { freezeBackbone: true })) {
    assert.equal(trainable, !name.startsWith("deberta."), name);
  }
  assert.ok(specsOf({}).every(({ trainable }) => trainable));
  const unread = specsOf({ pos_att_type: [] }).filter(({ trainable }) => !trainable).map(({ name }) => name);
  assert.deepEqual(unread, [
    "deberta.encoder.rel_embeddings.weight",
    "deberta.encoder.LayerNorm.weight",
    "deberta.encoder.LayerNorm.bias",
  ]);
});

Deno.test("matchTensors: a saved model, with unknown tensors reported", () => {
  const specs = specsOf({});
  const tensors = stored(specs);
  tensors.set("cls.predictions.bias", [97]);
  const { sources, initialised, ignored } = matchTensors(CONFIG, specs, tensors, "model.safetensors");
  assert.equal(sources.size, specs.length);
  assert.ok([...sources].every(([name, source]) => name === source));
  assert.deepEqual(initialised, []);
  assert.deepEqual(ignored, ["cls.predictions.bias"]);
});

Deno.test("matchTensors: a plain encoder with old LayerNorm names; its missing head is initialised", () => {
  const specs = specsOf({});
  const plain = specs.filter(({ name }) => name.startsWith("deberta.")).map(({ name, shape }) => ({
    name: name.slice("deberta.".length).replace("LayerNorm.weight", "LayerNorm.gamma").replace(
      "LayerNorm.bias",
      "LayerNorm.beta",
    ),
    shape,
  }));
  const { sources, initialised, ignored } = matchTensors(
    CONFIG,
    specs,
    new Map(plain.map((t) => [t.name, t.shape])),
    "f",
  );
  assert.equal(sources.get("deberta.encoder.LayerNorm.weight"), "encoder.LayerNorm.gamma");
  assert.equal(sources.get("deberta.encoder.layer.1.output.dense.bias"), "encoder.layer.1.output.dense.bias");
  assert.deepEqual(initialised, ["pooler.dense.weight", "pooler.dense.bias", "classifier.weight", "classifier.bias"]);
  assert.deepEqual(ignored, []);
});

Deno.test("matchTensors: a missing encoder tensor and a wrong shape are data errors that name the tensor", () => {
  const specs = specsOf({});
  const lacking = stored(specs);
  lacking.delete("deberta.encoder.layer.0.output.dense.weight");
  assert.throws(
    () => matchTensors(CONFIG, specs, lacking, "dir/model.safetensors"),
    dataError(/^dir\/model\.safetensors: tensor deberta\.encoder\.layer\.0\.output\.dense\.weight is missing;/),
  );
  const mismatching = stored(specs).set("classifier.weight", [3, 30]);
  assert.throws(
    () => matchTensors(CONFIG, specs, mismatching, "f"),
    dataError(/^f: tensor classifier\.weight has shape \[3, 30\], the model's is \[2, 30\]$/),
  );
  mismatching.set("classifier.bias", [3]);
  const { initialised } = matchTensors(CONFIG, specs, mismatching, "f", { trained: false });
  assert.deepEqual(initialised, ["classifier.weight", "classifier.bias"]);
  const other = stored(specs).set("deberta.embeddings.LayerNorm.weight", [31]);
  assert.throws(() => matchTensors(CONFIG, specs, other, "f", { trained: false }), dataError(/LayerNorm\.weight has/));
});

Deno.test("maskedLmParameters: found under both of transformers' names, and older spellings of them", () => {
  const config = parseConfig(SMALL, "c");
  const specs = maskedLmParameters(config);
  const encoder = modelParameters(config).filter(({ name }) => name.startsWith("deberta."));
  const shapes = (heads: Record<string, number[]>) =>
    new Map([
      ...encoder.map(({ name, shape }): [string, readonly number[]] => [name, shape]),
      ...Object.entries(heads),
    ]);
  const { hiddenSize: hidden, vocabSize } = config;
  const sizes = [[hidden, hidden], [hidden], [hidden], [hidden], [vocabSize]];
  const transform = "cls.predictions.transform";
  for (
    const names of [
      ["dense.weight", "dense.bias", "LayerNorm.weight", "LayerNorm.bias"].map((name) => `${transform}.${name}`)
        .concat("cls.predictions.bias"),
      ["dense.weight", "dense.bias", "LayerNorm.gamma", "LayerNorm.beta"].map((name) => `${transform}.${name}`)
        .concat("cls.predictions.decoder.bias"),
      ["dense.weight", "dense.bias", "LayerNorm.weight", "LayerNorm.bias", "bias"]
        .map((name) => `lm_predictions.lm_head.${name}`),
    ]
  ) {
    const stored = shapes(Object.fromEntries(names.map((name, i) => [name, sizes[i]])));
    const { sources, initialised, ignored } = matchTensors(config, specs, stored, "f");
    assert.deepEqual([...sources.values()].slice(encoder.length), names);
    assert.deepEqual([initialised, ignored], [[], []]);
  }
  assert.ok(specs.every(({ trainable }) => !trainable));
});
