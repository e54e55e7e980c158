import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { loadTokenizer } from "../../src/dataset/tokenizer.ts";
import { parseConfig } from "../../src/models/config_json.ts";
import { CRITERIA } from "../../scripts/demo/expressions.ts";
import { generateDemo, generatePretraining } from "../../scripts/demo/generate.ts";
import { wordsOf } from "../../scripts/demo/keyword_rule.ts";
import { modelConfig, modelFiles } from "../../scripts/demo/tokenizer.ts";

const folder = new URL("../../data/demo/model/", import.meta.url);
const readModel = (name: string) => readFileSync(new URL(name, folder), "utf8");
const tokenizer = await loadTokenizer(folder.pathname);
const tokensOf = (ids: Iterable<number>) => Array.from(ids, (id) => tokenizer.vocabulary[id]);
const unknown = 3;

Deno.test("modelFiles: gives the committed files byte for byte", () => {
  // Loading and saving the checkpoint writes config.json anew.
  for (const [name, text] of Object.entries(modelFiles()).filter(([name]) => name !== "config.json")) {
    assert.ok(text === readModel(name), `${name} differs: run scripts/demo/tokenizer.ts`);
  }
});

Deno.test("demo tokenizer: every word of both texts and the criteria is one piece", () => {
  const texts = new Set([
    ...generateDemo().posts.map((post) => post.text),
    ...generatePretraining(3000, 8, 6).map((pair) => pair.post.text),
    ...CRITERIA.map((criterion) => criterion.text),
  ]);
  for (const text of texts) {
    const ids = tokenizer.encode(text);
    assert.ok(!ids.includes(unknown), text);
    const words = tokensOf(ids).filter((token) => /^▁[a-z]+$/.test(token!));
    assert.equal(words.length, wordsOf(text).length, text);
  }
});

Deno.test("demo tokenizer: pairs as DeBERTa-v3 writes them", () => {
  const { ids } = tokenizer.encodePair("I do not sleep.", "Sleeps too little.", 512);
  assert.equal(tokensOf(ids).join(" "), "[CLS] ▁i ▁do ▁not ▁sleep . [SEP] ▁sleeps ▁too ▁little . [SEP]");
});

Deno.test("demo tokenizer: unknown words are spelled, not lost", () => {
  const ids = tokenizer.encode("Café naïve “quotes” — I’m 100% zzz!?");
  assert.ok(!ids.includes(unknown), tokensOf(ids).join(" "));
  assert.ok(tokenizer.encode("漢").includes(unknown));
});

Deno.test("demo model folder: config.json agrees with the tokenizer", () => {
  const config = parseConfig(JSON.parse(readModel("config.json")), "config.json");
  const vocab: unknown[] = JSON.parse(readModel("tokenizer.json")).model.vocab;
  assert.equal(config.vocabSize, vocab.length);
  assert.equal(config.classifierHead, "pooler_linear");
  assert.equal(config.labels.length, 2);
  assert.deepEqual(parseConfig(modelConfig(vocab.length), "modelConfig"), { ...config, other: {} });
});
