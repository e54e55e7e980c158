/** Which words of a text may be replaced, and what a replacement is. */
import type { Span } from "../dataset/align.ts";
import { STOP_WORDS } from "./stop_words.ts";

/** What may stand in a word's place; weights are positive and need not sum to one. */
export interface Candidate {
  text: string;
  weight: number;
}

/** A word of a text that may be replaced: `text.slice(start, end)` in UTF-16 units, and by what, best first. */
export interface ReplaceableWord extends Span {
  candidates: readonly Candidate[];
}

/** Letters with apostrophes between them; not a part of something with digits, hyphens or underscores. */
const WORD =
  /(?<![\p{L}\p{M}\p{N}_]|[\p{L}\p{N}]['’-])\p{L}[\p{L}\p{M}]*(?:['’]\p{L}[\p{L}\p{M}]*)*(?![\p{L}\p{M}\p{N}_]|['’-][\p{L}\p{N}])/gu;

const FEWEST_LETTERS = 3;

/**
 * The words of the spans of a text that are worth replacing: letters only (apostrophes inside allowed), no stop words,
 * at least three letters. In order.
 */
export function contentWords(text: string, spans: readonly Span[]): Span[] {
  const words: Span[] = [];
  for (const { 0: word, index: start } of text.matchAll(WORD)) {
    const end = start + word.length;
    if (!spans.some((span) => span.start <= start && end <= span.end)) continue;
    if ((word.match(/\p{L}/gu) ?? []).length < FEWEST_LETTERS) continue;
    if (!STOP_WORDS.has(word.toLowerCase().replaceAll("’", "'"))) words.push({ start, end });
  }
  return words;
}
