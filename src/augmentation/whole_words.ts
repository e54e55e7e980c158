/** What a masked language model's vocabulary offers in place of a word. */
import type { PairTokenizer } from "../dataset/tokenizer.ts";
import { type Candidate, contentWords } from "./words.ts";

/** Tokens that are whole words, by id. */
export interface WholeWords {
  readonly ids: Uint32Array;
  readonly texts: readonly string[];
}

/** Candidates of a word at most. */
const MOST_CANDIDATES = 10;
/** What the model gives less than this it does not offer: the word stands in a phrase that leaves no choice. */
const LEAST_PROBABILITY = 0.01;
/** Tokens looked at for them, since some differ in their capitals alone. */
const MOST_TOKENS = 4 * MOST_CANDIDATES;

/**
 * The whole words of a vocabulary that could be replaced themselves: letters only, no stop words, no special tokens.
 */
export function wholeWords(
  { vocabulary, specialIds, wordOf }: Pick<PairTokenizer, "vocabulary" | "specialIds" | "wordOf">,
): WholeWords {
  const ids: number[] = [];
  const texts: string[] = [];
  vocabulary.forEach((token, id) => {
    if (token === undefined || specialIds.has(id)) return;
    const text = wordOf(token) ?? "";
    if (!/^\p{L}+$/u.test(text) || contentWords(text, [{ start: 0, end: text.length }]).length === 0) return;
    ids.push(id);
    texts.push(text);
  });
  return { ids: Uint32Array.from(ids), texts };
}

/**
 * The most probable whole words in place of `word`, best first, weighted with their probabilities: at most ten, written
 * as `word` is, never `word` itself, each with a probability of at least 0.01. `logits` are over the vocabulary. A small
 * word gets no words with capitals (names).
 */
export function likelyWords(logits: Float32Array, { ids, texts }: WholeWords, word: string): Candidate[] {
  const small = isSmall(word);
  const own = word.toLowerCase();
  // Places in `ids`, by falling logit; equal ones in the vocabulary's order.
  const best: number[] = [];
  const worst = () => logits[ids[best[best.length - 1]]];
  for (let at = 0; at < ids.length; at++) {
    const logit = logits[ids[at]];
    if (best.length === MOST_TOKENS && logit <= worst()) continue;
    if ((small && !isSmall(texts[at])) || texts[at].toLowerCase() === own) continue;
    if (best.length === MOST_TOKENS) best.pop();
    let place = best.length;
    while (place > 0 && logits[ids[best[place - 1]]] < logit) place--;
    best.splice(place, 0, at);
  }
  const total = logSumExp(logits);
  const found = new Map<string, Candidate>();
  for (const at of best) {
    const weight = Math.exp(logits[ids[at]] - total);
    const text = writtenLike(word, texts[at]);
    if (weight >= LEAST_PROBABILITY && !found.has(text)) found.set(text, { text, weight });
  }
  return [...found.values()].slice(0, MOST_CANDIDATES);
}

const isSmall = (word: string): boolean => word === word.toLowerCase();

/** `replacement` with the capitals of `word`: none, the first letter, or all. */
function writtenLike(word: string, replacement: string): string {
  if (isSmall(word)) return replacement;
  if (word === word.toUpperCase()) return replacement.toUpperCase();
  return /^\p{Lu}/u.test(word) ? replacement.replace(/^./u, (letter) => letter.toUpperCase()) : replacement;
}

/** log Σ exp(x), in float64. */
function logSumExp(x: Float32Array): number {
  let largest = -Infinity;
  for (const value of x) if (value > largest) largest = value;
  let sum = 0;
  for (const value of x) sum += Math.exp(value - largest);
  return largest + Math.log(sum);
}
