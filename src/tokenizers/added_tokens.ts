/** Tokens that are found in texts before the model sees them, as the crate `tokenizers` does. */
import type { AddedTokenWithId } from "./document.ts";
import type { Normalizer } from "./normalizers.ts";
import { WORD } from "./unicode.ts";

/** A stretch of text, or the id of an added token. */
export type Section = string | number;

const ENDS_WITH_WORD = new RegExp(`${WORD}$`, "v");
const STARTS_WITH_WORD = new RegExp(`^${WORD}`, "v");

/** Parts a text at the tokens, of which the longest counts where several begin; empty stretches are left out. */
export function createTokenFinder(
  tokens: readonly AddedTokenWithId[],
  normalize: Normalizer = (text) => text,
): (text: string) => Section[] {
  const byText = new Map(tokens.map((token) => [normalize(token.content), token]));
  byText.delete("");
  if (byText.size === 0) return (text) => text === "" ? [] : [text];
  const longestFirst = [...byText.keys()].sort((a, b) => b.length - a.length);
  const expression = new RegExp(longestFirst.map((content) => RegExp.escape(content)).join("|"), "gu");
  return (text) => {
    const sections: Section[] = [];
    let end = 0;
    for (const match of text.matchAll(expression)) {
      const token = byText.get(match[0])!;
      let start = match.index;
      let stop = start + match[0].length;
      if (token.single_word && isWithinWord(text, start, stop)) continue;
      if (token.lstrip) { while (start > end && isSpace(text[start - 1])) start--; }
      if (token.rstrip) { while (stop < text.length && isSpace(text[stop])) stop++; }
      if (start > end) sections.push(text.slice(end, start));
      sections.push(token.id);
      end = stop;
    }
    if (end < text.length) sections.push(text.slice(end));
    return sections;
  };
}

/** Whether a word goes on at either end; two units are enough for the character there. */
const isWithinWord = (text: string, start: number, stop: number): boolean =>
  ENDS_WITH_WORD.test(text.slice(Math.max(0, start - 2), start)) || STARTS_WITH_WORD.test(text.slice(stop, stop + 2));

const isSpace = (character: string): boolean => /\p{White_Space}/u.test(character);
