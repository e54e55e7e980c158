/** Criteria in other words: training reads one of a criterion's texts, drawn anew for each pair and epoch. */
import type { EncodedPair } from "../dataset/batches.ts";
import type { Pair } from "../dataset/groundtruth.ts";
import { loadTokenizer, type PairLimits } from "../dataset/tokenizer.ts";
import { mixSeeds } from "../random/mix.ts";

/** Keeps the draws of an epoch apart from its others, which have the same seed. */
const STREAM = 0x70617261;

/**
 * The texts of criteria that an epoch reads, by index of the pair, each as likely as the others: a function of (seed, epoch,
 * index of the pair) alone. Pairs that keep their criterion's first text are left out.
 */
export function paraphraseEpoch(
  pairs: readonly Pair[],
  members: readonly number[],
  { seed, epoch }: { seed: number; epoch: number },
): Map<number, string> {
  const ofEpoch = mixSeeds(mixSeeds(seed, STREAM), epoch);
  const changed = new Map<number, string>();
  for (const index of members) {
    const { paraphrases = [] } = pairs[index];
    const drawn = mixSeeds(ofEpoch, index) % (paraphrases.length + 1);
    if (drawn > 0) changed.set(index, paraphrases[drawn - 1]);
  }
  return changed;
}

/**
 * By the id of a criterion: how many tokens the longest of its texts has more than the first. Data error where that leaves
 * too little room for a post.
 */
export async function paraphraseGrowth(
  pairs: readonly Pair[],
  tokens: readonly EncodedPair[],
  tokenizerFolder: string,
  limits: PairLimits,
): Promise<ReadonlyMap<string, number>> {
  const growth = new Map<string, number>();
  const paraphrased = pairs.map((_, index) => index).filter((index) => pairs[index].paraphrases !== undefined);
  if (paraphrased.length === 0) return growth;
  const { encode, encodePair } = await loadTokenizer(tokenizerFolder);
  const lengthOf = ({ chunks, lost }: EncodedPair) => chunks.reduce((sum, { ids }) => sum + ids.length, lost);
  for (const [id, members] of Map.groupBy(paraphrased, (index) => pairs[index].criterionId)) {
    const { criterion, paraphrases } = pairs[members[0]];
    const [longest] = paraphrases!.toSorted((a, b) => encode(b).length - encode(a).length);
    const longestPair = members.reduce((most, index) =>
      lengthOf(tokens[index]) > lengthOf(tokens[most]) ? index : most
    );
    encodePair(pairs[longestPair].post, longest, limits);
    growth.set(id, Math.max(0, encode(longest).length - encode(criterion).length));
  }
  return growth;
}

/** What people are told of a run's paraphrases; null where there are none. */
export function describeParaphrases(pairs: readonly Pair[]): string | null {
  const criteria = new Map(pairs.map(({ criterionId, paraphrases = [] }) => [criterionId, paraphrases.length]));
  const paraphrased = [...criteria.values()].filter((count) => count > 0);
  if (paraphrased.length === 0) return null;
  const total = paraphrased.reduce((sum, count) => sum + count + 1, 0);
  return `paraphrases: ${paraphrased.length} of ${criteria.size} criteria have ${total} texts together; training draws ` +
    "one for each pair and epoch, evaluation reads the first";
}
