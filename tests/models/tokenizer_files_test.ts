import assert from "node:assert/strict";
import { join } from "node:path";
import { readModelConfig } from "../../src/models/checkpoint.ts";
import { withOrigin } from "../../src/models/model_config.ts";
import { saveTokenizer, tokenizerSettings } from "../../src/models/tokenizer_files.ts";
import { readJson } from "../../src/formats/json.ts";
import { readTokenizerFolder } from "../../src/tokenizers/folder.ts";
import { inTemporaryFolder, TEXT_MODEL } from "../support/run_data.ts";
import { LAYOUTS, unpackLayout } from "../tokenizers/support.ts";

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
    const saved = async (name: string) => {
      await saveTokenizer(config, bare, join(folder, name));
      return await readJson(join(folder, name, "tokenizer_config.json"));
    };
    // Without the model's type the rules of tokenizer.json hold, and go on to.
    assert.deepEqual(await saved("any"), { tokenizer_class: "PreTrainedTokenizerFast", model_max_length: 80 });
    await Deno.writeTextFile(join(bare, "config.json"), '{"model_type": "deberta-v2"}');
    assert.deepEqual(await saved("own"), { tokenizer_class: "DebertaV2Tokenizer", model_max_length: 80 });
  }));

Deno.test("saveTokenizer: a published layout becomes a tokenizer.json with the same rules and ids", () =>
  inTemporaryFolder(async (folder) => {
    const config = await textConfig(80);
    for (const layout of LAYOUTS) {
      const [published, saved] = [join(folder, layout, "published"), join(folder, layout, "saved")];
      await unpackLayout(layout, published);
      await saveTokenizer(config, published, saved);
      const [before, after] = [await readTokenizerFolder(published), await readTokenizerFolder(saved)];
      assert.equal(after.name, join(saved, "tokenizer.json"));
      assert.equal(after.text, before.text);
      assert.equal(after.className, before.className);
      assert.deepEqual(after.document, before.document);
    }
  }));

Deno.test("tokenizerSettings: posts are cut and batches filled up at their end", async () => {
  const sides = { truncation_side: "left", padding_side: "left", model_max_length: 64, tokenizer_class: "Own" };
  assert.deepEqual(tokenizerSettings(sides, await textConfig(512), {}), {
    tokenizer_class: "Own",
    truncation_side: "right",
    padding_side: "right",
    model_max_length: 512,
  });
});
