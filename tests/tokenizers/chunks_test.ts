import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { EncodedPair } from "../../src/dataset/batches.ts";
import { chunkRanges } from "../../src/dataset/chunks.ts";
import { loadTokenizer } from "../../src/dataset/tokenizer.ts";
import { EntailError } from "../../src/errors.ts";
import { inTemporaryFolder } from "../support/run_data.ts";
import { LAYOUTS, readGzip, unpackLayout } from "./support.ts";

const { cases, expected } = JSON.parse(new TextDecoder().decode(await readGzip("chunks.json.gz"))) as {
  cases: [post: string, criterion: string, maxLength: number, chunkStride: number][];
  expected: Record<string, string[]>;
};

/** As tests/oracles/pair_chunks.py writes down what transformers makes. */
function described({ chunks }: EncodedPair): string {
  const digest = createHash("sha256");
  for (const { ids, typeIds } of chunks) {
    digest.update(new Uint8Array(Uint32Array.of(ids.length, typeIds.reduce((sum, type) => sum + type, 0)).buffer));
    digest.update(new Uint8Array(ids.buffer));
  }
  return `${chunks.length} ${digest.digest("hex").slice(0, 12)}`;
}

for (const layout of LAYOUTS) {
  Deno.test(`encodePair: ${layout} cuts posts into the chunks of transformers`, () =>
    inTemporaryFolder(async (folder) => {
      await unpackLayout(layout, folder);
      const tokenizer = await loadTokenizer(folder);
      assert.equal(expected[layout].length, cases.length);
      let several = 0;
      cases.forEach(([post, criterion, maxLength, chunkStride], i) => {
        const encode = () => tokenizer.encodePair(post, criterion, { maxLength, chunkStride });
        const what = JSON.stringify(cases[i]);
        if (expected[layout][i] === "error") {
          return assert.throws(encode, (error) => error instanceof EntailError && error.kind === "data", what);
        }
        const pair = encode();
        assert.equal(described(pair), expected[layout][i], what);
        assert.equal(pair.lost, 0);
        several += pair.chunks.length > 1 ? 1 : 0;
      });
      assert.ok(several > 100, `${several} posts of several chunks`);
    }));
}

Deno.test("encodePair: without a stride the post is cut at its end, and what is lost is counted", () =>
  inTemporaryFolder(async (folder) => {
    await unpackLayout("bert_uncased", folder);
    const tokenizer = await loadTokenizer(folder);
    const [post, criterion] = cases.find(([post]) => post.length === 2000)!;
    const tokens = tokenizer.encode(post).length;
    const overhead = 3 + tokenizer.encode(criterion).length;
    const { chunks, lost } = tokenizer.encodePair(post, criterion, { maxLength: 64 });
    assert.deepEqual([chunks.length, chunks[0].ids.length, lost], [1, 64, tokens - (64 - overhead)]);
    assert.equal(tokenizer.encodePair(post, criterion, { maxLength: tokens + overhead }).lost, 0);
    const limits = { maxLength: overhead + 8, chunkStride: 8 };
    assert.throws(() => tokenizer.encodePair(post, criterion, limits), {
      message: /leaves 8 for the post in data\.chunk_max_len=\d+, no more than data\.chunk_stride=8; raise the former/,
    });
  }));

Deno.test("chunkRanges: every token is in one or two neighbours, and no chunk repeats what the last one had", () => {
  for (let length = 1; length < 40; length++) {
    for (let size = 1; size < 12; size++) {
      for (let stride = 0; stride < size; stride++) {
        const ranges = chunkRanges(length, size, stride);
        assert.equal(ranges.length, Math.max(1, Math.ceil((length - size) / (size - stride)) + 1));
        ranges.forEach(({ start, end }, i) => {
          assert.equal(start, i * (size - stride));
          assert.equal(end, Math.min(length, start + size));
        });
        assert.equal(ranges.at(-1)!.end, length);
      }
    }
  }
});
