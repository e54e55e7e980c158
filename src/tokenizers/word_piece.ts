import type { WordPieceModel } from "./document.ts";

/** The longest piece that a word begins with, and so on (Wu et al. 2016); a word that cannot be cut so is unknown. */
export function createWordPiece(model: WordPieceModel, unknownId: () => number): (word: string) => number[] {
  const { continuing_subword_prefix: prefix, max_input_chars_per_word: most } = model;
  const [first, later] = [new Map<string, number>(), new Map<string, number>()];
  let longest = 1;
  for (const [piece, id] of Object.entries(model.vocab)) {
    first.set(piece, id);
    if (piece.startsWith(prefix)) later.set(piece.slice(prefix.length), id);
    longest = Math.max(longest, piece.length);
  }
  return (word) => {
    if (word.length > (most ?? 100) && lengthOf(word) > (most ?? 100)) return [unknownId()];
    const ids: number[] = [];
    for (let start = 0; start < word.length;) {
      const pieces = start === 0 ? first : later;
      let end = Math.min(word.length, start + longest);
      while (end > start && !pieces.has(word.slice(start, end))) end--;
      if (end === start) return [unknownId()];
      ids.push(pieces.get(word.slice(start, end))!);
      start = end;
    }
    return ids;
  };
}

/** Characters of a text, not UTF-16 units. */
function lengthOf(text: string): number {
  let length = 0;
  for (const _ of text) length++;
  return length;
}
