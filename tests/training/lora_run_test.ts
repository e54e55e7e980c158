/** Runs with adapters: what they write, that they go on to the bit, and folders that `peft` has written. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { EntailError } from "../../src/errors.ts";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { CrossEncoder } from "../../src/training/cross_encoder.ts";
import { crossValidate } from "../../src/training/cross_validation.ts";
import { evaluateRun } from "../../src/training/evaluate_run.ts";
import { openModelSource } from "../../src/training/model_source.ts";
import { silentReporter } from "../../src/training/reporter.ts";
import { loadRun } from "../../src/training/run_folder.ts";
import { assertClose } from "../support/close.ts";
import { loadTextFixture } from "../support/deberta_fixture.ts";
import { gpuTest } from "../support/gpu.ts";
import { UNIT_ROUNDOFF } from "../support/half.ts";
import { inTemporaryFolder, runConfig, TEXT_MODEL } from "../support/run_data.ts";
import { digestOf, runInPieces } from "../support/run_pieces.ts";

const PEFT_ADAPTER = decodeURIComponent(new URL("../fixtures/lora/text", import.meta.url).pathname);

const LORA = ["model.lora.r=4", "model.lora.dropout=0.1", "training.learning_rate=5e-3", "training.num_epochs=2"];

const filesOf = (folder: string): string[] => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

/** The content of all tensors that a run of fold 0 has saved, and its log and predictions. */
async function fingerprint(run: string): Promise<Record<string, string>> {
  const fold = join(run, "checkpoints/fold_0");
  const tensors = ["best", "last"].flatMap((which) =>
    filesOf(join(fold, which)).filter((name) => name.endsWith(".safetensors")).map((name) => join(fold, which, name))
  );
  const files = [...tensors, join(run, "fold_0/metrics.jsonl"), join(run, "fold_0/predictions.csv")];
  return Object.fromEntries(await Promise.all(files.map(async (file) => [file, await digestOf(file)])));
}

const PAIRS = [
  { post: "I have not slept well for three weeks.", criterion: "Insomnia or sleeping too much." },
  { post: "I feel sad all day, every day.", criterion: "Depressed mood most of the day, nearly every day." },
];

async function logitsOf(gpu: Gpu, folder: string): Promise<number[]> {
  const model = await CrossEncoder.fromPretrained(folder, { gpu, precision: "fp32" });
  const scores = await model.predict(PAIRS);
  model.close();
  return scores.flatMap(({ logits }) => logits);
}

for (const [save, bits, precision] of [["merged", "4bit", "fp32"], ["adapter", "none", "bf16"]] as const) {
  gpuTest(
    `crossValidate: with save=${save} and bits=${bits} a run in pieces has the bits of one in one go`,
    (gpu) =>
      inTemporaryFolder(async (folder) => {
        const settings = [`model.lora.save=${save}`, `model.lora.bits=${bits}`, "training.layerwise_lr_decay=0.9"];
        const overrides = [...LORA, ...settings, `training.optimization.precision=${precision}`];
        const whole = await crossValidate(gpu, runConfig(folder, ...overrides), { reporter: silentReporter });
        const run = join(folder, "run");
        const expected = await fingerprint(run);
        const best = filesOf(join(run, "checkpoints/fold_0/best"));
        assert.deepEqual(best.filter((name) => name.endsWith("model.safetensors")), [
          save === "adapter" ? "adapter_model.safetensors" : "model.safetensors",
        ]);
        assert.ok(best.includes("tokenizer.json") && best.includes("config.json") === (save === "merged"));

        // In half precision the sum of base and adapter is rounded here, there each: a few roundings in every layer.
        const rtol = precision === "fp32" ? 1e-5 : 8 * UNIT_ROUNDOFF.bf16;
        const { folds } = await evaluateRun(gpu, await loadRun(run), { reporter: silentReporter });
        assertClose(folds.map(({ loss }) => loss), whole.folds.map(({ loss }) => loss), { atol: 0, rtol });

        await Deno.remove(run, { recursive: true });
        assert.ok(await runInPieces(gpu, folder, 2, ...overrides) >= 2, "the run was never interrupted");
        assert.deepEqual(await fingerprint(run), expected);
      }),
  );
}

