import assert from "node:assert/strict";
import { generateDemo } from "../../scripts/demo/generate.ts";
import { exchangeWords, INTERCHANGEABLE } from "../../scripts/demo/interchangeable.ts";
import { maskedLmText } from "../../scripts/demo/masked_lm_text.ts";
import { createRandom } from "../../scripts/demo/random.ts";
import { STOP_WORDS } from "../../src/augmentation/stop_words.ts";
import { loadTokenizer } from "../../src/dataset/tokenizer.ts";

const MASKED_LM = decodeURIComponent(new URL("../../data/demo/masked_lm", import.meta.url).pathname);

Deno.test("INTERCHANGEABLE: every word once, a piece of the demo's tokenizer, not alone", async () => {
  const { vocabulary } = await loadTokenizer(MASKED_LM);
  const pieces = new Set(vocabulary);
  const all = INTERCHANGEABLE.flat();
  assert.equal(new Set(all).size, all.length);
  for (const kind of INTERCHANGEABLE) assert.ok(kind.length > 1, kind[0]);
  assert.deepEqual(all.filter((word) => !pieces.has(`▁${word}`)), []);
});

Deno.test("exchangeWords: words of a kind for each other, all others stay", () => {
  const text = "I am not tired. My sister feels sad all night, Night after night.";
  const kinds = new Map(INTERCHANGEABLE.flatMap((kind) => kind.map((word) => [word, kind])));
  const random = createRandom(1);
  const changed = new Set<string>();
  for (let i = 0; i < 50; i++) {
    const words = exchangeWords(random, text).split(" ");
    text.split(" ").forEach((word, at) => {
      const [before, after] = [word, words[at]].map((each) => each.replace(/\W$/, ""));
      assert.ok(before === after || kinds.get(before)?.includes(after), `${before}: ${after}`);
      if (before !== after) changed.add(before);
    });
  }
  assert.deepEqual([...changed].sort(), ["night", "sad", "sister", "tired"]);
  assert.equal([...changed].filter((word) => STOP_WORDS.has(word)).length, 0);
});

Deno.test("maskedLmText: the same every time, without a post of the demo set", () => {
  const texts = maskedLmText(3000);
  assert.deepEqual(maskedLmText(3000), texts);
  assert.ok(texts.length > 800);
  const demo = new Set(generateDemo().posts.map(({ text }) => text));
  assert.deepEqual(texts.filter((text) => demo.has(text)), []);
});
