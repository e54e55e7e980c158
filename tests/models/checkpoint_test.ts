/** Saved folders: what is in them, that they are read back, and that damaged ones are refused. */
import assert from "node:assert/strict";
import { join } from "node:path";
import {
  checkWeights,
  loadMoments,
  loadWeights,
  OPTIMIZER_FILE,
  readMarker,
  readModelConfig,
  saveModel,
  saveMoments,
} from "../../src/models/checkpoint.ts";
import { CLASSIFIER_HEADS } from "../../src/models/heads/registry.ts";
import { type ModelConfig, withOrigin } from "../../src/models/model_config.ts";
import { modelParameters } from "../../src/models/parameters.ts";
import { EntailError, type ErrorKind } from "../../src/errors.ts";
import { readJson } from "../../src/formats/json.ts";
import { writeSafetensors } from "../../src/formats/safetensors.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { createParameterStore, type ParameterStore } from "../../src/nn/parameters.ts";
import { openScorer, scoreTexts } from "../../src/training/scorer.ts";
import { assertClose } from "../support/close.ts";
import { loadTextFixture, readTensors } from "../support/deberta_fixture.ts";
import { gpuTest } from "../support/gpu.ts";
import { inTemporaryFolder, TEXT_MODEL } from "../support/run_data.ts";

async function withParameters(
  gpu: Gpu,
  config: ModelConfig,
  { moments }: { moments: boolean },
  use: (parameters: ParameterStore) => Promise<void>,
): Promise<void> {
  const parameters = await createParameterStore(gpu, modelParameters(config), { moments });
  try {
    await use(parameters);
  } finally {
    parameters.release();
  }
}

const fails = (kind: ErrorKind, pattern: RegExp, run: () => Promise<unknown>) =>
  assert.rejects(run, (error) => {
    assert.ok(error instanceof EntailError, String(error));
    assert.equal(error.kind, kind);
    assert.match(error.message, pattern);
    return true;
  });

/** A copy of the text fixture whose config.json has other values. */
async function copyOfTextModel(folder: string, changes: Record<string, unknown>): Promise<void> {
  for (const name of ["model.safetensors", "tokenizer.json", "tokenizer_config.json"]) {
    await Deno.copyFile(join(TEXT_MODEL, name), join(folder, name));
  }
  const config = await readJson(join(TEXT_MODEL, "config.json")) as object;
  await Deno.writeTextFile(join(folder, "config.json"), JSON.stringify({ ...config, ...changes }));
}

/** Writes a file's tensors again, one of them with `value` in its last place. */
async function damage(file: string, tensor: string, value: number): Promise<void> {
  const tensors = await readTensors(file);
  tensors.get(tensor)!.data.set([value], tensors.get(tensor)!.data.length - 1);
  await writeSafetensors(
    file,
    [...tensors].map(([name, { shape, data }]) => ({
      name,
      shape,
      dtype: "F32",
      read: (emit) => Promise.resolve(emit(data)),
    })),
  );
}

gpuTest(
  "loadWeights: a model as it is published, in pytorch_model.bin without a head, beside what nothing reads",
  async (gpu) => {
    const published = join(TEXT_MODEL, "../published");
    const config = await readModelConfig(published);
    await checkWeights(config, published);
    await fails(
      "data",
      /published: no pooler\.dense\.weight: .*train it first/,
      () => checkWeights(config, published, { trained: true }),
    );
    await withParameters(gpu, config, { moments: false }, async (parameters) => {
      const initialised = await loadWeights(parameters, config, published, 42);
      assert.deepEqual(initialised, [
        "pooler.dense.weight",
        "pooler.dense.bias",
        "classifier.weight",
        "classifier.bias",
      ]);
      const expected = await readTensors(join(TEXT_MODEL, "model.safetensors"));
      for (const [name, { data }] of expected) {
        if (name.startsWith("deberta.")) {
          assert.deepEqual(await parameters.read(name, "value"), data, name);
        }
      }
    });
  },
);

gpuTest(
  "saveModel: records what it is given in the header of model.safetensors",
  (gpu) =>
    inTemporaryFolder(async (folder) => {
      const config = await readModelConfig(TEXT_MODEL);
      await withParameters(gpu, config, { moments: false }, async (parameters) => {
        await loadWeights(parameters, config, TEXT_MODEL);
        await saveModel(parameters, config, TEXT_MODEL, folder, { run: "abc", fold: "0" });
        assert.deepEqual(await readMarker(folder), { format: "pt", run: "abc", fold: "0" });
        await saveModel(parameters, config, TEXT_MODEL, folder);
        assert.deepEqual(await readMarker(folder), { format: "pt" });
      });
    }),
);

// heads.json: what transformers makes of the folders, see tests/oracles/checkpoints_outside.py.
/** What the parameters that TEXT_MODEL lacks are drawn from there. */
const SEED = 42;

