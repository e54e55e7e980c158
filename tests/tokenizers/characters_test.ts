import assert from "node:assert/strict";
import { textDigest } from "../../src/formats/digest.ts";
import { createNormalizer } from "../../src/tokenizers/normalizers.ts";
import { createPreTokenizer } from "../../src/tokenizers/pre_tokenizers.ts";
import { createCharsmap } from "../../src/tokenizers/precompiled.ts";
import { parseSentencePiece } from "../../src/tokenizers/sentencepiece.ts";
import { readGzip } from "./support.ts";
import fixture from "../fixtures/tokenizers/characters.json" with { type: "json" };

// Every character beside others; the same texts as in tests/oracles/tokenizer_characters.py.
const texts = fixture.starts.map((start) =>
  Array.from({ length: 4096 }, (_, i) => String.fromCodePoint(start + i))
    .map((c) => `a${c}b${c}${c}\u0334 ${c}z\u0345${c}`).join(" ")
);

function checkDigests(results: readonly string[], digests: readonly string[]): void {
  const wrong = fixture.starts.slice(0, digests.length).filter((_, i) =>
    textDigest(results[i]).slice(0, 8) !== digests[i]
  );
  assert.deepEqual(wrong.map((start) => start.toString(16)), [], "blocks of 4096 characters");
}

for (const { part, digests } of fixture.normalizers) {
  Deno.test(`createNormalizer: ${JSON.stringify(part)} on every character`, () => {
    checkDigests(texts.map(createNormalizer(part, "x.json")), digests);
  });
}

for (const { part, digests } of fixture.pre_tokenizers) {
  Deno.test(`createPreTokenizer: ${JSON.stringify(part)} on every character`, () => {
    const cut = createPreTokenizer(part, "x.json");
    checkDigests(texts.map((text) => cut(text, true).filter((word) => word !== "").join("\n")), digests);
  });
}

Deno.test("createCharsmap: SentencePiece's rule nmt_nfkc on every character of the first plane", async () => {
  const { charsmap } = parseSentencePiece(await readGzip("layouts/xlmr/sentencepiece.bpe.model.gz"), "x.model");
  const normalize = createCharsmap(charsmap!.toBase64(), "x.model");
  const halves = texts.slice(0, fixture.nmt_nfkc.length).map((text) => text.replaceAll("a", "½"));
  checkDigests(halves.map(normalize), fixture.nmt_nfkc);
});
