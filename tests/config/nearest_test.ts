import assert from "node:assert/strict";
import { knownKeys } from "../../src/config/introspection.ts";
import { nearest } from "../../src/config/nearest.ts";
import { ConfigSchema } from "../../src/config/schema.ts";
import { meaningOf } from "../../src/config/synonyms.ts";

const KEYS = knownKeys(ConfigSchema);

Deno.test("nearest: names of other programs, whatever group they are given", () => {
  const cases: Record<string, string> = {
    lr: "training.learning_rate",
    "training.lr": "training.learning_rate",
    "optimizer.lr": "training.learning_rate",
    epochs: "training.num_epochs",
    bs: "training.batch_size",
    "per-device-train-batch-size": "training.batch_size",
    device: "gpu.power_preference",
    fp16: "training.optimization.precision",
    num_folds: "kfold.n_splits",
    random_state: "seed",
    max_seq_length: "data.max_length",
    model_name_or_path: "model.model_name",
    dropout: "model.classifier_dropout",
    "lora.dropout": "model.lora.dropout",
    "batch-size": "training.batch_size",
  };
  for (const [name, key] of Object.entries(cases)) assert.equal(nearest(name, KEYS), key, name);
});

Deno.test("nearest: a key's own name or ending goes before what it means elsewhere", () => {
  assert.equal(nearest("precision", KEYS), "training.optimization.precision");
  assert.equal(nearest("training.learning_rte", KEYS), "training.learning_rate");
  assert.equal(nearest("lr", ["lrx", "b"]), "lrx", "only where the key is one of the known");
});

Deno.test("meaningOf: no name has two meanings, every meaning is a key", () => {
  const source = Deno.readTextFileSync(new URL("../../src/config/synonyms.ts", import.meta.url));
  const names = [...source.matchAll(/"(\w+)"(?=[,\]\s])/g)].map(([, name]) => name);
  assert.ok(names.length > 150);
  assert.deepEqual(names.filter((name, i) => names.indexOf(name) !== i), []);
  for (const name of names) assert.ok(KEYS.includes(meaningOf(name) ?? ""), `${name}: ${meaningOf(name)}`);
});
