import assert from "node:assert/strict";
import { join } from "node:path";
import { readJson } from "../../src/formats/json.ts";
import { writeSafetensors } from "../../src/formats/safetensors.ts";
import { entail, failure } from "../support/command_line.ts";
import { readTensors } from "../support/deberta_fixture.ts";
import { inTemporaryFolder, TEXT_MODEL, writeRunData } from "../support/run_data.ts";

/** A copy of the text fixture as a model of natural language inference has it: three labels. */
async function writeThreeLabels(folder: string): Promise<void> {
  await Deno.mkdir(folder);
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
    await Deno.copyFile(join(TEXT_MODEL, name), join(folder, name));
  }
  const { num_labels: _, ...config } = await readJson(join(TEXT_MODEL, "config.json")) as Record<string, unknown>;
  const id2label = { 0: "contradiction", 1: "entailment", 2: "neutral" };
  await Deno.writeTextFile(join(folder, "config.json"), JSON.stringify({ ...config, id2label }));
  const tensors = await readTensors(join(TEXT_MODEL, "model.safetensors"));
  const columns = tensors.get("classifier.weight")!.shape[1];
  tensors.set("classifier.weight", { shape: [3, columns], data: new Float32Array(3 * columns).fill(0.5) });
  tensors.set("classifier.bias", { shape: [3], data: new Float32Array(3) });
  const entries = [...tensors].map(([name, { shape, data }]) => ({
    name,
    shape,
    dtype: "F32" as const,
    read: (emit: (values: Float32Array) => void) => Promise.resolve(emit(data)),
  }));
  await writeSafetensors(join(folder, "model.safetensors"), entries);
}

Deno.test("entail train: a classifier for other labels is replaced, and said to be; predict takes no such model", () =>
  inTemporaryFolder(async (folder) => {
    const model = join(folder, "nli");
    await writeThreeLabels(model);
    const score = ["predict", "--checkpoint", model, "--input", "-", "--output", "-"];
    const [code, line] = await failure(score);
    assert.equal(code, 3);
    assert.match(line, /nli\/config\.json: num_labels: is 3; only 1 .* or 2 labels .*; train gives it such a head$/);

    const train = [
      "train",
      "--fold",
      "0",
      ...writeRunData(folder),
      `model.model_name=${model}`,
      "training.learning_rate=0",
      "training.max_steps=1",
    ];
    const trained = await entail(train);
    assert.equal(trained.code, 0, trained.stderr);
    const notices = trained.stderr.split("\n").filter((line) => line.includes("from the seed"));
    assert.deepEqual(notices, [`${model} has no classifier for 2 labels: new, from the seed`]);
    const best = join(folder, "run/checkpoints/fold_0/best");
    const { id2label } = await readJson(join(best, "config.json")) as { id2label: unknown };
    assert.deepEqual(id2label, { 0: "LABEL_0", 1: "LABEL_1" });
    const [before, after] = [
      await readTensors(join(model, "model.safetensors")),
      await readTensors(join(best, "model.safetensors")),
    ];
    assert.deepEqual(after.get("pooler.dense.weight"), before.get("pooler.dense.weight"));
    assert.equal(after.get("classifier.weight")!.shape[0], 2);
  }));
