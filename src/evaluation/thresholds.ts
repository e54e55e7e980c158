/** Choosing the probability from which a pair is positive. */

/** A pair with a label. */
export interface ProbablePair {
  /** Of being positive. */
  probability: number;
  /** 0 or 1. */
  label: number;
}

/**
 * The threshold with the highest F1. Between two neighbouring probabilities all thresholds decide alike: `start` stands for
 * them where it lies there, else their middle. Of ranges with the same F1 the one nearest to `start` is taken, of two as
 * near the lower. `start` itself where no pair is positive.
 */
export function bestThreshold(pairs: readonly ProbablePair[], start: number): number {
  const ranked = pairs.filter(({ probability }) => !Number.isNaN(probability))
    .sort((a, b) => b.probability - a.probability);
  const positives = pairs.reduce((sum, { label }) => sum + label, 0);
  let best = { threshold: start, truePositives: 0, size: 1 };
  let truePositives = 0;
  ranked.forEach(({ probability, label }, i) => {
    truePositives += label;
    const below = ranked[i + 1]?.probability ?? 0;
    if (below === probability && i + 1 < ranked.length) return;
    // F1 = 2 · truePositives / size, compared without rounding.
    const size = i + 1 + positives;
    const gain = truePositives * best.size - best.truePositives * size;
    const threshold = representative(below, probability, start);
    const isNearer = Math.abs(threshold - start) <= Math.abs(best.threshold - start);
    if (gain > 0 || gain === 0 && truePositives > 0 && isNearer) best = { threshold, truePositives, size };
  });
  return best.threshold;
}

/** Stands for the thresholds above `below` up to `above`. */
function representative(below: number, above: number, start: number): number {
  if (below < start && start <= above) return start;
  const middle = (below + above) / 2;
  return middle > below ? middle : above;
}
