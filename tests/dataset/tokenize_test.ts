import assert from "node:assert/strict";
import { openTokenizerPool, tokenizePairs } from "../../src/dataset/tokenize.ts";
import { loadTokenizer } from "../../src/dataset/tokenizer.ts";
import { EntailError } from "../../src/errors.ts";
import sources from "../fixtures/dataset/tokenizers/texts.json" with { type: "json" };

const FOLDER = new URL("../fixtures/dataset/tokenizers/deberta", import.meta.url).pathname;
const criteria = sources.criteria;
// Pairs of a post are not neighbours, and there are more posts than one job takes.
const pairs = criteria.slice(0, 3).flatMap((criterion) =>
  [...sources.texts, ...sources.posts].map((post) => ({ post, criterion }))
);

Deno.test("tokenizePairs: the pairs in their order, whatever the number of threads", async () => {
  const tokenizer = await loadTokenizer(FOLDER);
  const expected = pairs.map(({ post, criterion }) => tokenizer.encodePair(post, criterion, { maxLength: 64 }));
  for (const numWorkers of [0, 1, 3]) {
    const progress: number[] = [];
    const onProgress = (done: number, total: number): void => {
      assert.equal(total, pairs.length);
      progress.push(done);
    };
    assert.deepEqual(await tokenizePairs(pairs, { folder: FOLDER, maxLength: 64, numWorkers, onProgress }), expected);
    assert.equal(progress.at(-1), pairs.length);
    assert.deepEqual(progress, progress.toSorted((a, b) => a - b));
  }
});

Deno.test("tokenizePairs: chunks, and what is lost without them, come from threads as they are", async () => {
  const tokenizer = await loadTokenizer(FOLDER);
  const some = pairs.slice(-160);
  for (const limits of [{ maxLength: 48 }, { maxLength: 48, chunkStride: 6 }]) {
    const expected = some.map(({ post, criterion }) => tokenizer.encodePair(post, criterion, limits));
    const isLong = expected.some(({ chunks, lost }) => "chunkStride" in limits ? chunks.length > 3 : lost > 50);
    assert.ok(isLong);
    assert.deepEqual(await tokenizePairs(some, { folder: FOLDER, ...limits, numWorkers: 2 }), expected);
  }
});

Deno.test("tokenizePairs: an error in a thread comes back as itself", async () => {
  for (const numWorkers of [0, 2]) {
    const tooShort = tokenizePairs(pairs, { folder: FOLDER, maxLength: 4, numWorkers });
    await assert.rejects(tooShort, (error) => {
      return error instanceof EntailError && error.kind === "data" && /max_length=4/.test(error.message);
    });
    const missing = tokenizePairs(pairs, { folder: "/nonexistent", maxLength: 64, numWorkers });
    await assert.rejects(missing, (error) => {
      return error instanceof EntailError && error.kind === "data" && /no tokenizer: none of/.test(error.message);
    });
  }
});

Deno.test("openTokenizerPool: its threads serve one call after another", async () => {
  const tokenizer = await loadTokenizer(FOLDER);
  for (const numWorkers of [0, 1, 2]) {
    const pool = openTokenizerPool({ folder: FOLDER, maxLength: 64 }, numWorkers);
    try {
      const parts = [pairs.slice(0, 70), pairs.slice(100, 103), [], pairs.slice(50)];
      const results = await Promise.all(parts.map((part) => pool.encode(part)));
      const expected = parts.map((part) =>
        part.map(({ post, criterion }) => tokenizer.encodePair(post, criterion, { maxLength: 64 }))
      );
      assert.deepEqual(results, expected);
    } finally {
      pool.close();
    }
  }
});

Deno.test("tokenizePairs: no pairs, and a bad number of threads", async () => {
  assert.deepEqual(await tokenizePairs([], { folder: FOLDER, maxLength: 64, numWorkers: 2 }), []);
  for (const numWorkers of [-1, 1.5, NaN]) {
    await assert.rejects(
      tokenizePairs(pairs, { folder: FOLDER, maxLength: 64, numWorkers }),
      (error) => error instanceof EntailError && error.kind === "usage" && /num_workers/.test(error.message),
    );
  }
});
