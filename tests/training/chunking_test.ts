import assert from "node:assert/strict";
import { composeConfig } from "../../src/config/config.ts";
import type { EncodedPair, TokenizedPair } from "../../src/dataset/batches.ts";
import { mineNegatives } from "../../src/dataset/negatives.ts";
import { loadTokenizer } from "../../src/dataset/tokenizer.ts";
import type { Aggregation } from "../../src/models/chunking.ts";
import { recordedChunking, withChunking } from "../../src/models/chunking.ts";
import { loadWeights, readModelConfig } from "../../src/models/checkpoint.ts";
import { probabilityOf } from "../../src/evaluation/calibration.ts";
import { aggregate, chunkingOf, pairLimits } from "../../src/training/chunking.ts";
import { scorePairs } from "../../src/training/evaluate.ts";
import {
  chooseEpoch,
  countExamples,
  epochExamples,
  type EpochSource,
  fitsChoice,
  type KeptChunks,
  likeChunksOf,
} from "../../src/training/examples.ts";
import { settingsInVain } from "../../src/training/run.ts";
import { openSession } from "../../src/training/session.ts";
import { truncationOf, truncationText } from "../../src/training/truncation.ts";
import { assertClose } from "../support/close.ts";
import { gpuTest } from "../support/gpu.ts";
import { TEXT_MODEL } from "../support/run_data.ts";

const by = (aggType: Aggregation["aggType"], more: Partial<Aggregation> = {}): Aggregation => {
  return { aggType, lseTau: 5, topM: 2, ...more };
};

Deno.test("aggregate: the maximum, log(mean(exp(τ·s)))/τ, the mean of the m largest", () => {
  const scores = [0.3, -1.2, 2.1, 0.3];
  assert.equal(aggregate(scores, by("max")), 2.1);
  const mean = scores.reduce((sum, s) => sum + Math.exp(5 * s), 0) / 4;
  assertClose([aggregate(scores, by("LSE"))], [Math.log(mean) / 5], { atol: 1e-14, rtol: 1e-14 }, "LSE");
  assert.equal(aggregate(scores, by("top-m")), (2.1 + 0.3) / 2);
  assert.equal(aggregate(scores, by("top-m", { topM: 9 })), (2.1 + 0.3 + 0.3 - 1.2) / 4);
  // Between the mean and the maximum, by τ; nothing overflows.
  assertClose([aggregate(scores, by("LSE", { lseTau: 1e-7 }))], [0.375], { atol: 1e-6, rtol: 0 }, "small τ");
  assert.equal(aggregate([-1000, 1000], by("LSE", { lseTau: 10 })), 1000 - Math.log(2) / 10);
  for (const type of ["max", "LSE", "top-m"] as const) {
    for (const score of [0.1, -3.7e-5, 812.3]) assert.equal(aggregate([score], by(type)), score);
    // In any order, up to rounding.
    assertClose(
      [aggregate(scores.toReversed(), by(type))],
      [aggregate(scores, by(type))],
      { atol: 0, rtol: 1e-14 },
      type,
    );
  }
});

const sequence = (...ids: number[]): TokenizedPair => ({
  ids: Uint32Array.from(ids),
  typeIds: new Uint8Array(ids.length),
});
const encoded = (...chunks: number[]): EncodedPair => ({ chunks: chunks.map((id) => sequence(id)), lost: 0 });

/** Every third of the pairs is positive. */
const sourceOf = (
  tokens: readonly EncodedPair[],
  train: readonly number[],
  settings: Partial<EpochSource["settings"]>,
): EpochSource => ({
  pairs: tokens.map((_, i) => ({
    ...{ postId: `p${i >> 1}`, post: "", criterionId: "A.1", criterion: "" },
    label: i % 3 === 0 ? 1 : 0,
  })),
  tokens,
  train,
  settings: { negatives: null, aggregation: null, topChunks: null, step: { seed: 1 }, ...settings },
});

