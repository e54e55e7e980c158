import assert from "node:assert/strict";
import { createTokenizer, loadTokenizer } from "../../src/dataset/tokenizer.ts";
import { EntailError } from "../../src/errors.ts";
import sources from "../fixtures/dataset/tokenizers/texts.json" with { type: "json" };

const FOLDER = new URL("../fixtures/dataset/tokenizers/", import.meta.url).pathname;

interface Expected {
  vocabSize: number;
  texts: number[][];
  pairs: { post: number; criterion: number; maxLength: number; ids: number[]; ones: number }[];
}

async function readFixture(name: string): Promise<Expected> {
  return JSON.parse(await Deno.readTextFile(`${FOLDER}${name}/expected.json`));
}

function isDataError(pattern: RegExp): (error: unknown) => boolean {
  return (error) =>
    error instanceof EntailError && error.kind === "data" && pattern.test(error.message) &&
    !error.message.includes("\n");
}

for (const name of ["deberta", "deberta_punctuation", "xlmr", "nfkc_bytes", "bert"]) {
  Deno.test(`encode: ${name} gives the ids of transformers for every text`, async () => {
    const expected = await readFixture(name);
    const tokenizer = await loadTokenizer(FOLDER + name);
    assert.equal(tokenizer.vocabSize, expected.vocabSize);
    assert.ok(sources.texts.length > 150);
    sources.texts.forEach((text, i) => {
      assert.deepEqual(tokenizer.encode(text), expected.texts[i], `text ${i}: ${JSON.stringify(text)}`);
    });
  });

  Deno.test(`encodePair: ${name} joins and truncates as transformers does`, async () => {
    const expected = await readFixture(name);
    const tokenizer = await loadTokenizer(FOLDER + name);
    for (const { post, criterion, maxLength, ids, ones } of expected.pairs) {
      const [pair] = tokenizer.encodePair(sources.posts[post], sources.criteria[criterion], { maxLength }).chunks;
      assert.deepEqual([...pair.ids], ids, `post ${post}, criterion ${criterion}, ${maxLength} tokens`);
      const typeIds = ids.map((_, i) => i >= ids.length - ones ? 1 : 0);
      assert.deepEqual([...pair.typeIds], typeIds);
    }
  });
}

Deno.test("encodePair: a criterion that leaves no room for the post is a data error", async () => {
  const tokenizer = await loadTokenizer(`${FOLDER}deberta`);
  const criterion = sources.criteria[0];
  const shortest = tokenizer.encodePair("", criterion, { maxLength: 512 }).chunks[0].ids.length;
  const [just] = tokenizer.encodePair(sources.posts[0], criterion, { maxLength: shortest + 1 }).chunks;
  assert.equal(just.ids.length, shortest + 1);
  for (const maxLength of [shortest, shortest - 1, 1]) {
    assert.throws(() => tokenizer.encodePair(sources.posts[0], criterion, { maxLength }), isDataError(/max_length=/));
  }
  assert.throws(() => tokenizer.encodePair("", criterion, { maxLength: shortest - 1 }), isDataError(/max_length=/));
});

const LIMITS = { maxLength: 64 };

Deno.test("encodePair: what came before does not matter", async () => {
  const tokenizer = await loadTokenizer(`${FOLDER}xlmr`);
  const fresh = await loadTokenizer(`${FOLDER}xlmr`);
  for (let i = 0; i < 600; i++) tokenizer.encodePair(sources.texts[i % sources.texts.length], `criterion ${i}`, LIMITS);
  const [post, criterion] = [sources.posts[1], "criterion 3"];
  assert.deepEqual(tokenizer.encodePair(post, criterion, LIMITS), fresh.encodePair(post, criterion, LIMITS));
});

