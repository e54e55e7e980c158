import assert from "node:assert/strict";
import { fitsDraw, mineNegatives, sampledCounts, sampleNegatives } from "../../src/dataset/negatives.ts";

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
  sampleNegatives(PAIRS, MEMBERS, { perPositive, crossPostFraction, hardFraction: 0, seed, epoch });

Deno.test("sampleNegatives: every positive and so many negatives, each once, in the order given", () => {
  for (const perPositive of [1, 2, 4, 6, 8, 100]) {
    for (const fraction of [0, 0.3, 1]) {
      const drawn = draw(perPositive, fraction);
      const counts = sampledCounts(MEMBERS.map((i) => PAIRS[i].label), {
        perPositive,
        crossPostFraction: fraction,
        hardFraction: 0.25,
      });
      const negatives = drawn.filter((i) => PAIRS[i].label === 0);
      assert.deepEqual(drawn.filter((i) => PAIRS[i].label === 1), POSITIVES);
      assert.equal(negatives.length, Math.min(perPositive * POSITIVES.length, MEMBERS.length - POSITIVES.length));
      assert.deepEqual(counts, {
        positives: POSITIVES.length,
        negatives: negatives.length,
        hard: Math.round(negatives.length / 4),
      });
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

const NEGATIVES = MEMBERS.filter((i) => PAIRS[i].label === 0);
/** The positives' median is 50; every tenth negative is above it. */
const scoreOf = (i: number) => PAIRS[i].label === 1 ? 50 : i % 10 === 0 ? 60 + i : (i * 37) % 50;
const sizeOf = (i: number) => 1 + i % 3;
const DRAW = { perPositive: 2, crossPostFraction: 0.3, seed: 42, epoch: 5 };

Deno.test("mineNegatives: the highest below the median positive take the places that are left for them", () => {
  const highest = NEGATIVES.filter((i) => scoreOf(i) <= 50).sort((a, b) => scoreOf(b) - scoreOf(a));
  for (const hardFraction of [0, 0.3, 1]) {
    const draw = { ...DRAW, hardFraction };
    const { negatives, hard } = sampledCounts(MEMBERS.map((i) => PAIRS[i].label), draw);
    const mined = mineNegatives(PAIRS, MEMBERS, draw, { scoreOf, sizeOf: () => 1 });
    const usual = sampleNegatives(PAIRS, MEMBERS, draw);
    const epoch = sampleNegatives(PAIRS, MEMBERS, draw, mined);
    assert.equal(mined.length, hard);
    // Without a model the draw is that of other shares.
    assert.deepEqual(usual, sampleNegatives(PAIRS, MEMBERS, { ...draw, hardFraction: 0.5 }));
    assert.deepEqual(epoch.filter((i) => PAIRS[i].label === 1), POSITIVES);
    assert.equal(epoch.length, POSITIVES.length + negatives);
    assert.ok(mined.every((i) => epoch.includes(i)));
    const stayed = usual.filter((i) => PAIRS[i].label === 0 && epoch.includes(i) && !mined.includes(i));
    assert.equal(stayed.length, negatives - hard);
    // Those that were drawn anyway leave the next ones to be mined.
    assert.deepEqual(mined, highest.filter((i) => !stayed.includes(i)).slice(0, hard).sort((a, b) => a - b));
  }
});

Deno.test("mineNegatives: an epoch is as long as it would be without, whatever the model says", () => {
  for (let seed = 0; seed < 20; seed++) {
    const draw = { ...DRAW, hardFraction: 0.6, seed };
    const lengthOf = (indices: readonly number[]) => indices.reduce((sum, i) => sum + sizeOf(i), 0);
    const mined = mineNegatives(PAIRS, MEMBERS, draw, { scoreOf, sizeOf });
    const epoch = sampleNegatives(PAIRS, MEMBERS, draw, mined);
    const usual = sampleNegatives(PAIRS, MEMBERS, draw);
    assert.notDeepEqual(epoch, usual);
    assert.equal(epoch.length, usual.length);
    assert.equal(lengthOf(epoch), lengthOf(usual));
    assert.ok(fitsDraw(mined, PAIRS, MEMBERS, draw, sizeOf));
    // Where no negative may be mined, the drawn ones stay.
    const none = mineNegatives(PAIRS, MEMBERS, draw, { scoreOf: (i) => PAIRS[i].label === 1 ? 0 : 1, sizeOf });
    assert.deepEqual(sampleNegatives(PAIRS, MEMBERS, draw, none), usual);
  }
});

Deno.test("fitsDraw: what cannot have been mined is seen", () => {
  const draw = { ...DRAW, hardFraction: 0.4 };
  const mined = mineNegatives(PAIRS, MEMBERS, draw, { scoreOf, sizeOf });
  const fits = (hard: readonly number[], members = MEMBERS) => fitsDraw(hard, PAIRS, members, draw, sizeOf);
  assert.ok(fits(mined));
  const kept = sampleNegatives(PAIRS, MEMBERS, draw, mined).find((i) => PAIRS[i].label === 0 && !mined.includes(i))!;
  const swapped = (other: number) => mined.with(mined.findIndex((i) => sizeOf(i) === sizeOf(other)), other);
  for (const wrong of [mined.slice(1), [...mined, mined[0]], swapped(kept), swapped(POSITIVES[0]), swapped(0)]) {
    assert.ok(!fits(wrong), `${wrong}`);
  }
  const otherSize = NEGATIVES.find((i) => sizeOf(i) !== sizeOf(mined[0]) && !mined.includes(i) && i !== kept)!;
  assert.ok(!fits(mined.with(0, otherSize)));
  assert.ok(!fits(mined, MEMBERS.slice(0, -90)));
});
