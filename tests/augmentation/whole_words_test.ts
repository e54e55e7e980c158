import assert from "node:assert/strict";
import { likelyWords, wholeWords } from "../../src/augmentation/whole_words.ts";
import type { TokenizerDocument } from "../../src/tokenizers/document.ts";
import { wordReader } from "../../src/tokenizers/whole_words.ts";

const UNIGRAM = ["[CLS]", "▁sleep", "s", "▁the", "▁rest", "▁", ".", "▁Rest", "▁4am", "▁Anna", "▁doze", "▁it", "[MASK]"];

const unigram = { model: { type: "Unigram", vocab: [] } } as TokenizerDocument;
const wordsOf = (vocabulary: readonly (string | undefined)[], special: number[], document = unigram) =>
  wholeWords({ vocabulary, specialIds: new Set(special), wordOf: wordReader(document) });
const words = wordsOf(UNIGRAM, [0, 12]);

/** Logits whose softmax is these probabilities, by token; the rest shares what is left. */
function logitsOf(vocabulary: readonly string[], probabilities: Record<string, number>): Float32Array {
  const named = Object.values(probabilities).reduce((sum, p) => sum + p, 0);
  const rest = (1 - named) / (vocabulary.length - Object.keys(probabilities).length);
  return Float32Array.from(vocabulary, (token) => Math.log(probabilities[token] ?? rest));
}

function check(candidates: { text: string; weight: number }[], expected: [string, number][]): void {
  assert.deepEqual(candidates.map(({ text }) => text), expected.map(([text]) => text));
  candidates.forEach(({ weight }, i) => assert.ok(Math.abs(weight - expected[i][1]) < 1e-6, `${weight}`));
}

Deno.test("wholeWords: words with SentencePiece's mark; no continuations, stop words, marks, digits, special tokens", () => {
  assert.deepEqual(words.texts, ["sleep", "rest", "Rest", "Anna", "doze"]);
  assert.deepEqual([...words.ids], [1, 4, 7, 9, 10]);
  assert.deepEqual(wordsOf(["▁pad", "▁tired"], [0]).texts, ["tired"]);
});

Deno.test("wholeWords: words of WordPiece; no continuations", () => {
  const wordPiece = ["[UNK]", "sleep", "##ing", "##", "an", "and", "tired", "!", undefined];
  const model = { type: "WordPiece", vocab: {}, unk_token: "[UNK]", continuing_subword_prefix: "##" } as const;
  assert.deepEqual(wordsOf(wordPiece, [0], { model }).texts, ["sleep", "tired"]);
});

Deno.test("wholeWords: words of bytes; no beginnings of texts, no parts of a letter", () => {
  const bytes = ["<s>", "sleep", "Ġsleep", "ing", "Ġcaf", "Ġcaf\u00c3\u00a9", "Ġ\u00c3", "Ġand", "Ġ4", "▁tired", "Ġ"];
  const document: TokenizerDocument = { model: { type: "BPE", vocab: {}, merges: [] }, decoder: { type: "ByteLevel" } };
  assert.deepEqual(wordsOf(bytes, [0], document).texts, ["sleep", "caf", "café"]);
});

Deno.test("likelyWords: the most probable words but the word itself, weighted with their probabilities", () => {
  const logits = logitsOf(UNIGRAM, { "▁sleep": 0.5, "▁rest": 0.1, "▁doze": 0.2, "▁the": 0.1, s: 0.05 });
  check(likelyWords(logits, words, "sleep"), [["doze", 0.2], ["rest", 0.1]]);
  check(likelyWords(logits, words, "doze"), [["sleep", 0.5], ["rest", 0.1]]);
});

Deno.test("likelyWords: capitals are those of the word, and a word comes once", () => {
  const logits = logitsOf(UNIGRAM, { "▁sleep": 0.3, "▁Rest": 0.2, "▁rest": 0.15, "▁Anna": 0.1, "▁doze": 0.05 });
  check(likelyWords(logits, words, "Sleep"), [["Rest", 0.2], ["Anna", 0.1], ["Doze", 0.05]]);
  check(likelyWords(logits, words, "SLEEP"), [["REST", 0.2], ["ANNA", 0.1], ["DOZE", 0.05]]);
  check(likelyWords(logits, words, "rest"), [["sleep", 0.3], ["doze", 0.05]]);
});

Deno.test("likelyWords: at most ten; none that the model all but rules out", () => {
  const vocabulary = Array.from({ length: 40 }, (_, i) => `▁word${String.fromCharCode(97 + i % 26).repeat(1 + i)}`);
  const many = wordsOf(vocabulary, []);
  const probabilities = Object.fromEntries(vocabulary.map((token, i) => [token, 0.05 * 0.9 ** i]));
  const logits = logitsOf([...vocabulary, "rest"], probabilities);
  check(likelyWords(logits, many, "x"), vocabulary.slice(0, 10).map((token, i) => [token.slice(1), 0.05 * 0.9 ** i]));
  const certain = logitsOf(UNIGRAM, { "▁sleep": 0.95, "▁rest": 0.011, "▁doze": 0.009 });
  check(likelyWords(certain, words, "sleep"), [["rest", 0.011]]);
});
