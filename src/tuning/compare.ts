/** Comparing float arrays so that NaN and infinities cannot pass. */

export interface Tolerance {
  atol: number;
  rtol: number;
}

/**
 * How many elements fail |actual − expected| ≤ atol + rtol·|expected|, and which of them is the farthest off (−1: none).
 * What is not finite on either side fails, and is the farthest. The arrays have the same length.
 */
export function compare(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { atol, rtol }: Tolerance,
): { off: number; worst: number } {
  let off = 0;
  let worst = -1;
  let worstExcess = 0;
  for (let i = 0; i < expected.length; i++) {
    const excess = Math.abs(actual[i] - expected[i]) - (atol + rtol * Math.abs(expected[i]));
    if (excess <= 0) continue;
    off++;
    const size = Number.isNaN(excess) ? Infinity : excess;
    if (worst >= 0 && size <= worstExcess) continue;
    worst = i;
    worstExcess = size;
  }
  return { off, worst };
}