for (const head of CLASSIFIER_HEADS) {
  gpuTest(
    `saveModel: a folder with ${head} gives the logits that transformers reads from it`,
    (gpu) =>
      inTemporaryFolder(async (folder) => {
        const { pairs, maxLength } = await loadTextFixture();
        const expected = await readJson(join(TEXT_MODEL, "heads.json")) as Record<string, number[][]>;
        const config = withOrigin({ ...await readModelConfig(TEXT_MODEL), classifierHead: head }, maxLength, null);
        await withParameters(gpu, config, { moments: false }, async (parameters) => {
          await loadWeights(parameters, config, TEXT_MODEL, SEED);
          await saveModel(parameters, config, TEXT_MODEL, folder, {}, { F1: 0.5 });
        });

        const files = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
        const common = ["README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];
        const own = head === "pooler_linear" ? [] : ["modeling_entail.py"];
        assert.deepEqual(files, [...common, ...own].sort());
        assert.match(await Deno.readTextFile(join(folder, "README.md")), /\| F1 \| 0\.5000 \|/);

        const scorer = await openScorer(gpu, folder, { precision: "fp32" });
        assert.equal(scorer.maxLength, maxLength);
        const scores = await scoreTexts(scorer, pairs);
        scorer.release();
        assertClose(
          scores.flatMap(({ logits }) => logits),
          expected[head].flat(),
          { atol: 5e-5, rtol: 5e-5 },
          "logits",
        );
      }),
  );
}

gpuTest(
  "openScorer: what config.json says and the tensors do not is refused before anything is planned",
  (gpu) =>
    inTemporaryFolder(async (folder) => {
      const cases: [Record<string, unknown>, RegExp][] = [
        [{ num_labels: 3 }, /config\.json: num_labels: is 3/],
        [{ num_labels: 1e9 }, /config\.json: num_labels: is 1000000000/],
        [{ num_hidden_layers: 1e5 }, /config\.json: num_hidden_layers: must be/],
        [{ num_hidden_layers: 200 }, /tensor deberta\.encoder\.layer\.2\..* is missing/],
        [{ vocab_size: 1e7 }, /word_embeddings\.weight has shape \[149, 32\], the model's is \[10000000, 32\]/],
        [{ hidden_size: 1e9, pooler_hidden_size: 1e9 }, /config\.json: hidden_size: must be/],
        [{ hidden_size: 16384, pooler_hidden_size: 16384 }, /has shape .*, the model's is/],
      ];
      for (const [changes, pattern] of cases) {
        await copyOfTextModel(folder, changes);
        const start = performance.now();
        await fails("data", pattern, () => openScorer(gpu, folder));
        assert.ok(performance.now() - start < 1000, String(pattern));
      }
    }),
);

Deno.test("checkWeights: a model without a head is no trained one", () =>
  inTemporaryFolder(async (folder) => {
    await copyOfTextModel(folder, {});
    const tensors = await readTensors(join(folder, "model.safetensors"));
    const kept = [...tensors].filter(([name]) => !name.startsWith("classifier"));
    await writeSafetensors(
      join(folder, "model.safetensors"),
      kept.map(([name, { shape, data }]) => ({
        name,
        shape,
        dtype: "F32",
        read: (emit) => Promise.resolve(emit(data)),
      })),
    );
    const config = await readModelConfig(folder);
    await checkWeights(config, folder);
    await fails("data", /no classifier\.weight/, () => checkWeights(config, folder, { trained: true }));
  }));

gpuTest(
  "loadWeights: a weight that is no finite number is refused by file and tensor",
  (gpu) =>
    inTemporaryFolder(async (folder) => {
      const config = await readModelConfig(TEXT_MODEL);
      await withParameters(gpu, config, { moments: false }, async (parameters) => {
        for (const [tensor, value] of [["classifier.bias", NaN], ["deberta.embeddings.LayerNorm.weight", -Infinity]]) {
          await copyOfTextModel(folder, {});
          await damage(join(folder, "model.safetensors"), tensor as string, value as number);
          const pattern = new RegExp(`/model\\.safetensors: tensor "${tensor}": .*finite.*\\(${value}\\)`);
          await fails("data", pattern, () => loadWeights(parameters, config, folder));
        }
      });
    }),
);

/** A file with one F64 tensor. */
function doubles(name: string, values: number[]): Uint8Array {
  const data = new Uint8Array(Float64Array.from(values).buffer);
  const entry = { dtype: "F64", shape: [values.length], data_offsets: [0, data.length] };
  const header = new TextEncoder().encode(JSON.stringify({ [name]: entry }));
  const bytes = new Uint8Array(8 + header.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(header, 8);
  bytes.set(data, 8 + header.length);
  return bytes;
}

gpuTest("loadWeights: an F64 weight that fp32 cannot hold is refused", (gpu) =>
  inTemporaryFolder(async (folder) => {
    const config = await readModelConfig(TEXT_MODEL);
    const specs = [{ name: "classifier.bias", shape: [2], decay: false, trainable: false }];
    const parameters = await createParameterStore(gpu, specs, { moments: false });
    const file = join(folder, "model.safetensors");
    await Deno.writeFile(file, doubles("classifier.bias", [1, -2.5]));
    await loadWeights(parameters, config, folder);
    assert.deepEqual([...await parameters.read("classifier.bias", "value")], [1, -2.5]);
    await Deno.writeFile(file, doubles("classifier.bias", [1, 1e39]));
    await fails("data", /tensor "classifier\.bias": .*\(Infinity\)/, () => loadWeights(parameters, config, folder));
    parameters.release();
  }));

gpuTest(
  "loadMoments: a moment that is no finite number is refused by file and tensor",
  (gpu) =>
    inTemporaryFolder(async (folder) => {
      const config = await readModelConfig(TEXT_MODEL);
      await withParameters(gpu, config, { moments: true }, async (parameters) => {
        parameters.clearMoments();
        await saveMoments(parameters, folder);
        await loadMoments(parameters, folder);
        await damage(join(folder, OPTIMIZER_FILE), "classifier.weight.exp_avg_sq", Infinity);
        const pattern = /\/optimizer\.safetensors: tensor "classifier\.weight\.exp_avg_sq": .*\(Infinity\)/;
        await fails("data", pattern, () => loadMoments(parameters, folder));
      });
    }),
);
