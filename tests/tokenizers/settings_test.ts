import assert from "node:assert/strict";
import { join } from "node:path";
import type { TokenizerDocument } from "../../src/tokenizers/document.ts";
import { readTokenizerFolder } from "../../src/tokenizers/folder.ts";
import { inTemporaryFolder } from "../support/run_data.ts";
import { readGzip, unpackLayout } from "./support.ts";

interface Case {
  layout: string;
  files: Record<string, unknown>;
  rules: Omit<TokenizerDocument, "model">;
  unknown: number | string | null;
  /** The first pieces of a unigram vocabulary. */
  first: string[] | null;
}

const cases: Case[] = JSON.parse(new TextDecoder().decode(await readGzip("settings.json.gz")));
const SETTINGS = ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"];

Deno.test("readTokenizerFolder: settings and special tokens are read as transformers reads them", () =>
  inTemporaryFolder(async (folder) => {
    assert.ok(cases.length >= 200);
    for (const [i, { layout, files, rules, unknown, first }] of cases.entries()) {
      const own = join(folder, layout);
      await unpackLayout(layout, own);
      for (const name of SETTINGS) {
        if (name in files) await Deno.writeTextFile(join(own, name), JSON.stringify(files[name]));
        else await Deno.remove(join(own, name)).catch(() => {});
      }
      const { model, ...found } = (await readTokenizerFolder(own)).document;
      if (found.normalizer?.type === "Precompiled") found.normalizer.precompiled_charsmap = null;
      const message = `case ${i}: ${layout} with ${JSON.stringify(files)}`;
      assert.deepEqual(found, rules, message);
      assert.deepEqual(model.type === "Unigram" ? model.unk_id : model.unk_token, unknown, message);
      if (model.type === "Unigram") assert.deepEqual(model.vocab.slice(0, 5).map(([piece]) => piece), first, message);
    }
  }));
