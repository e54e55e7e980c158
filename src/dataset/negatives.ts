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
  /** Share of them that makes room for those that a model scores highest, where there is a model. */
  hardFraction: number;
}

/** The draw of one epoch. */
export interface EpochDraw extends NegativeSampling {
  seed: number;
  epoch: number;
}

type SampledPair = Pick<Pair, "postId" | "criterionId" | "label">;

/** Keep the draws of an epoch apart from its order, which has the same seed, and from each other. */
const STREAM = 0x6e656761;
const HARD_STREAM = 0x68617264;

/** How many pairs of each class every epoch has, and how many of the negatives make room for hard ones. */
export function sampledCounts(
  labels: readonly number[],
  { perPositive, hardFraction }: NegativeSampling,
): { positives: number; negatives: number; hard: number } {
  const positives = labels.filter((label) => label === 1).length;
  const negatives = Math.min(perPositive * positives, labels.length - positives);
  return { positives, negatives, hard: Math.round(hardFraction * negatives) };
}

/**
 * The pairs of an epoch out of `members`, as their indices in the order given: every positive, and negatives that are drawn
 * from (seed, epoch), each at most once, `hard` ones in the places that `mineNegatives` has found them for.
 */
export function sampleNegatives(
  pairs: readonly SampledPair[],
  members: readonly number[],
  draw: EpochDraw,
  hard: readonly number[] | null = null,
): number[] {
  const { kept, replaced } = drawNegatives(pairs, members, draw);
  const taken = new Set([...kept, ...hard ?? replaced]);
  return members.filter((index) => pairs[index].label === 1 || taken.has(index));
}

/**
 * The negatives that an epoch draws, those apart that make room for hard ones. The positives choose in turn, from their own
 * post and from their criterion in others; where one of the two has not enough, whatever negatives are left fill up.
 */
function drawNegatives(
  pairs: readonly SampledPair[],
  members: readonly number[],
  { seed, epoch, ...sampling }: EpochDraw,
): { kept: number[]; replaced: number[] } {
  const { negatives: wanted, hard } = sampledCounts(members.map((index) => pairs[index].label), sampling);
  const { crossPostFraction } = sampling;
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
  const drawn = [...taken];
  new Mt19937(mixSeeds(mixSeeds(seed, HARD_STREAM), epoch)).shuffle(drawn);
  return { kept: drawn.slice(hard), replaced: drawn.slice(0, hard) };
}

/**
 * The negatives that a model scores highest, ascending, in the places that an epoch's draw leaves for them: as many of each
 * size (a pair's chunks) as make room, so that the epoch is as long as it would be without. Those that score above the
 * median of the positives are not mined, as they are likelier to be mislabelled than hard (positive-aware mining: Moreira et
 * al., "NV-Retriever", 2024); where too few are left, the drawn ones stay.
 */
export function mineNegatives(
  pairs: readonly SampledPair[],
  members: readonly number[],
  draw: EpochDraw,
  { scoreOf, sizeOf }: { scoreOf(index: number): number; sizeOf(index: number): number },
): number[] {
  const { kept, replaced } = drawNegatives(pairs, members, draw);
  const positives = members.filter((index) => pairs[index].label === 1).map(scoreOf).sort((a, b) => a - b);
  const most = positives[Math.floor(positives.length / 2)];
  const taken = new Set(kept);
  const candidates = members.filter((index) => pairs[index].label === 0 && !taken.has(index) && scoreOf(index) <= most)
    .sort((a, b) => scoreOf(b) - scoreOf(a));
  const ofSize = Map.groupBy(candidates, sizeOf);
  return [...Map.groupBy(replaced, sizeOf)].flatMap(([size, places]) => {
    const mined = (ofSize.get(size) ?? []).slice(0, places.length);
    const left = places.filter((index) => !mined.includes(index));
    return [...mined, ...left.slice(0, places.length - mined.length)];
  }).sort((a, b) => a - b);
}

/** Whether negatives that were mined before can be those of this draw. */
export function fitsDraw(
  hard: readonly number[],
  pairs: readonly SampledPair[],
  members: readonly number[],
  draw: EpochDraw,
  sizeOf: (index: number) => number,
): boolean {
  const { kept, replaced } = drawNegatives(pairs, members, draw);
  const free = new Set(members.filter((index) => pairs[index].label === 0));
  kept.forEach((index) => free.delete(index));
  const sizes = (indices: readonly number[]) => indices.map(sizeOf).sort((a, b) => a - b).join();
  return new Set(hard).size === hard.length && hard.every((index) => free.has(index)) &&
    sizes(hard) === sizes(replaced);
}
