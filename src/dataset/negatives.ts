/** Which pairs an epoch trains on where it takes only some of the negatives. */
import { mixSeeds } from "../random/mix.ts";
import { Mt19937 } from "../random/mt19937.ts";
import type { Pair } from "./groundtruth.ts";

/** How an epoch's negatives are drawn. */
export interface NegativeSampling {
  /** Negatives per positive, as far as there are that many. */
  perPositive: number;
  /** Share of them from other posts, of the positive's criterion; the others are from the positive's own post. */
  crossPostFraction: number;
}

type SampledPair = Pick<Pair, "postId" | "criterionId" | "label">;

/** Keeps the draws of an epoch apart from its order, which has the same seed. */
const STREAM = 0x6e656761;

/** How many pairs of each class every epoch has. */
export function sampledCounts(
  labels: readonly number[],
  { perPositive }: NegativeSampling,
): { positives: number; negatives: number } {
  const positives = labels.filter((label) => label === 1).length;
  return { positives, negatives: Math.min(perPositive * positives, labels.length - positives) };
}

/**
 * The pairs of an epoch out of `members`, as their indices in the order given: every positive, and negatives that are drawn
 * from (seed, epoch), each at most once. The positives choose in turn, from their own post and from their criterion in
 * others; where one of the two has not enough, whatever negatives are left fill up.
 */
export function sampleNegatives(
  pairs: readonly SampledPair[],
  members: readonly number[],
  { perPositive, crossPostFraction, seed, epoch }: NegativeSampling & { seed: number; epoch: number },
): number[] {
  const { negatives: wanted } = sampledCounts(members.map((index) => pairs[index].label), {
    perPositive,
    crossPostFraction,
  });
  const random = new Mt19937(mixSeeds(mixSeeds(seed, STREAM), epoch));
  const positives = members.filter((index) => pairs[index].label === 1);
  const negatives = members.filter((index) => pairs[index].label === 0);
  random.shuffle(positives);
  random.shuffle(negatives);
  const ofPost = Map.groupBy(negatives, (index) => pairs[index].postId);
  const ofCriterion = Map.groupBy(negatives, (index) => pairs[index].criterionId);

  const taken = new Set<number>();
  /** One negative for each positive in turn, until there are `count` of them or no positive finds one. */
  const takeInTurn = (count: number, find: (positive: number) => number | undefined) => {
    for (let before = -1; before < taken.size && taken.size < count;) {
      before = taken.size;
      for (const positive of positives) {
        if (taken.size === count) return;
        const found = find(positive);
        if (found !== undefined) taken.add(found);
      }
    }
  };
  const isFree = (index: number) => !taken.has(index);
  takeInTurn(
    wanted - Math.round(crossPostFraction * wanted),
    (positive) => ofPost.get(pairs[positive].postId)?.find(isFree),
  );
  takeInTurn(wanted, (positive) => {
    const { postId, criterionId } = pairs[positive];
    return crossPostFraction > 0
      ? ofCriterion.get(criterionId)?.find((index) => isFree(index) && pairs[index].postId !== postId)
      : undefined;
  });
  for (const index of negatives) {
    if (taken.size === wanted) break;
    taken.add(index);
  }
  return members.filter((index) => pairs[index].label === 1 || taken.has(index));
}