Deno.test("epochExamples: every chunk with its pair; of long posts those kept, at first the first", () => {
  const tokens = [encoded(1, 2, 3), encoded(4), encoded(5, 6), encoded(7, 8, 9)];
  const train = [0, 1, 3];
  const source = (topChunks: number | null) => sourceOf(tokens, train, { topChunks });
  const ids = (topChunks: number | null, keptChunks: KeptChunks | null) => {
    const examples = epochExamples(source(topChunks), 0, tokens, { keptChunks, hardNegatives: null });
    return examples.map(({ pair, tokens }) => [pair, tokens.ids[0]]);
  };
  assert.deepEqual(ids(null, null), [[0, 1], [0, 2], [0, 3], [1, 4], [3, 7], [3, 8], [3, 9]]);
  assert.deepEqual(ids(2, null), [[0, 1], [0, 2], [1, 4], [3, 7], [3, 8]]);
  const kept = { 0: [0, 2], 3: [1, 2] };
  assert.deepEqual(ids(2, kept), [[0, 1], [0, 3], [1, 4], [3, 8], [3, 9]]);
  assert.deepEqual([null, 2, 3].map((most) => countExamples(source(most), 0)), [7, 5, 7]);

  const fits = (keptChunks: KeptChunks | null, topChunks: number | null) =>
    fitsChoice({ keptChunks, hardNegatives: null }, source(topChunks), 1);
  assert.ok(fits(kept, 2) && fits(null, null) && fits({}, 3));
  const others: (KeptChunks | null)[] = [
    null,
    {},
    { 0: [0, 2] },
    { ...kept, 1: [0, 1] },
    { 0: [0, 3], 3: [1, 2] },
    { 0: [1, 1], 3: [1, 2] },
  ];
  for (const other of others) assert.ok(!fits(other, 2), JSON.stringify(other));
});

Deno.test("likeChunksOf: a changed post keeps its number of chunks", () => {
  const own = encoded(1, 2, 3);
  const ids = (changed: EncodedPair) => likeChunksOf(own, changed).chunks.map(({ ids }) => ids[0]);
  assert.deepEqual(ids(encoded(11, 12, 13)), [11, 12, 13]);
  assert.deepEqual(ids(encoded(11, 12, 13, 14)), [11, 12, 13]);
  assert.deepEqual(ids(encoded(11, 12)), [11, 12, 3]);
});

Deno.test("chunkingOf: null unless data.chunk_max_len is set, which then takes the place of max_length", () => {
  const config = composeConfig(["data.max_length=64"]);
  assert.equal(chunkingOf(config), null);
  assert.deepEqual(pairLimits(config.data), { maxLength: 64 });
  const chunked = composeConfig(["data.max_length=64", "data.chunk_max_len=48", "data.chunk_stride=8"]);
  assert.deepEqual(chunkingOf(chunked), { stride: 8, aggType: "LSE", lseTau: 8, topM: 3 });
  assert.deepEqual(pairLimits(chunked.data), { maxLength: 48, chunkStride: 8 });
  assert.throws(() => composeConfig(["data.chunk_max_len=128"]), {
    kind: "usage",
    message: '"data.chunk_stride" must be less than data.chunk_max_len=128, not 128',
  });
  const inVain = settingsInVain(composeConfig(["data.pc_topM_enable=true"]));
  assert.deepEqual(inVain, [
    "data.pc_topM_enable=true has no effect: posts are not cut into chunks; set data.chunk_max_len",
  ]);
  assert.deepEqual(settingsInVain(composeConfig(["data.pc_topM_enable=true", "data.chunk_max_len=256"])), []);
});

Deno.test("recordedChunking: what a checkpoint says of chunks; damaged it is a data error", async () => {
  const config = await readModelConfig(TEXT_MODEL);
  assert.equal(recordedChunking(config), null);
  const chunking = { stride: 3, aggType: "top-m", lseTau: 2.5, topM: 4 } as const;
  const chunked = withChunking(config, chunking);
  assert.deepEqual(recordedChunking(chunked), chunking);
  assert.deepEqual(withChunking(chunked, null), config);
  for (const wrong of [7, {}, { stride: -1, agg_type: "max", lse_tau: 1, top_m: 1 }, { stride: 1, agg_type: "mean" }]) {
    const damaged = { ...config, other: { pair_chunks: wrong } };
    assert.throws(() => recordedChunking(damaged, "x/config.json"), {
      kind: "data",
      message: /^x\/config\.json: pair_chunks/,
    });
  }
});

