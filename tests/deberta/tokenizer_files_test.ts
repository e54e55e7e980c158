import assert from "node:assert/strict";
import { join } from "node:path";
import { readModelConfig } from "../../src/deberta/checkpoint.ts";
import { withOrigin } from "../../src/deberta/config.ts";
import { saveTokenizer, tokenizerSettings } from "../../src/deberta/tokenizer_files.ts";
import { readJson } from "../../src/formats/json.ts";
import { inTemporaryFolder, TEXT_MODEL } from "../support/run_data.ts";

const textConfig = async (maxLength: number) => withOrigin(await readModelConfig(TEXT_MODEL), maxLength, null);

Deno.test("saveTokenizer: the files as they were, but for the length of pairs", () =>
  inTemporaryFolder(async (folder) => {
    await saveTokenizer(await textConfig(80), TEXT_MODEL, folder);
    const before = await readJson(join(TEXT_MODEL, "tokenizer_config.json")) as Record<string, unknown>;
    assert.deepEqual(await readJson(join(folder, "tokenizer_config.json")), { ...before, model_max_length: 80 });
    const copies = [join(TEXT_MODEL, "tokenizer.json"), join(folder, "tokenizer.json")].map(Deno.readTextFileSync);
    assert.equal(copies[0], copies[1]);
  }));

Deno.test("saveTokenizer: settings are made where the tokenizer came without", () =>
  inTemporaryFolder(async (folder) => {
    const bare = join(folder, "bare");
    await Deno.mkdir(bare);
    await Deno.copyFile(join(TEXT_MODEL, "tokenizer.json"), join(bare, "tokenizer.json"));
    const config = await textConfig(80);
    await saveTokenizer(config, bare, join(folder, "stock"));
    assert.deepEqual(await readJson(join(folder, "stock", "tokenizer_config.json")), { model_max_length: 80 });
    await saveTokenizer({ ...config, classifierHead: "linear" }, bare, join(folder, "own"));
    assert.deepEqual(await readJson(join(folder, "own", "tokenizer_config.json")), {
      tokenizer_class: "DebertaV2Tokenizer",
      model_max_length: 80,
    });
  }));

Deno.test("tokenizerSettings: posts are cut and batches filled up at their end", async () => {
  const config = await textConfig(512);
  const settings = tokenizerSettings({ truncation_side: "left", padding_side: "left", model_max_length: 64 }, config);
  assert.deepEqual(settings, { truncation_side: "right", padding_side: "right", model_max_length: 512 });
});
