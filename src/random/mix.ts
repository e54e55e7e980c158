/**
 * One 32-bit seed from two numbers (the finalizer of MurmurHash3), so that the streams of neighbouring epochs, or of
 * neighbouring pairs, share nothing.
 */
export function mixSeeds(seed: number, index: number): number {
  let h = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca77)) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
