import assert from "node:assert/strict";
import { composeConfig } from "../../src/config/config.ts";
import { createConfig, type Options } from "../../src/config/options.ts";
import { EntailError } from "../../src/errors.ts";

Deno.test("createConfig: options are keys in camelCase, and what they leave out is what configs/ says", () => {
  assert.deepEqual(createConfig().training, composeConfig(["training=default", "model=deberta_nli"]).training);
  const config = createConfig({
    seed: 3,
    outputDir: "${not a key}",
    data: { pcTopMEnable: true, pcTopMM: 3, chunkMaxLen: undefined },
    model: { lossType: "ce", lora: { r: 4 } },
    training: { learningRate: 1e-4, optimization: { precision: "fp32" } },
    hpo: {
      hpoMode: { mode: "single_split" },
      searchSpace: { own_name: { key: "training.learning_rate", type: "float", low: 1e-5, high: 1e-3, log: true } },
    },
  });
  assert.equal(config.output_dir, "${not a key}", "a program's texts are not interpolated");
  assert.deepEqual([config.seed, config.data.pc_topM_M, config.data.chunk_max_len], [3, 3, null]);
  assert.deepEqual([config.model.loss_type, config.model.lora.r, config.model.num_labels], ["ce", 4, 2]);
  assert.deepEqual([config.training.learning_rate, config.training.optimization.precision], [1e-4, "fp32"]);
  assert.equal(config.hpo.hpo_mode.mode, "single_split");
  assert.equal(config.hpo.search_space.own_name.key, "training.learning_rate");
});

Deno.test("createConfig: a model is a name, or an architecture without one", () => {
  assert.equal(createConfig({ model: "org/name" }).model.model_name, "org/name");
  const { model } = createConfig({ model: { architecture: { hiddenSize: 8 } } });
  assert.deepEqual([model.model_name, model.architecture!.hidden_size], [null, 8]);
});

Deno.test("createConfig: every key has an option of its own", () => {
  const config = createConfig({ model: { architecture: { hiddenSize: 8 } }, training: { numWorkers: 3 } });
  const camel = (value: unknown): unknown =>
    typeof value !== "object" || value === null || Array.isArray(value) ? value : Object.fromEntries(
      Object.entries(value).map(([key, below]) => [
        key.replace(/_(\w)/g, (_, letter) => letter.toUpperCase()),
        camel(below),
      ]),
    );
  assert.deepEqual(createConfig(camel(config) as Options), config);
});

Deno.test("createConfig: refuses unknown options and wrong values by name", () => {
  const cases: [Record<string, unknown>, string][] = [
    [{ trainin: {} }, 'unknown option "trainin"; did you mean "training"?'],
    [
      { training: { learning_rate: 1 } },
      'unknown option "training.learning_rate"; did you mean "training.learningRate"?',
    ],
    [{ training: { learningRate: "x" } }, '"training.learning_rate" must be a number >= 0, not "x"'],
    [{ hpo: { hpoMode: { moed: 1 } } }, 'unknown option "hpo.hpoMode.moed"; did you mean "hpo.hpoMode.mode"?'],
  ];
  for (const [options, message] of cases) {
    assert.throws(() => createConfig(options as Options), (error) => {
      assert.ok(error instanceof EntailError && error.kind === "usage");
      assert.equal(error.message, message);
      return true;
    });
  }
});
