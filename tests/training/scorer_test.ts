/** Scoring windows of texts: what is under way while something else is done, in which batches, and the same logits. */
import assert from "node:assert/strict";
import type { Gpu } from "../../src/gpu/device.ts";
import { configFromArchitecture } from "../../src/models/config_json.ts";
import { ahead } from "../../src/training/ahead.ts";
import { scoringCapacity } from "../../src/training/run.ts";
import { openScorer, scoreTexts, scoreWindows, type TextScore } from "../../src/training/scorer.ts";
import { loadTextFixture } from "../support/deberta_fixture.ts";
import { gpuTest } from "../support/gpu.ts";

Deno.test("ahead: an item is under way while the one before is used; errors come in their turn, and the rest ends", async () => {
  const events: string[] = [];
  async function* items() {
    try {
      for (const item of [1, 2, 3]) {
        events.push(`begins ${item}`);
        await Promise.resolve();
        if (item === 3) throw new Error("no third");
        yield item;
      }
    } finally {
      events.push("ended");
    }
  }
  const used: number[] = [];
  const using = async () => {
    for await (const item of ahead(items())) {
      assert.ok(events.includes(`begins ${item + 1}`), `${events}`);
      used.push(item);
    }
  };
  await assert.rejects(using(), { message: "no third" });
  assert.deepEqual(used, [1, 2]);
  events.length = 0;
  for await (const _ of ahead(items())) break;
  assert.equal(events.at(-1), "ended");
});

Deno.test("scoringCapacity: short sequences fill the room of the longest, which are rounded up", () => {
  const config = configFromArchitecture({ hidden_size: 8, num_attention_heads: 2, max_position_embeddings: 300 }, {
    numLabels: 2,
    classifierHead: "linear",
  });
  const pairs = (...lengths: number[]) =>
    lengths.map((length) => ({
      chunks: [{ ids: new Uint32Array(length), typeIds: new Uint8Array(length) }],
      lost: 0,
    }));
  const gpu = { maxBindingBytes: 1 << 30 } as Gpu;
  const lengths = [100, 90, ...new Array(50).fill(10)];
  assert.deepEqual(scoringCapacity(gpu, config, pairs(...lengths), 2, "fp32"), {
    tokens: 190,
    sequences: 19,
    longest: 128,
  });
  assert.deepEqual(scoringCapacity(gpu, config, pairs(290, 20), 1, "fp32"), {
    tokens: 300,
    sequences: 1,
    longest: 300,
  });
  // The widest activation of more than 200 tokens would not fit into a binding.
  const small = { maxBindingBytes: 200 * 4 * config.intermediateSize } as Gpu;
  assert.equal(scoringCapacity(small, config, pairs(...lengths), 4, "fp32").tokens, 200);
});

gpuTest("scoreWindows: the same bits however the pairs are dealt into windows and batches", async (gpu) => {
  const { folder, maxLength, pairs } = await loadTextFixture();
  const options = { maxLength, numWorkers: 0 };
  const whole = await openScorer(gpu, folder, options);
  const expected = await scoreTexts(whole, pairs);
  whole.release();
  const scorer = await openScorer(gpu, folder, { ...options, batchSize: 1 });
  const sizes = [1, 2, 5, pairs.length];
  const windows = sizes.map((size, i) => {
    const begin = sizes.slice(0, i).reduce((sum, one) => sum + one, 0);
    return pairs.slice(begin, begin + size).reverse();
  });
  const scores = new Map<string, TextScore>();
  const read: number[] = [];
  async function* reading() {
    for (const [i, window] of windows.entries()) {
      read.push(i);
      yield window;
    }
  }
  let at = 0;
  for await (const scored of scoreWindows(scorer, reading())) {
    assert.deepEqual(scored.window, windows[at]);
    if (at + 1 < windows.length) assert.ok(read.includes(at + 1), "the next window has been read");
    at++;
    scored.window.forEach((pair, i) => scores.set(JSON.stringify([pair.post, pair.criterion]), scored.scores[i]));
  }
  scorer.release();
  assert.deepEqual(pairs.map(({ post, criterion }) => scores.get(JSON.stringify([post, criterion]))), expected);
});
