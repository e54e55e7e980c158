/** Comparing float arrays so that NaN, infinities and wrong lengths cannot pass. */
import { AssertionError } from "node:assert";
import { compare, type Tolerance } from "../../src/tuning/compare.ts";

/** Passes where every |actual − expected| ≤ atol + rtol·|expected|; otherwise names the worst element and how many are off. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: Tolerance,
  label = "values",
): void {
  if (actual.length !== expected.length) {
    throw new AssertionError({ message: `${label}: ${actual.length} elements, expected ${expected.length}` });
  }
  const { off, worst } = compare(actual, expected, tolerance);
  if (off === 0) return;
  const { atol, rtol } = tolerance;
  throw new AssertionError({
    message: `${label}: ${off} of ${expected.length} are off (atol ${atol}, rtol ${rtol}); worst at ${worst}: ` +
      `${actual[worst]}, expected ${expected[worst]}`,
  });
}

/** Numbers in [-scale, scale) from a seed (mulberry32), for test inputs. */
export function randomArray(length: number, seed: number, scale = 1): Float32Array<ArrayBuffer> {
  let state = seed >>> 0;
  return Float32Array.from({ length }, () => {
    state = (state + 0x6D2B79F5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1) * scale;
  });
}
