import assert from "node:assert/strict";
import { dealByTokens, epochBatches, packBatch } from "../../src/dataset/batches.ts";
import { Mt19937 } from "../../src/random/mt19937.ts";

const random = new Mt19937(1);
const lengths = Array.from({ length: 1003 }, () => 5 + random.interval(200));
const shuffled = (seed: number, epoch: number) => epochBatches({ lengths, batchSize: 8, shuffle: true, seed, epoch });

Deno.test("epochBatches: file order without shuffling", () => {
  const options = { lengths: [3, 1, 2, 9, 5], batchSize: 2, shuffle: false, seed: 1, epoch: 4 };
  assert.deepEqual(epochBatches(options), [[0, 1], [2, 3], [4]]);
});

Deno.test("epochBatches: every pair once, only the last batch smaller", () => {
  for (const [count, batchSize] of [[1003, 8], [64, 8], [5, 8], [1, 1], [0, 4], [257, 1]]) {
    const options = { lengths: lengths.slice(0, count), batchSize, shuffle: true, seed: 3, epoch: 0 };
    const batches = epochBatches(options);
    const sizes = batches.map((batch) => batch.length);
    assert.ok(sizes.slice(0, -1).every((size) => size === batchSize), `${count} by ${batchSize}`);
    assert.deepEqual(batches.flat().sort((a, b) => a - b), Array.from({ length: count }, (_, i) => i));
  }
});

Deno.test("epochBatches: seed and epoch decide the order", () => {
  assert.deepEqual(shuffled(1, 0), shuffled(1, 0));
  assert.notDeepEqual(shuffled(1, 0), shuffled(1, 1));
  assert.notDeepEqual(shuffled(1, 0), shuffled(2, 0));
  assert.notDeepEqual(shuffled(1, 1), shuffled(2, 0));
});

Deno.test("epochBatches: lengths in a batch are alike, the order of batches is not by length", () => {
  const batches = shuffled(1, 0).slice(0, -1);
  const spread = batches.map((batch) => {
    const own = batch.map((i) => lengths[i]);
    return Math.max(...own) - Math.min(...own);
  });
  const meanSpread = spread.reduce((sum, value) => sum + value, 0) / spread.length;
  // Eight uniform draws from a range of 200 would spread over 156 of it.
  assert.ok(meanSpread < 20, `mean spread ${meanSpread}`);
  const means = batches.map((batch) => batch.reduce((sum, i) => sum + lengths[i], 0) / batch.length);
  const rising = means.slice(1).filter((mean, i) => mean > means[i]).length / (means.length - 1);
  assert.ok(rising > 0.35 && rising < 0.65, `share of rising steps ${rising}`);
});

Deno.test("dealByTokens: every sequence once, in order, no batch over the budget, and few batches", () => {
  const members = epochBatches({ lengths, batchSize: 64, shuffle: true, seed: 1, epoch: 0 })[3];
  const tokensOf = (some: readonly number[]) => some.reduce((sum, i) => sum + lengths[i], 0);
  const longest = Math.max(...members.map((i) => lengths[i]));
  for (const budget of [longest, 2 * longest + 3, 1000, tokensOf(members)]) {
    const dealt = dealByTokens(members, lengths, budget);
    assert.deepEqual(dealt.flat().sort((a, b) => a - b), members.toSorted((a, b) => a - b));
    for (const batch of dealt) {
      assert.ok(batch.length > 0 && tokensOf(batch) <= budget);
      assert.deepEqual(batch, members.filter((member) => batch.includes(member)));
    }
    // First fit leaves at most one batch that is no more than half full.
    assert.ok(dealt.filter((batch) => tokensOf(batch) <= budget / 2).length <= 1);
  }
  assert.deepEqual(dealByTokens(members, lengths, tokensOf(members)), [members]);
});

Deno.test("dealByTokens: those of one number stay together where a batch has room for them", () => {
  const own = [5, 4, 3, 6, 2, 9, 1];
  const posts = [0, 1, 0, 2, 1, 2, 0];
  // 15 tokens of post 2 are too many for a batch; 9 of post 0 are not.
  const dealt = dealByTokens([0, 1, 2, 3, 4, 5, 6], own, 10, posts);
  assert.deepEqual(dealt, [[0, 2, 6], [5], [1, 4], [3]]);
  assert.equal(dealByTokens([0, 1, 2, 3, 4, 5, 6], own, 10).length, 3);
});

Deno.test("packBatch: tokens one after another with all that the kernels need", () => {
  const pair = (ids: number[], ones: number) => ({
    ids: Uint32Array.from(ids),
    typeIds: Uint8Array.from(ids, (_, i) => i >= ids.length - ones ? 1 : 0),
  });
  const pairs = [pair([1, 9, 2, 9, 2], 2), pair([7], 0), pair([1, 5, 2, 4000000000, 2, 9], 3)];
  const batch = packBatch(pairs, [2, 0]);
  assert.deepEqual(batch, {
    sequences: 2,
    tokens: 11,
    maxLength: 6,
    ids: Uint32Array.of(1, 5, 2, 4000000000, 2, 9, 1, 9, 2, 9, 2),
    typeIds: Uint32Array.of(0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1),
    offsets: Uint32Array.of(0, 6, 11),
    positions: Uint32Array.of(0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4),
    sequenceOfToken: Uint32Array.of(0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1),
    sortedUnique: Uint32Array.of(1, 2, 5, 9, 4000000000),
    segmentStart: Uint32Array.of(0, 2, 6, 7, 10, 11),
    tokenOrder: Uint32Array.of(0, 6, 2, 4, 8, 10, 1, 5, 7, 9, 3),
  });
  assert.equal(packBatch(pairs, [1]).tokens, 1);
  assert.deepEqual(packBatch(pairs, []).segmentStart, Uint32Array.of(0));
});

Deno.test("packBatch: the token order is sorted by id, then place, and complete", () => {
  const pairs = Array.from({ length: 40 }, () => {
    const ids = Uint32Array.from({ length: 1 + random.interval(60) }, () => random.interval(50));
    return { ids, typeIds: new Uint8Array(ids.length) };
  });
  const { ids, tokens, tokenOrder, sortedUnique, segmentStart } = packBatch(pairs, pairs.map((_, i) => i));
  const expected = Array.from({ length: tokens }, (_, t) => t).sort((a, b) => ids[a] - ids[b] || a - b);
  assert.deepEqual([...tokenOrder], expected);
  sortedUnique.forEach((id, u) => {
    const segment = tokenOrder.subarray(segmentStart[u], segmentStart[u + 1]);
    assert.ok(segment.length > 0 && segment.every((t) => ids[t] === id));
  });
});
