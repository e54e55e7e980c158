import assert from "node:assert/strict";
import { openWordNet, type PartOfSpeech } from "../../src/augmentation/wordnet.ts";

const wordNet = await openWordNet();

/** Senses as "count: synonym count, …". */
const senses = (lemma: string, partOfSpeech: PartOfSpeech) =>
  wordNet.senses(lemma, partOfSpeech).map(({ count, synonyms }) =>
    `${count}: ${synonyms.map(({ lemma, count }) => `${lemma} ${count}`).join(", ")}`
  );

// Expected values: `wn sleep -synsv -o -s`, and the files themselves.
Deno.test("openWordNet: senses in order, with their synonyms and how often each was tagged", () => {
  assert.deepEqual(senses("sleep", "verb"), ["58: kip 0, slumber 2, log_Z's 0, catch_some_Z's 0", "0: "]);
  assert.deepEqual(senses("sleep", "noun")[0], "23: slumber 1");
  assert.deepEqual(senses("badly", "adv")[1], "4: ill 3, poorly 9");
});

Deno.test("openWordNet: satellites are adjectives, and where an adjective may stand is no part of it", () => {
  // despicable, ugly, vile, slimy, unworthy, worthless(ip), wretched: a satellite.
  assert.deepEqual(senses("worthless", "adj")[1], "0: despicable 0, ugly 0, vile 1, slimy 0, unworthy 0, wretched 0");
  assert.match(senses("unworthy", "adj").join(), /worthless 0/);
});

Deno.test("openWordNet: the first and the last word of a file, prefixes and strangers", () => {
  assert.equal(senses("'hood", "noun").length, 1);
  assert.deepEqual(senses("zymurgy", "noun"), ["0: zymology 0"]);
  for (const stranger of ["slee", "sleepx", "zzzzz", "!", "1", "licence of princeton"]) {
    assert.deepEqual(senses(stranger, "verb"), [], stranger);
  }
});
