import assert from "node:assert/strict";
import { sampledCounts, sampleNegatives } from "../../src/dataset/negatives.ts";

const CRITERIA = 9;

/** 40 posts with nine criteria; every third post has evidence for two of them. */
const PAIRS = Array.from({ length: 40 * CRITERIA }, (_, i) => {
  const [post, criterion] = [Math.floor(i / CRITERIA), i % CRITERIA];
  const isPositive = post % 3 === 0 && (criterion === post % CRITERIA || criterion === (post + 4) % CRITERIA);
  return { postId: `p${post}`, criterionId: `A.${criterion + 1}`, label: isPositive ? 1 as const : 0 as const };
});
/** All but the first two posts, as a fold's training split might be. */
const MEMBERS = PAIRS.map((_, i) => i).slice(2 * CRITERIA);
const POSITIVES = MEMBERS.filter((i) => PAIRS[i].label === 1);

const draw = (perPositive: number, crossPostFraction: number, epoch = 0, seed = 42) =>
  sampleNegatives(PAIRS, MEMBERS, { perPositive, crossPostFraction, seed, epoch });

Deno.test("sampleNegatives: every positive and so many negatives, each once, in the order given", () => {
  for (const perPositive of [1, 2, 4, 6, 8, 100]) {
    for (const fraction of [0, 0.3, 1]) {
      const drawn = draw(perPositive, fraction);
      const counts = sampledCounts(MEMBERS.map((i) => PAIRS[i].label), { perPositive, crossPostFraction: fraction });
      const negatives = drawn.filter((i) => PAIRS[i].label === 0);
      assert.deepEqual(drawn.filter((i) => PAIRS[i].label === 1), POSITIVES);
      assert.equal(negatives.length, Math.min(perPositive * POSITIVES.length, MEMBERS.length - POSITIVES.length));
      assert.deepEqual(counts, { positives: POSITIVES.length, negatives: negatives.length });
      assert.deepEqual(drawn, [...new Set(drawn)].toSorted((a, b) => a - b));
      assert.ok(drawn.every((i) => MEMBERS.includes(i)));
    }
  }
});

Deno.test("sampleNegatives: xpost_neg_frac of them from other posts, where the positives' own have enough", () => {
  const posts = new Set(POSITIVES.map((i) => PAIRS[i].postId));
  for (const fraction of [0, 0.25, 0.5]) {
    const negatives = draw(2, fraction).filter((i) => PAIRS[i].label === 0);
    const own = negatives.filter((i) => posts.has(PAIRS[i].postId));
    // One that was drawn for another post's positive may stand in a post that has a positive itself.
    assert.ok(own.length >= Math.round(negatives.length * (1 - fraction)), `${own.length} of ${negatives.length}`);
    if (fraction === 0) assert.equal(own.length, negatives.length);
    else assert.ok(own.length < negatives.length);
  }
  // Each positive has its share: no post gives more than its positives asked for.
  const perPost = Map.groupBy(draw(2, 0).filter((i) => PAIRS[i].label === 0), (i) => PAIRS[i].postId);
  for (const [postId, drawn] of perPost) {
    assert.equal(drawn.length, 2 * POSITIVES.filter((i) => PAIRS[i].postId === postId).length, postId);
  }
  // Those from other posts are of criteria that have a positive, in the share of the positives.
  const cross = draw(1, 1).filter((i) => PAIRS[i].label === 0);
  const criteria = (indices: number[]) => indices.map((i) => PAIRS[i].criterionId).toSorted();
  assert.deepEqual(criteria(cross), criteria(POSITIVES));
});

Deno.test("sampleNegatives: seed and epoch decide, and nothing else", () => {
  assert.deepEqual(draw(2, 0.3, 4), draw(2, 0.3, 4));
  assert.notDeepEqual(draw(2, 0.3, 4), draw(2, 0.3, 5));
  assert.notDeepEqual(draw(2, 0.3, 4), draw(2, 0.3, 4, 43));
  const seen = new Set(Array.from({ length: 30 }, (_, epoch) => draw(2, 0, epoch)).flat());
  const posts = new Set(POSITIVES.map((i) => PAIRS[i].postId));
  assert.equal(seen.size, MEMBERS.filter((i) => posts.has(PAIRS[i].postId)).length, "in time each has its turn");
});