Deno.test("loadTokenizer: missing and unusable files are data errors", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await assert.rejects(loadTokenizer(folder), isDataError(/no tokenizer: none of tokenizer\.json, spm\.model/));
    for (const content of ["{", "[]", "null", "{}", '{"model":{"type":"Strange"}}', '{"model":{"type":"Unigram"}}']) {
      await Deno.writeTextFile(`${folder}/tokenizer.json`, content);
      await assert.rejects(loadTokenizer(folder), isDataError(/tokenizer\.json/), content);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("createTokenizer: a damaged normalization map and an unknown template are data errors", async () => {
  const document = JSON.parse(await Deno.readTextFile(`${FOLDER}xlmr/tokenizer.json`));
  for (const charsmap of ["AAAA", "%%%", btoa("\xff\xff\xff\x00aaaaaaa")]) {
    const normalizer = { type: "Precompiled", precompiled_charsmap: charsmap };
    assert.throws(() => createTokenizer({ ...document, normalizer }, "x.json"), isDataError(/charsmap is damaged/));
  }
  const strange = { ...document, post_processor: { type: "Strange" } };
  assert.throws(() => createTokenizer(strange, "x.json"), isDataError(/Strange/));
});

Deno.test("createTokenizer: a vocabulary of wrong things, ids that are none: data errors that name the key", async () => {
  const read = async (name: string) => JSON.parse(await Deno.readTextFile(`${FOLDER}${name}/tokenizer.json`));
  const [unigram, wordPiece] = [await read("deberta"), await read("bert")];
  const bpe = {
    ...unigram,
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    added_tokens: [],
    model: { type: "BPE", unk_token: "?", vocab: { "?": 0, a: 1, b: 2, ab: 3 }, merges: ["a b"] },
  };
  assert.deepEqual(createTokenizer(bpe, "x.json").encode("abb?"), [3, 2, 0]);
  assert.ok(createTokenizer({ ...bpe, model: { ...bpe.model, merges: [["a", "b"]], unk_token: null } }, "x.json"));

  const { vocab } = unigram.model;
  const size = vocab.length;
  const template = (item: object) => ({ type: "TemplateProcessing", single: [], pair: [item], special_tokens: {} });
  const cases: [Record<string, unknown>, Record<string, unknown>, RegExp][] = [
    [unigram, { vocab: "abc" }, /model\.vocab: must be a list/],
    [unigram, { vocab: {} }, /model\.vocab: must be a list/],
    [unigram, { vocab: [] }, /model\.vocab: must be a list/],
    [unigram, { vocab: ["a", "b"] }, /model\.vocab\[0\]: must be \[text, score\]/],
    [unigram, { vocab: [...vocab.slice(0, 9), ["a", "1"], ...vocab.slice(10)] }, /model\.vocab\[9\]/],
    [unigram, { vocab: [...vocab, [1, 1]] }, new RegExp(`model\\.vocab\\[${size}\\]`)],
    [unigram, { vocab: [...vocab, null] }, new RegExp(`model\\.vocab\\[${size}\\]`)],
    [unigram, { unk_id: 1e9 }, /model\.unk_id: must be null or the place of a piece/],
    [unigram, { unk_id: -1 }, /model\.unk_id/],
    [unigram, { unk_id: 0.5 }, /model\.unk_id/],
    [unigram, { unk_id: size }, /model\.unk_id/],
    [unigram, { unk_id: "1" }, /model\.unk_id/],
    [wordPiece, { vocab: "abc" }, /model\.vocab: must be an object/],
    [wordPiece, { vocab: [["a", 1]] }, /model\.vocab: must be an object/],
    [wordPiece, { vocab: {} }, /model\.vocab: must be an object/],
    [wordPiece, { vocab: { ...wordPiece.model.vocab, x: "1" } }, /model\.vocab\["x"\]: must be a whole number/],
    [wordPiece, { vocab: { ...wordPiece.model.vocab, x: 1e9 } }, /model\.vocab\["x"\]/],
    [wordPiece, { vocab: { ...wordPiece.model.vocab, x: -1 } }, /model\.vocab\["x"\]/],
    [wordPiece, { unk_token: "none such" }, /model\.unk_token: must be a piece/],
    [wordPiece, { unk_token: 1 }, /model\.unk_token/],
    [wordPiece, { continuing_subword_prefix: null }, /model\.continuing_subword_prefix/],
    [wordPiece, { max_input_chars_per_word: "100" }, /model\.max_input_chars_per_word/],
    [wordPiece, { type: "WordLevel" }, /model\.type: must be Unigram, WordPiece or BPE/],
    [bpe, { vocab: "ab" }, /model\.vocab/],
    [bpe, { vocab: { ...bpe.model.vocab, ab: 1.5 } }, /model\.vocab\["ab"\]/],
    [bpe, { merges: "a b" }, /model\.merges: must be a list/],
    [bpe, { merges: ["a b", "a c"] }, /model\.merges\[1\]: must be two pieces/],
    [bpe, { merges: ["b a"] }, /model\.merges\[0\]/],
    [bpe, { merges: [["a", 1]] }, /model\.merges\[0\]/],
    [bpe, { merges: ["a b b"] }, /model\.merges\[0\]/],
    [bpe, { unk_token: "none such" }, /model\.unk_token/],
  ];
  for (const [document, change, pattern] of cases) {
    const changed = { ...document, model: { ...document.model as object, ...change } };
    assert.throws(() => createTokenizer(changed, "x.json"), isDataError(new RegExp(`^x\\.json: ${pattern.source}`)));
  }
  const parts: [Record<string, unknown>, RegExp][] = [
    [{ model: [] }, /model: must be an object/],
    [{ added_tokens: {} }, /added_tokens: must be a list/],
    [{ added_tokens: [null] }, /added_tokens\[0\]: must be an object/],
    [{ added_tokens: [{ id: 1e9, content: "x" }] }, /added_tokens\[0\]\.id: must be a whole number/],
    [{ added_tokens: [{ id: 1, content: 2 }] }, /added_tokens\[0\]\.content: must be a text/],
    [{ post_processor: { type: "BertProcessing", cls: ["[CLS]", 1e9], sep: ["[SEP]", 2] } }, /must be ids of tokens/],
    [{ post_processor: { type: "BertProcessing", cls: ["[CLS]", 1], sep: ["[SEP]", "2"] } }, /must be ids of tokens/],
    [{ post_processor: template({ Sequence: { id: "A", type_id: 1e9 } }) }, /type_id must be 0 or 1/],
  ];
  for (const [change, pattern] of parts) {
    assert.throws(() => createTokenizer({ ...unigram, ...change }, "x.json"), isDataError(pattern));
  }
});