gpuTest(
  "crossValidate: both ways of saving give the same logits, of a model that has changed",
  (gpu) =>
    inTemporaryFolder(async (folder) => {
      const logits: number[][] = [await logitsOf(gpu, TEXT_MODEL)];
      for (const save of ["merged", "adapter"]) {
        const overrides = [...LORA, `model.lora.save=${save}`, "model.lora.targets=qkv"];
        const config = runConfig(folder, ...overrides, `output_dir=${join(folder, save)}`);
        await crossValidate(gpu, config, { reporter: silentReporter, fold: 0 });
        logits.push(await logitsOf(gpu, join(folder, save, "checkpoints/fold_0/last")));
      }
      assertClose(logits[2], logits[1], { atol: 1e-5, rtol: 1e-5 });
      assert.ok(logits[1].some((value, i) => Math.abs(value - logits[0][i]) > 0.1), "nothing was trained");

      const adapter = join(folder, "adapter/checkpoints/fold_0/last");
      const settings = JSON.parse(Deno.readTextFileSync(join(adapter, "adapter_config.json")));
      assert.equal(settings.base_model_name_or_path, TEXT_MODEL);
      assert.deepEqual(settings.target_modules, ["query_proj", "key_proj", "value_proj"]);
      assert.deepEqual(settings.modules_to_save, ["pooler", "classifier"]);
      const saved = await openSafetensors(join(adapter, "adapter_model.safetensors"));
      saved.close();
      assert.equal(saved.tensors.size, 2 * 3 * 2 + 4);
      assert.ok([...saved.tensors.keys()].every((name) => name.startsWith("base_model.model.")));

      // A merged model is whole; an adapter is a model to go on from, too.
      const next = runConfig(folder, `model.model_name=${adapter}`, "model.lora.r=2", "model.lora.save=adapter");
      await assert.rejects(openModelSource(next), /model\.lora\.save: must be merged/);
      const again = runConfig(folder, `model.model_name=${adapter}`, `output_dir=${join(folder, "again")}`);
      await crossValidate(gpu, { ...again, training: { ...again.training, learning_rate: 0, num_epochs: 1 } }, {
        reporter: silentReporter,
        fold: 0,
      });
      assertClose(await logitsOf(gpu, join(folder, "again/checkpoints/fold_0/last")), logits[2], {
        atol: 1e-5,
        rtol: 1e-5,
      });
    }),
);

/** The adapter that `peft` has written, with another path of its base. */
function copyAdapter(folder: string, changes: Record<string, unknown>): string {
  const copy = join(folder, "adapter");
  Deno.mkdirSync(copy, { recursive: true });
  for (const name of filesOf(PEFT_ADAPTER)) Deno.copyFileSync(join(PEFT_ADAPTER, name), join(copy, name));
  const settings = JSON.parse(Deno.readTextFileSync(join(copy, "adapter_config.json")));
  Deno.writeTextFileSync(join(copy, "adapter_config.json"), JSON.stringify({ ...settings, ...changes }));
  return copy;
}

gpuTest(
  "CrossEncoder: an adapter that peft has written gives peft's logits",
  (gpu) =>
    inTemporaryFolder(async (folder) => {
      const adapter = copyAdapter(folder, { base_model_name_or_path: TEXT_MODEL });
      const { pairs, maxLength } = await loadTextFixture();
      const { logits } = JSON.parse(Deno.readTextFileSync(join(PEFT_ADAPTER, "expected.json"))) as {
        logits: number[][];
      };
      const model = await CrossEncoder.fromPretrained(adapter, { gpu, maxLength, precision: "fp32" });
      const scores = await model.predict(pairs);
      model.close();
      assertClose(scores.flatMap((score) => score.logits), logits.flat(), { atol: 1e-4, rtol: 1e-4 });
    }),
);

gpuTest(
  "CrossEncoder: an adapter without its base, or of another kind, is refused in one line",
  (gpu) =>
    inTemporaryFolder(async (folder) => {
      const gone = { base_model_name_or_path: join(folder, "gone") };
      const cases: [Record<string, unknown>, RegExp][] = [
        [gone, /adapter_config\.json: base_model_name_or_path: .*gone: no such folder/],
        [{ base_model_name_or_path: TEXT_MODEL, use_dora: true }, /use_dora: true is not supported, only plain LoRA/],
        [{ base_model_name_or_path: TEXT_MODEL, peft_type: "IA3" }, /peft_type: "IA3" is not supported/],
        [{ base_model_name_or_path: TEXT_MODEL, alpha_pattern: { key: 2 } }, /alpha_pattern: is not supported/],
        [{ base_model_name_or_path: null }, /base_model_name_or_path: must name the model/],
        [{ base_model_name_or_path: join(TEXT_MODEL, "../shared_buckets") }, /adapter is of another model/],
        [{ base_model_name_or_path: join(folder, "adapter") }, /is itself an adapter; merge it/],
      ];
      for (const [changes, message] of cases) {
        const adapter = copyAdapter(folder, changes);
        await assert.rejects(CrossEncoder.fromPretrained(adapter, { gpu }), (error) => {
          assert.ok(error instanceof EntailError && error.kind === "data", String(error));
          assert.match(error.message, message);
          assert.doesNotMatch(error.message, /\n/);
          return true;
        });
      }
    }),
);
