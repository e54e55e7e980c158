/** A Unigram vocabulary as tokenizer.json has it. */
export interface UnigramModel {
  /** Piece and log probability by id. */
  vocab: [string, number][];
  unk_id?: number | null;
  byte_fallback?: boolean;
}

/** How far an unknown character lies below the least probable piece (SentencePiece's constant). */
const UNKNOWN_PENALTY = 10;

/** Words whose segmentation is kept. */
const CACHE_SIZE = 50_000;

/**
 * Splits a word into the most probable pieces (Kudo 2018, Viterbi), as `Unigram::encode_optimized` of the crate
 * `tokenizers` does: equal scores go to the piece that begins earlier, neighbouring unknown characters become one
 * unknown token. Returns pieces; the unknown token's own text stands for unknown ones.
 */
export function createUnigram(model: UnigramModel): (word: string) => string[] {
  const scores = new Map(model.vocab);
  const unknown = model.unk_id == null ? undefined : model.vocab[model.unk_id]?.[0];
  let lowest = Infinity;
  let longest = 1;
  for (const [piece, score] of model.vocab) {
    lowest = Math.min(lowest, score);
    longest = Math.max(longest, piece.length);
  }
  const unknownScore = lowest - UNKNOWN_PENALTY;
  const cache = new Map<string, string[]>();

  const unknownPieces = (text: string): string[] => {
    if (model.byte_fallback) {
      const bytes = Array.from(
        new TextEncoder().encode(text),
        (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
      );
      if (bytes.every((piece) => scores.has(piece))) return bytes;
    }
    if (unknown === undefined) throw new Error(`the tokenizer has no unknown token and cannot encode "${text}"`);
    return [unknown];
  };

  const segment = (word: string): string[] => {
    const length = word.length;
    const best = new Float64Array(length + 1);
    const begins = new Int32Array(length + 1).fill(-1);
    const isUnknown = new Uint8Array(length + 1);
    const offer = (begin: number, end: number, score: number, asUnknown: number): void => {
      if (begins[end] >= 0 && score <= best[end]) return;
      best[end] = score;
      begins[end] = begin;
      isUnknown[end] = asUnknown;
    };
    for (let begin = 0; begin < length;) {
      const next = begin + (word.codePointAt(begin)! > 0xffff ? 2 : 1);
      let hasSingle = false;
      for (let end = next; end <= Math.min(length, begin + longest); end++) {
        const score = scores.get(word.slice(begin, end));
        if (score === undefined) continue;
        offer(begin, end, score + best[begin], 0);
        if (end === next) hasSingle = true;
      }
      if (!hasSingle) offer(begin, next, unknownScore + best[begin], 1);
      begin = next;
    }
    const pieces: string[] = [];
    for (let end = length; end > 0;) {
      let begin = begins[end];
      if (isUnknown[end]) {
        while (begin > 0 && isUnknown[begin]) begin = begins[begin];
        pieces.push(...unknownPieces(word.slice(begin, end)).reverse());
      } else {
        pieces.push(word.slice(begin, end));
      }
      end = begin;
    }
    return pieces.reverse();
  };

  return (word) => {
    let pieces = cache.get(word);
    if (pieces === undefined) {
      pieces = segment(word);
      if (cache.size < CACHE_SIZE) cache.set(word, pieces);
    }
    return pieces;
  };
}
