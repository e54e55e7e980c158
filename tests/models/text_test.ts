/** From texts to scores, as transformers' tokenizer and model make them. */
import assert from "node:assert/strict";
import { packBatch } from "../../src/dataset/batches.ts";
import { loadTokenizer } from "../../src/dataset/tokenizer.ts";
import { loadWeights, readModelConfig } from "../../src/models/checkpoint.ts";
import { openScorer, scoreTexts } from "../../src/training/scorer.ts";
import { openSession } from "../../src/training/session.ts";
import { assertClose } from "../support/close.ts";
import { loadTextFixture, TEXT_FAMILIES } from "../support/deberta_fixture.ts";
import { gpuTest } from "../support/gpu.ts";

gpuTest("a Hugging Face folder: pairs of texts get transformers' token ids and logits", async (gpu) => {
  const { folder, maxLength, pairs } = await loadTextFixture();
  const tokenizer = await loadTokenizer(folder);
  const tokenized = pairs.map(({ post, criterion, ids }) => {
    const pair = tokenizer.encodePair(post, criterion, maxLength);
    assert.deepEqual([...pair.ids], ids, post);
    return pair;
  });
  assert.ok(pairs.some(({ ids }) => ids.length === maxLength), "some pairs are truncated");
  const config = await readModelConfig(folder);
  const inference = { tokens: 6 * maxLength, sequences: 6, longest: maxLength };
  const session = await openSession(gpu, config, { inference });
  await loadWeights(session.parameters, config, folder);
  const batches = [0, 6, 12].map((begin) => packBatch(tokenized, [0, 1, 2, 3, 4, 5].map((i) => begin + i)));
  const logits = await session.score(batches);
  assertClose(
    logits.flatMap((row) => [...row]),
    pairs.flatMap((pair) => pair.logits),
    { atol: 5e-5, rtol: 5e-5 },
    "logits",
  );
  session.release();
});

for (const family of TEXT_FAMILIES) {
  gpuTest(`a ${family} folder as published, bin and vocabulary: transformers' token ids and logits`, async (gpu) => {
    const { folder, maxLength, pairs } = await loadTextFixture(family);
    const tokenizer = await loadTokenizer(folder);
    for (const { post, criterion, ids } of pairs) {
      assert.deepEqual([...tokenizer.encodePair(post, criterion, maxLength).ids], ids, post);
    }
    assert.ok(pairs.some(({ ids }) => ids.length === maxLength), "some pairs are truncated");
    const scorer = await openScorer(gpu, folder, { precision: "fp32", numWorkers: 0 });
    assert.equal(scorer.maxLength, maxLength, "as many tokens as the model has positions for");
    const scores = await scoreTexts(scorer, pairs);
    scorer.release();
    const close = { atol: 2e-5, rtol: 2e-5 };
    assertClose(scores.flatMap(({ logits }) => logits), pairs.flatMap(({ logits }) => logits), close, "logits");
  });
}
