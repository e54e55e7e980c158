/** A text with one of its words masked, as a masked language model reads it. */
import { EntailError } from "../errors.ts";
import type { TokenizedPair } from "./batches.ts";
import type { Span } from "./align.ts";
import type { PairTokenizer } from "./tokenizer.ts";

export interface MaskedWord extends TokenizedPair {
  /** Place of the mask in `ids`. */
  masked: number;
}

/** Id of the tokenizer's mask token. Data error, which names the folder, where it has none. */
export function maskTokenId({ maskId }: PairTokenizer, folder: string): number {
  if (maskId !== undefined) return maskId;
  throw new EntailError(
    "data",
    `${folder}: the tokenizer has no mask token; name the folder of a masked language model`,
  );
}

/**
 * Masks words, one at a time: `[CLS] tokens before, mask, tokens after [SEP]` where one mask stands for all tokens of
 * the word and the others are those of the text as it is. Of a text that is longer than `maxLength` tokens the stretch
 * around the word stays, with as many tokens on either side as there are.
 */
export function createWordMasker(
  tokenizer: PairTokenizer,
  { maskId, maxLength }: { maskId: number; maxLength: number },
): (text: string, word: Span) => MaskedWord {
  const { single } = tokenizer;
  const room = maxLength - single.specialTokens - 1;
  // The words of a text usually follow each other.
  let last = { text: "", ids: [] as number[] };

  const surroundings = (text: string, { start, end }: Span): { before: number[]; after: number[] } => {
    if (last.text !== text) last = { text, ids: tokenizer.encode(text) };
    const before = tokenizer.encode(text.slice(0, start).trimEnd());
    const through = tokenizer.encode(text.slice(0, end));
    if (through.length > before.length && isPrefix(before, through) && isPrefix(through, last.ids)) {
      return { before, after: last.ids.slice(through.length) };
    }
    // A token reaches over an end of the word.
    return { before, after: tokenizer.encode(text.slice(end)) };
  };

  return (text, word) => {
    const { before, after } = surroundings(text, word);
    const half = Math.floor(room / 2);
    const left = Math.min(before.length, Math.max(half, room - after.length));
    const right = Math.min(after.length, room - left);
    const ids = [...before.slice(before.length - left), maskId, ...after.slice(0, right)];
    return { ...single.fill(ids, ids.length, []), masked: single.leadingTokens + left };
  };
}

const isPrefix = (part: readonly number[], whole: readonly number[]): boolean =>
  part.length <= whole.length && part.every((id, i) => id === whole[i]);
