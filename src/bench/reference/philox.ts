/** Philox 4x32-10 and the dropout decisions of kernels/lib/dropout.wgsl, in BigInt arithmetic. */
export function philox(counter: [number, number, number, number], key: [number, number]): number[] {
  let [c0, c1, c2, c3] = counter.map(BigInt);
  let [k0, k1] = key.map(BigInt);
  const mask = 0xffffffffn;
  for (let round = 0; round < 10; round++) {
    const p0 = 0xD2511F53n * c0;
    const p1 = 0xCD9E8D57n * c2;
    [c0, c1, c2, c3] = [(p1 >> 32n) ^ c1 ^ k0, p1 & mask, (p0 >> 32n) ^ c3 ^ k1, p0 & mask];
    k0 = (k0 + 0x9E3779B9n) & mask;
    k1 = (k1 + 0xBB67AE85n) & mask;
  }
  return [c0, c1, c2, c3].map(Number);
}

/** Neighbouring elements share four words. */
let last: { of: string; words: number[] } = { of: "", words: [] };

/** The factor (0 or 1/(1−rate)) of element `index` at `site` in `step`. */
export function dropoutFactor(rate: number, key: [number, number], step: number, site: number, index: number): number {
  if (rate === 0) return 1;
  const of = `${key} ${step} ${site} ${index >>> 2}`;
  if (last.of !== of) last = { of, words: philox([index >>> 2, site, step, 0], key) };
  return last.words[index & 3] >= Math.round(rate * 2 ** 32) ? Math.fround(1 / (1 - rate)) : 0;
}
