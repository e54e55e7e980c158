import assert from "node:assert/strict";
import { EntailError } from "../../src/errors.ts";
import { parseSentencePiece } from "../../src/tokenizers/sentencepiece.ts";
import { readGzip } from "./support.ts";

const isDataError = (pattern: RegExp) => (error: unknown) =>
  error instanceof EntailError && error.kind === "data" && pattern.test(error.message) && !/\n/.test(error.message);

/** A field of a message: a number, or text, or the bytes of a message. */
function field(number: number, value: number | string | Uint8Array): number[] {
  if (typeof value === "number") return [number * 8, value];
  const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
  assert.ok(number < 16 && bytes.length < 128);
  return [number * 8 + 2, bytes.length, ...bytes];
}

const bytesOf = (...fields: number[][]) => new Uint8Array(fields.flat());
const score = [21, 0, 0, 0x80, 0xbf];
const piece = (text: string, ...more: number[][]) => field(1, bytesOf(field(1, text), ...more));
const trainer = (type: number, unkId: number) => field(2, new Uint8Array([24, type, 192, 2, unkId]));
const normalizer = field(3, "");

Deno.test("parseSentencePiece: pieces, scores, types and the map of the normalizer", async () => {
  const model = parseSentencePiece(
    bytesOf(piece("<unk>", field(3, 2)), piece("▁a", score), piece("<s>", field(3, 3)), trainer(1, 0), normalizer),
    "x.model",
  );
  assert.deepEqual(model.pieces, [["<unk>", 0], ["▁a", -1], ["<s>", 0]]);
  assert.deepEqual([model.control, model.userDefined, model.unkId, model.charsmap], [[2], [], 0, undefined]);
  const published = parseSentencePiece(await readGzip("layouts/xlmr/sentencepiece.bpe.model.gz"), "x.model");
  assert.deepEqual(published.pieces.slice(0, 3), [["<unk>", 0], ["<s>", 0], ["</s>", 0]]);
  assert.ok(published.charsmap!.length > 100_000);
});

Deno.test("parseSentencePiece: a file cut short anywhere is a data error", async () => {
  const whole = await readGzip("layouts/deberta_v3/spm.model.gz");
  for (let length = 0; length < whole.length; length += 1 + Math.floor(length / 40)) {
    assert.throws(
      () => parseSentencePiece(whole.slice(0, length), "spm.model"),
      isDataError(/^spm\.model: .*cut short/),
    );
  }
  assert.throws(() => parseSentencePiece(whole.slice(0, -1), "spm.model"), isDataError(/cut short/));
});

Deno.test("parseSentencePiece: other models and damaged ones are data errors that say what is wrong", () => {
  const cases: [Uint8Array<ArrayBuffer>, RegExp][] = [
    [bytesOf(piece("a", score), trainer(2, 0), normalizer), /type BPE; only unigram/],
    [bytesOf(piece("a", score), trainer(4, 0), normalizer), /type char/],
    [bytesOf(piece("a", score), trainer(1, 7), normalizer), /no piece 7 for the unknown/],
    [bytesOf(trainer(1, 0), normalizer), /no pieces/],
    [bytesOf(piece("a", score)), /no trainer_spec/],
    [bytesOf(piece("a", [21, 0, 0, 0xc0, 0x7f]), trainer(1, 0), normalizer), /score of piece "a" is NaN/],
    [bytesOf(field(1, new Uint8Array([10, 1, 0xff])), trainer(1, 0), normalizer), /cut short/],
    [bytesOf(field(1, 5), trainer(1, 0), normalizer), /number in place of a message/],
    [new TextEncoder().encode("<!DOCTYPE html><html>"), /cut short/],
    [new Uint8Array(40).fill(0xff), /ten bytes/],
    [new Uint8Array([3, 0]), /wire type 3/],
  ];
  for (const [bytes, pattern] of cases) assert.throws(() => parseSentencePiece(bytes, "x.model"), isDataError(pattern));
});
