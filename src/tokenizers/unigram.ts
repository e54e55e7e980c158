import { bytePieces } from "./byte_pairs.ts";
import type { UnigramModel } from "./document.ts";

/** How far an unknown character lies below the least probable piece (SentencePiece's constant). */
const UNKNOWN_PENALTY = 10;

/**
 * Splits a word into the most probable pieces (Kudo 2018, Viterbi), as `Unigram::encode_optimized` of the crate
 * `tokenizers` does: equal scores go to the piece that begins earlier, neighbouring unknown characters become one
 * unknown token.
 */
export function createUnigram(model: UnigramModel, unknownId: () => number): (word: string) => number[] {
  const ids = new Map(model.vocab.map(([piece], id) => [piece, id]));
  let lowest = Infinity;
  let longest = 1;
  for (const [piece, score] of model.vocab) {
    lowest = Math.min(lowest, score);
    longest = Math.max(longest, piece.length);
  }
  const unknownScore = lowest - UNKNOWN_PENALTY;
  const unknownPieces = (text: string): number[] =>
    (model.byte_fallback ? bytePieces(text, ids) : undefined) ?? [unknownId()];

  return (word) => {
    const length = word.length;
    const best = new Float64Array(length + 1);
    const begins = new Int32Array(length + 1).fill(-1);
    /** -1 for unknown characters. */
    const pieces = new Int32Array(length + 1);
    const offer = (begin: number, end: number, score: number, piece: number): void => {
      if (begins[end] >= 0 && score <= best[end]) return;
      best[end] = score;
      begins[end] = begin;
      pieces[end] = piece;
    };
    for (let begin = 0; begin < length;) {
      const next = begin + (word.codePointAt(begin)! > 0xffff ? 2 : 1);
      let hasSingle = false;
      for (let end = next; end <= Math.min(length, begin + longest); end++) {
        const piece = ids.get(word.slice(begin, end));
        if (piece === undefined) continue;
        offer(begin, end, model.vocab[piece][1] + best[begin], piece);
        if (end === next) hasSingle = true;
      }
      if (!hasSingle) offer(begin, next, unknownScore + best[begin], -1);
      begin = next;
    }
    const found: number[] = [];
    for (let end = length; end > 0;) {
      let begin = begins[end];
      if (pieces[end] < 0) {
        while (begin > 0 && pieces[begin] < 0) begin = begins[begin];
        for (const id of unknownPieces(word.slice(begin, end)).reverse()) found.push(id);
      } else {
        found.push(pieces[end]);
      }
      end = begin;
    }
    return found.reverse();
  };
}
