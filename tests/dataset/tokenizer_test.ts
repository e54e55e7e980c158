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
      const pair = tokenizer.encodePair(sources.posts[post], sources.criteria[criterion], maxLength);
      assert.deepEqual([...pair.ids], ids, `post ${post}, criterion ${criterion}, ${maxLength} tokens`);
      const typeIds = ids.map((_, i) => i >= ids.length - ones ? 1 : 0);
      assert.deepEqual([...pair.typeIds], typeIds);
    }
  });
}

Deno.test("encodePair: a criterion that leaves no room for the post is a data error", async () => {
  const tokenizer = await loadTokenizer(`${FOLDER}deberta`);
  const criterion = sources.criteria[0];
  const shortest = tokenizer.encodePair("", criterion, 512).ids.length;
  assert.equal(tokenizer.encodePair(sources.posts[0], criterion, shortest + 1).ids.length, shortest + 1);
  for (const maxLength of [shortest, shortest - 1, 1]) {
    assert.throws(() => tokenizer.encodePair(sources.posts[0], criterion, maxLength), isDataError(/max_length=/));
  }
  assert.throws(() => tokenizer.encodePair("", criterion, shortest - 1), isDataError(/max_length=/));
});

Deno.test("encodePair: what came before does not matter", async () => {
  const tokenizer = await loadTokenizer(`${FOLDER}xlmr`);
  const fresh = await loadTokenizer(`${FOLDER}xlmr`);
  for (let i = 0; i < 600; i++) tokenizer.encodePair(sources.texts[i % sources.texts.length], `criterion ${i}`, 64);
  const [post, criterion] = [sources.posts[1], "criterion 3"];
  assert.deepEqual(tokenizer.encodePair(post, criterion, 64), fresh.encodePair(post, criterion, 64));
});

Deno.test("tokenId, decode: special tokens and plain text", async () => {
  const tokenizer = await loadTokenizer(`${FOLDER}deberta`);
  assert.equal(tokenizer.tokenId("[MASK]"), 4);
  assert.equal(tokenizer.tokenId("no such token"), undefined);
  const { ids } = tokenizer.encodePair("i feel tired", "sleep", 64);
  assert.equal(tokenizer.decode([...ids].slice(0, tokenizer.encode("i feel tired").length + 1)), "i feel tired");
});

Deno.test("loadTokenizer: missing and unusable files are data errors", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await assert.rejects(loadTokenizer(folder), isDataError(/no tokenizer\.json.*save_pretrained/));
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
