/** Drawing replacements: which words of an epoch are replaced, and by what. */
import { mixSeeds } from "../random/mix.ts";
import { Mt19937 } from "../random/mt19937.ts";
import type { Candidate, ReplaceableWord } from "./words.ts";

/**
 * The text with each word that has candidates replaced with probability `prob`, independently of the others, by a
 * candidate drawn by weight, in the word's own case. Each word takes two draws whatever happens, so that with a larger
 * `prob` the same words are replaced as before, and more.
 */
export function augmentText(
  text: string,
  words: readonly ReplaceableWord[],
  prob: number,
  random: Pick<Mt19937, "random">,
): string {
  let result = "";
  let done = 0;
  for (const { start, end, candidates } of words) {
    if (candidates.length === 0) continue;
    const replaced = random.random() < prob;
    const at = random.random();
    if (!replaced) continue;
    result += text.slice(done, start) + likeCase(draw(candidates, at), text.slice(start, end));
    done = end;
  }
  return result + text.slice(done);
}

/** The pairs that an epoch changes, with their texts: a function of (seed, epoch, index of the pair) alone. */
export function augmentEpoch(
  pairs: Iterable<readonly [index: number, text: string, words: readonly ReplaceableWord[]]>,
  { prob, seed, epoch }: { prob: number; seed: number; epoch: number },
): Map<number, string> {
  const ofEpoch = mixSeeds(seed, epoch);
  const changed = new Map<number, string>();
  for (const [index, text, words] of pairs) {
    const augmented = augmentText(text, words, prob, new Mt19937(mixSeeds(ofEpoch, index)));
    if (augmented !== text) changed.set(index, augmented);
  }
  return changed;
}

/** `at` in [0, 1). */
function draw(candidates: readonly Candidate[], at: number): string {
  let left = at * candidates.reduce((sum, { weight }) => sum + weight, 0);
  const chosen = candidates.find(({ weight }) => (left -= weight) < 0);
  return (chosen ?? candidates[candidates.length - 1]).text;
}

/** A replacement in the case of the word it replaces: UPPER, Capitalised, or as it is. */
function likeCase(replacement: string, word: string): string {
  const upper = word.toUpperCase();
  if (word === upper && word !== word.toLowerCase()) return replacement.toUpperCase();
  const [first] = word;
  return first === first.toLowerCase() ? replacement : replacement[0].toUpperCase() + replacement.slice(1);
}
