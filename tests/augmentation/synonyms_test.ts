import assert from "node:assert/strict";
import { openSynonyms } from "../../src/augmentation/synonyms.ts";
import { contentWords } from "../../src/augmentation/words.ts";

const find = await openSynonyms();

/** The candidates of each content word, as texts, best first. */
function synonyms(text: string): Record<string, string[]> {
  const spans = [{ start: 0, end: text.length }];
  const words = contentWords(text, spans);
  const candidates = find({ text, spans, words });
  assert.equal(candidates.length, words.length);
  return Object.fromEntries(
    words.map(({ start, end }, i) => [text.slice(start, end), candidates[i].map(({ text }) => text)]),
  );
}

Deno.test("openSynonyms: synonyms of the likely senses, in WordNet's words, without the word and its kin", () => {
  const { doctor } = synonyms("My doctor listened.");
  assert.deepEqual(doctor, ["physician", "doc", "medico"]); // not "Dr.", "MD", "medical practitioner", "Doctor"
  assert.deepEqual(synonyms("We choose to talk.").choose, ["select"]); // not "take", a stop word, nor "pick_out"
  assert.deepEqual(synonyms("The sky was grey.").grey, ["grayish"]); // not "gray", another spelling
  assert.deepEqual(synonyms("A bed and a table.").bed, []); // furniture has none, and a river's bottom is unlikely
});

Deno.test("openSynonyms: the part of speech decides", () => {
  const verb = synonyms("I cannot sleep at night.").sleep;
  const noun = synonyms("The sleep was deep.").sleep;
  assert.ok(verb.includes("kip") && !noun.includes("kip"), `${verb} / ${noun}`);
  assert.deepEqual(synonyms("They watch films.").watch, ["follow", "observe"]);
  assert.ok(!synonyms("I lost the watch of my aunt.").watch.includes("observe"));
});

Deno.test("openSynonyms: a replacement has the word's number and tense", () => {
  assert.ok(synonyms("We saw two films.").films.includes("movies"));
  assert.ok(synonyms("The doctors listened.").doctors.includes("physicians"));
  assert.deepEqual(synonyms("He finishes whole pages.").finishes, ["completes"]);
  assert.ok(synonyms("I was sleeping until noon.").sleeping.includes("slumbering"));
  assert.ok(synonyms("Last year I slept until noon.").slept.includes("slumbered"));
  // "find" would be "found", "experience" is regular; forms that are past but not participle never come up.
  assert.ok(!synonyms("I have spoken to them.").spoken.includes("mouthed"));
});

Deno.test("openSynonyms: names, times, phrasal verbs and words that nobody knows are left alone", () => {
  for (const [text, word] of [["She wakes up tired.", "wakes"], ["In the qwertzing of it.", "qwertzing"]]) {
    assert.deepEqual(synonyms(text)[word], [], text);
  }
  assert.deepEqual(synonyms("I saw Robert in London on Tuesday."), {
    saw: synonyms("I saw Robert.").saw,
    Robert: [],
    London: [],
    Tuesday: [],
  });
});

Deno.test("openSynonyms: after an article only words that take the same one", () => {
  assert.deepEqual(synonyms("He is a physician.").physician.filter((word) => /^[aeiou]/.test(word)), []);
  const { error } = synonyms("It was an error.");
  assert.deepEqual(error.filter((word) => !/^[aeiou]/.test(word)), []);
  assert.ok(synonyms("It was the error.").error.includes("mistake"));
});

Deno.test("openSynonyms: a line break inside a sentence does not change what its words are", () => {
  assert.deepEqual(synonyms("I cannot\n sleep\r\nat night."), synonyms("I cannot  sleep  at night."));
});

Deno.test("openSynonyms: weights are positive, fall, and say which sense is likely", () => {
  const text = "I cannot sleep.";
  const spans = [{ start: 0, end: text.length }];
  const [candidates] = find({ text, spans, words: contentWords(text, spans) });
  // WordNet's counts in this sense: slumber 2, kip 0; plus one each.
  assert.deepEqual(candidates, [{ text: "slumber", weight: 0.75 }, { text: "kip", weight: 0.25 }]);
});
