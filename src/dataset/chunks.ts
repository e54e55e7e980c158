/** Cutting a post into chunks that overlap. */

/** The tokens from `start` up to, not including, `end`. */
export interface TokenRange {
  start: number;
  end: number;
}

/**
 * The chunks of `length` tokens, each of `size` tokens of which the first `stride` (less than `size`) are the last of the
 * chunk before it; the chunk that reaches the end is the last, and may be shorter.
 */
export function chunkRanges(length: number, size: number, stride: number): TokenRange[] {
  const ranges: TokenRange[] = [];
  for (let start = 0;; start += size - stride) {
    const end = Math.min(start + size, length);
    ranges.push({ start, end });
    if (end === length) return ranges;
  }
}