Deno.test("truncationText: how many pairs, tokens and sentences are cut off", () => {
  const lost = (tokens: number): EncodedPair => ({ chunks: [], lost: tokens });
  const truncation = truncationOf([lost(0), lost(1200), lost(34), lost(0)]);
  assert.equal(
    truncationText(truncation, 64),
    "2 of 4 pairs are longer than data.max_length=64: 1,234 tokens of their posts are cut off; raise it, or set " +
      "data.chunk_max_len to read all in chunks",
  );
  const evidence = { sentences: 9, cut: 2 };
  assert.match(truncationText({ ...truncation, evidence }, 64)!, /cut off, and 2 of 9 evidence sentences, whole or in/);
  assert.equal(truncationText(truncationOf([lost(0)]), 64), null);
});

gpuTest("scorePairs: logits of the highest chunk and the score of all; chooseEpoch: by those scores", async (gpu) => {
  const config = await readModelConfig(TEXT_MODEL);
  const { encodePair } = await loadTokenizer(TEXT_MODEL);
  const sentence = "I have not slept well for three weeks, and I feel sad. My brother never sleeps, day or night. ";
  const posts = ["I sleep.", sentence, sentence + sentence.slice(20).repeat(2), sentence.toUpperCase()];
  const pairs = posts.map((post) => encodePair(post, "Insomnia", { maxLength: 24, chunkStride: 5 }));
  assert.ok(pairs[0].chunks.length === 1 && pairs[2].chunks.length > 4);
  const inference = { tokens: 70, sequences: 3, longest: 24 };
  const session = await openSession(gpu, config, { inference });
  try {
    await loadWeights(session.parameters, config, TEXT_MODEL);
    /** Each chunk alone. */
    const alone: { logits: Float32Array; s: number }[][] = [];
    for (const { chunks } of pairs) {
      const rows: { logits: Float32Array; s: number }[] = [];
      for (const chunk of chunks) {
        const [{ logits, score }] = await scorePairs(session, [{ chunks: [chunk], lost: 0 }], null);
        const probability = 1 / (1 + Math.exp(logits[0] - logits[1]));
        assertClose([probabilityOf(score)], [probability], { atol: 0, rtol: 1e-14 }, "sigmoid");
        rows.push({ logits, s: logits[1] - logits[0] });
      }
      alone.push(rows);
    }
    for (const aggType of ["max", "LSE", "top-m"] as const) {
      const progress: number[] = [];
      const scored = await scorePairs(session, pairs, by(aggType), (done) => progress.push(done));
      assert.equal(progress.at(-1), pairs.length);
      scored.forEach(({ logits, score }, i) => {
        const best = alone[i].toSorted((a, b) => b.s - a.s)[0];
        assertClose(logits, best.logits, { atol: 1e-6, rtol: 1e-6 }, `logits of ${i}`);
        const expected = aggregate(alone[i].map(({ s }) => s), by(aggType));
        assertClose([score], [expected], { atol: 2e-6, rtol: 1e-6 }, `${aggType} of ${i}`);
      });
    }
    const train = [0, 2, 3];
    const chunked = sourceOf(pairs, train, { topChunks: 2 });
    const choice = await chooseEpoch(session, chunked, 1);
    assert.ok(fitsChoice(choice, chunked, 1) && choice.hardNegatives === null);
    for (const [pair, chunks] of Object.entries(choice.keptChunks!)) {
      const order = alone[Number(pair)].map(({ s }, chunk) => ({ s, chunk })).sort((a, b) => b.s - a.s);
      assert.deepEqual(chunks, order.slice(0, 2).map(({ chunk }) => chunk).sort((a, b) => a - b));
    }
    // Negatives are mined by the scores of whole posts.
    const negatives = { perPositive: 1, crossPostFraction: 0, hardFraction: 0.5 };
    const many = Array.from({ length: 12 }, (_, i) => pairs[i % 4]);
    const members = many.map((_, i) => i);
    const mining = sourceOf(many, members, { negatives, aggregation: by("max"), topChunks: 3 });
    const scores = (await scorePairs(session, many, by("max"))).map(({ score }) => score);
    const { hardNegatives } = await chooseEpoch(session, mining, 1);
    const mined = mineNegatives(mining.pairs, members, { ...negatives, seed: 1, epoch: 1 }, {
      scoreOf: (pair) => scores[pair],
      sizeOf: (pair) => Math.min(many[pair].chunks.length, 3),
    });
    assert.ok(mined.length === 2);
    assert.deepEqual(hardNegatives, mined);
  } finally {
    session.release();
  }
});
