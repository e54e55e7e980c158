/** A small seeded generator (mulberry32, 32 bits of state): enough for text, and the same on every machine. */
export type Random = {
  /** A number in [0, 1). */
  next(): number;
  /** An integer in [0, count). */
  below(count: number): number;
  /** One element. */
  pick<T>(items: readonly T[]): T;
  /** One element of the list known by `key`; every element comes once before any comes again. */
  deal<T>(key: string, items: readonly T[]): T;
  /** An index drawn in proportion to non-negative weights. */
  weighted(weights: readonly number[]): number;
  /** A shuffled copy (Fisher–Yates). */
  shuffled<T>(items: readonly T[]): T[];
};

/** Starts the generator at `seed`, an unsigned 32-bit integer. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  const below = (count: number) => Math.floor(next() * count);
  const decks = new Map<string, number[]>();
  function shuffled<T>(items: readonly T[]): T[] {
    const copy = [...items];
    for (let last = copy.length - 1; last > 0; last--) {
      const other = below(last + 1);
      [copy[last], copy[other]] = [copy[other], copy[last]];
    }
    return copy;
  }
  return {
    next,
    below,
    pick: (items) => items[below(items.length)],
    weighted(weights) {
      let rest = next() * weights.reduce((sum, weight) => sum + weight, 0);
      for (let index = 0; index < weights.length; index++) {
        rest -= weights[index];
        if (rest < 0) return index;
      }
      return weights.length - 1;
    },
    deal(key, items) {
      let deck = decks.get(key);
      if (!deck || deck.length === 0) decks.set(key, deck = shuffled(items.map((_, index) => index)));
      return items[deck.pop()!];
    },
    shuffled,
  };
}
