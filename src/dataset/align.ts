/**
 * Finding a sentence that its post has in nearly the same words: a typing error mended, other quotes, a word more or less.
 * Rather not at all than in the wrong place: what is compared is whole sentences, and what says who feels what, or that
 * somebody does not, must be the same.
 */
import { distance as levenshtein } from "../packages/fastest_levenshtein.ts";

/** A stretch of a post, in UTF-16 units: `post.slice(start, end)`. */
export interface Span {
  start: number;
  end: number;
}

/** Share of its words that a place must have in common with the sentence, and by how much more than any other place. */
const LEAST_SIMILARITY = 0.8;
const MARGIN = 0.2;

/** Less than two words may be too many or too few, however long the sentence; one replaced by another is both. */
const EDITS = 2;

/** Consecutive sentences of a post that may be one sentence of the annotation. */
const MOST_SENTENCES = 3;

/** Shorter sentences must have the same words. */
const FEWEST_WORDS = 4;

/** Words that turn a sentence into another one: a place that lacks one of them, or has another one, is not the same. */
const TELLING = new Set(
  ("no not never none nothing nobody nor neither without hardly barely longer stopped cannot " +
    "i me my mine myself we us our you your he him his she her hers they them their it its " +
    "if when used was were had last once ago").split(" "),
);
const isTelling = (word: string): boolean => TELLING.has(word) || word.endsWith("n't");

/** Where the sentence stands in other words; null where nothing is near enough, or two places are. */
export function alignSentence(post: string, sentence: string): Span | null {
  const wanted = wordsOf(sentence);
  const places = windows(post)
    .map((span) => ({ span, similarity: similarity(wanted, wordsOf(post.slice(span.start, span.end))) }))
    .sort((a, b) => b.similarity - a.similarity);
  const [best] = places;
  if (best === undefined || best.similarity < LEAST_SIMILARITY) return null;
  const second = places.find(({ span }) => span.end <= best.span.start || span.start >= best.span.end);
  return second === undefined || best.similarity - second.similarity >= MARGIN ? best.span : null;
}

/** The sentences of a post, and what two and three of them are together. */
function windows(post: string): Span[] {
  const sentences = [...new Intl.Segmenter("en", { granularity: "sentence" }).segment(post)]
    .map(({ segment, index }) => {
      const start = index + segment.length - segment.trimStart().length;
      return { start, end: Math.max(start, index + segment.trimEnd().length) };
    })
    .filter(({ start, end }) => start < end);
  return sentences.flatMap(({ start }, first) =>
    sentences.slice(first, first + MOST_SENTENCES).map(({ end }) => ({ start, end }))
  );
}

/** Without case, punctuation and what Unicode spells in several ways. */
const wordsOf = (text: string): string[] =>
  text.normalize("NFKC").toLowerCase().replaceAll(/[‘’ʼ`´]/g, "'").replaceAll(/[\u00ad\u200b-\u200d\u2060\ufeff]/g, "")
    .match(/[\p{L}\p{M}\p{N}]+(?:'[\p{L}\p{M}]+)*/gu) ?? [];

/** 1 for the same words; 0 where a telling word differs. */
function similarity(a: readonly string[], b: readonly string[]): number {
  const longer = Math.max(a.length, b.length);
  if (
    longer === 0 || Math.abs(a.length - b.length) >= EDITS ||
    a.filter(isTelling).join(" ") !== b.filter(isTelling).join(" ")
  ) return 0;
  const distance = wordEdits(a, b);
  if (distance >= EDITS || distance > 0 && Math.min(a.length, b.length) < FEWEST_WORDS) return 0;
  return 1 - distance / longer;
}

/** 0 for the same word, little for one with a typing error, for another as much as leaving it out and adding the other. */
function wordDistance(a: string, b: string): number {
  if (a === b) return 0;
  if (isTelling(a) || isTelling(b)) return 2;
  const length = Math.max(a.length, b.length);
  const distance = levenshtein(a, b);
  return distance <= length / 4 ? distance / length : 2;
}

/** The least cost of leaving out and adding words (1 each) and of replacing them that makes `b` of `a`. */
function wordEdits(a: readonly string[], b: readonly string[]): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const [i, word] of a.entries()) {
    const next = [i + 1];
    for (const [j, other] of b.entries()) {
      next.push(Math.min(row[j + 1] + 1, next[j] + 1, row[j] + wordDistance(word, other)));
    }
    row = next;
  }
  return row[b.length];
}
