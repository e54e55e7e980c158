import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Tokenizer } from "@huggingface/tokenizers";
import { parseConfig } from "../../src/deberta/config.ts";
import { CRITERIA } from "../../scripts/demo/expressions.ts";
import { generateDemo, generatePretraining } from "../../scripts/demo/generate.ts";
import { wordsOf } from "../../scripts/demo/keyword_rule.ts";
import { modelConfig, modelFiles } from "../../scripts/demo/tokenizer.ts";

const folder = new URL("../../data/demo/model/", import.meta.url);
const readModel = (name: string) => readFileSync(new URL(name, folder), "utf8");
const tokenizer = new Tokenizer(
  JSON.parse(readModel("tokenizer.json")),
  JSON.parse(readModel("tokenizer_config.json")),
);
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
    const { ids, tokens } = tokenizer.encode(text);
    assert.ok(!ids.includes(unknown), text);
    assert.equal(tokens.filter((token) => /^▁[a-z]+$/.test(token)).length, wordsOf(text).length, text);
  }
});

Deno.test("demo tokenizer: pairs as DeBERTa-v3 writes them", () => {
  const { tokens } = tokenizer.encode("I do not sleep.", { text_pair: "Sleeps too little." });
  assert.equal(tokens.join(" "), "[CLS] ▁i ▁do ▁not ▁sleep . [SEP] ▁sleeps ▁too ▁little . [SEP]");
});

Deno.test("demo tokenizer: unknown words are spelled, not lost", () => {
  const { ids, tokens } = tokenizer.encode("Café naïve “quotes” — I’m 100% zzz!?");
  assert.ok(!ids.includes(unknown), tokens.join(" "));
  assert.ok(tokenizer.encode("漢").ids.includes(unknown));
});

Deno.test("demo model folder: config.json agrees with the tokenizer", () => {
  const config = parseConfig(JSON.parse(readModel("config.json")), "config.json");
  const vocab: unknown[] = JSON.parse(readModel("tokenizer.json")).model.vocab;
  assert.equal(config.vocabSize, vocab.length);
  assert.equal(config.classifierHead, "pooler_linear");
  assert.equal(config.labels.length, 2);
  assert.deepEqual(parseConfig(modelConfig(vocab.length), "modelConfig").posAttType, config.posAttType);
});
