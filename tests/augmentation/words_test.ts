import assert from "node:assert/strict";
import { contentWords } from "../../src/augmentation/words.ts";

const words = (text: string, spans = [{ start: 0, end: text.length }]) =>
  contentWords(text, spans).map(({ start, end }) => text.slice(start, end));

Deno.test("contentWords: words of three letters and more that are no stop words, in order", () => {
  assert.deepEqual(words("I never sleep; my MOTHER's bed is an old sofa."), [
    "sleep",
    "MOTHER's",
    "bed",
    "old",
    "sofa",
  ]);
  assert.deepEqual(words("I don't, I DON’T, and I won't"), []);
});

Deno.test("contentWords: parts of something larger are left alone", () => {
  assert.deepEqual(words("self-esteem b12vitamin covid19 snake_case 'quoted' ‘curly’ (round)"), [
    "quoted",
    "curly",
    "round",
  ]);
});

Deno.test("contentWords: letters of any script, with combining marks", () => {
  assert.deepEqual(words("naïve cafe\u0301 грусть"), ["naïve", "cafe\u0301", "грусть"]);
});

Deno.test("contentWords: only words that lie wholly in a span", () => {
  const text = "alpha beta\ngamma delta";
  assert.deepEqual(words(text, [{ start: 6, end: 16 }]), ["beta", "gamma"]);
  assert.deepEqual(words(text, [{ start: 1, end: 8 }]), []);
  assert.deepEqual(words(text, [{ start: 0, end: 5 }, { start: 17, end: 22 }]), ["alpha", "delta"]);
  assert.deepEqual(words(text, []), []);
});
