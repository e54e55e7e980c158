import assert from "node:assert/strict";
import { augmentEpoch, augmentText } from "../../src/augmentation/augment.ts";
import { contentWords, type ReplaceableWord } from "../../src/augmentation/words.ts";
import { Mt19937 } from "../../src/random/mt19937.ts";

/** Every content word of a text with these candidates. */
function replaceable(text: string, candidates = [{ text: "new", weight: 1 }]): ReplaceableWord[] {
  return contentWords(text, [{ start: 0, end: text.length }]).map((word) => ({ ...word, candidates }));
}
const augment = (text: string, prob: number, words = replaceable(text), seed = 1) =>
  augmentText(text, words, prob, new Mt19937(seed));

Deno.test("augmentText: prob 0 changes nothing, prob 1 every word with candidates and nothing else", () => {
  const text = "Sleep was gone,\nfor  weeks;  the bed “empty”.";
  assert.equal(augment(text, 0), text);
  assert.equal(augment(text, 1), "New was gone,\nfor  new;  the new “new”.");
  const words = replaceable(text);
  words[1] = { ...words[1], candidates: [] };
  assert.equal(augment(text, 1, words), "New was gone,\nfor  weeks;  the new “new”.");
  assert.equal(augment(text, 1, words.slice(2, 3)), "Sleep was gone,\nfor  weeks;  the new “empty”.");
  assert.equal(augment(text, 1, []), text);
});

Deno.test("augmentText: the case of the word is kept", () => {
  assert.equal(augment("Bed BED bed Ärger", 1), "New NEW new New");
});

Deno.test("augmentText: prob is the share of words replaced, weights the shares of candidates", () => {
  const text = Array.from({ length: 4000 }, () => "word").join(" ");
  const candidates = [{ text: "often", weight: 6 }, { text: "rare", weight: 2 }];
  const words = augment(text, 0.3, replaceable(text, candidates)).split(" ");
  const count = (word: string) => words.filter((other) => other === word).length;
  assert.equal(words.length, 4000);
  // Five standard deviations of a binomial distribution.
  assert.ok(Math.abs(count("often") - 900) < 132, `${count("often")}`);
  assert.ok(Math.abs(count("rare") - 300) < 83, `${count("rare")}`);
});

Deno.test("augmentText: a larger prob replaces what a smaller one does, and more", () => {
  const text = Array.from({ length: 200 }, (_, i) => `word${"abcdefghij"[i % 10]}`).join(" ");
  const changed = (prob: number) => {
    const words = augment(text, prob).split(" ");
    return new Set(words.flatMap((word, i) => word === "new" ? [i] : []));
  };
  const few = changed(0.2);
  const many = changed(0.6);
  assert.ok(few.size > 0 && many.size > few.size);
  assert.ok(few.isSubsetOf(many));
});

Deno.test("augmentEpoch: a function of seed, epoch and pair alone; only changed pairs are in it", () => {
  const text = "alpha beta gamma delta epsilon zeta";
  const candidates = ["one", "two", "three"].map((text) => ({ text, weight: 1 }));
  const pair = (index: number) => [index, text, replaceable(text, candidates)] as const;
  const draw = (pairs: number[], seed = 3, epoch = 0, prob = 0.5) =>
    augmentEpoch(pairs.map(pair), { prob, seed, epoch });
  const all = draw([0, 1, 2, 7]);
  assert.equal(new Set(all.values()).size, 4);
  assert.equal(draw([7]).get(7), all.get(7));
  assert.equal(draw([2, 7, 1]).get(1), all.get(1));
  assert.notEqual(draw([7], 3, 1).get(7), all.get(7));
  assert.notEqual(draw([7], 4, 0).get(7), all.get(7));
  assert.equal(draw([0, 1, 2, 7], 3, 0, 0).size, 0);
});
