/** Sentences of the demo's posts, changed as annotators and copies change them, where they stand and where they do not. */
import assert from "node:assert/strict";
import { alignSentence } from "../../src/dataset/align.ts";
import { findSentence } from "../../src/dataset/evidence_spans.ts";
import { loadAnnotations, loadPosts } from "../../src/dataset/prepare.ts";
import { Mt19937 } from "../../src/random/mt19937.ts";

const DEMO = decodeURIComponent(new URL("../../data/demo", import.meta.url).pathname);
const posts = await loadPosts(`${DEMO}/posts.csv`);
const annotations = await loadAnnotations(`${DEMO}/annotations.csv`);
const texts = [...posts.values()];
const vocabulary = [...new Set(texts.join(" ").toLowerCase().match(/[a-z]+/g)!)];

const random = new Mt19937(5);
const below = (count: number) => Math.floor(random.random() * count);
const anyOf = <T>(values: readonly T[]): T => values[below(values.length)];

function withTypingErrors(text: string, count: number): string {
  let result = text;
  for (let k = 0; k < count; k++) {
    const at = below(result.length);
    const letter = anyOf([..."abcdefghijklmnopqrstuvwxyz"]);
    const [before, here, after] = [result.slice(0, at), result[at], result.slice(at + 1)];
    result = before + anyOf([letter + after, after, letter + here + after, after.slice(0, 1) + here + after.slice(1)]);
  }
  return result;
}

/** The sentence with its words changed at one place. */
function withWords(text: string, remove: number, added: readonly string[]): string {
  const words = text.split(" ");
  words.splice(below(words.length), remove, ...added);
  return words.join(" ");
}

const CHANGES: Record<string, (sentence: string) => string> = {
  typography: (sentence) => sentence.replace(/[.,;:]/g, "").toUpperCase().replaceAll("'", "’"),
  "typing errors": (sentence) => withTypingErrors(sentence, Math.ceil(sentence.length / 25)),
  "a word less": (sentence) => withWords(sentence, 1, []),
  "a word more": (sentence) => withWords(sentence, 0, [anyOf(vocabulary)]),
  "another word": (sentence) => withWords(sentence, 1, [anyOf(vocabulary)]),
  "a word less, errors, no case": (sentence) => withWords(withTypingErrors(sentence, 1), 1, []).toLowerCase(),
};

Deno.test("alignSentence: of the demo's sentences, changed in six ways, none is found in a wrong place", () => {
  let right = 0;
  let tried = 0;
  for (const [change, apply] of Object.entries(CHANGES)) {
    for (const { postId, sentence } of annotations) {
      const post = posts.get(postId)!;
      const { span } = findSentence(post, sentence)!;
      const changed = apply(sentence);
      if (changed.trim() === "" || findSentence(post, changed)?.how === "verbatim") continue;
      const what = `${change}: "${changed}" in "${post}"`;
      const found = alignSentence(post, changed);
      if (found !== null) assert.deepEqual(found, span, what);
      right += found === null ? 0 : 1;
      tried++;
      // Where the sentence is gone there is nothing to find, and in a post of somebody else neither.
      assert.equal(alignSentence(post.slice(0, span.start) + post.slice(span.end), changed), null, what);
      const other = anyOf(texts);
      if (!other.includes(sentence.slice(0, -1))) {
        assert.equal(alignSentence(other, changed), null, `${what}, ${other}`);
      }
    }
  }
  // Half of them; the others are left out rather than guessed at.
  assert.ok(right > 4500 && tried > 8500, `${right} of ${tried}`);
});
