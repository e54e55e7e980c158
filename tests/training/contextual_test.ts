import assert from "node:assert/strict";
import { contentWords } from "../../src/augmentation/words.ts";
import { loadTokenizer } from "../../src/dataset/tokenizer.ts";
import { contextualCandidates, openContextualSource } from "../../src/training/contextual.ts";
import { DEBERTA_FIXTURES } from "../support/deberta_fixture.ts";
import { gpuTest } from "../support/gpu.ts";

const DEMO = decodeURIComponent(new URL("../../data/demo/masked_lm", import.meta.url).pathname);

/** A text with all of its words. */
const item = (text: string) => ({ text, words: contentWords(text, [{ start: 0, end: text.length }]) });

const SLEEP = item("Lately I lie awake until three and nothing helps. My sister is worried because I feel tired.");
const MUSIC = item("Most days I lack any interest in music. Our dog likes the park.");

gpuTest("contextualCandidates: words that fit, for each word of each item", async (gpu) => {
  const progress: number[][] = [];
  const onProgress = (done: number, total: number) => progress.push([done, total]);
  const [sleep, none, music] = await contextualCandidates(gpu, DEMO, [SLEEP, { text: "I.", words: [] }, MUSIC], {
    onProgress,
  });
  assert.equal(sleep.length, SLEEP.words.length);
  assert.deepEqual(none, []);
  const total = SLEEP.words.length + MUSIC.words.length;
  assert.deepEqual(progress.at(-1), [total, total]);
  const of = ({ text, words }: typeof SLEEP, candidates: typeof sleep, word: string) => {
    const at = words.findIndex(({ start, end }) => text.slice(start, end) === word);
    return candidates[at].map((candidate) => candidate.text);
  };
  assert.ok(of(SLEEP, sleep, "tired").includes("exhausted"), `${of(SLEEP, sleep, "tired")}`);
  assert.ok(of(SLEEP, sleep, "sister").includes("wife"), `${of(SLEEP, sleep, "sister")}`);
  assert.ok(of(MUSIC, music, "interest").includes("pleasure"), `${of(MUSIC, music, "interest")}`);
  [...sleep, ...music].forEach((candidates) => {
    const weights = candidates.map(({ weight }) => weight);
    assert.deepEqual(weights, weights.toSorted((a, b) => b - a));
    assert.ok(weights.every((weight) => weight > 0 && weight < 1) && weights.length <= 10);
  });
});

gpuTest("contextualCandidates: the same bits alone, together and again", async (gpu) => {
  const together = await contextualCandidates(gpu, DEMO, [SLEEP, MUSIC, SLEEP]);
  assert.deepEqual(together[2], together[0]);
  assert.deepEqual(await contextualCandidates(gpu, DEMO, [MUSIC]), [together[1]]);
  const last = SLEEP.words.slice(-1);
  assert.deepEqual(await contextualCandidates(gpu, DEMO, [{ ...SLEEP, words: last }]), [together[0].slice(-1)]);
  assert.ok(together[0].at(-1)!.length > 1);
});

gpuTest("contextualCandidates: of a long text only the surroundings of a word count", async (gpu) => {
  const { encode } = await loadTokenizer(DEMO);
  const far = "The train to the coast was full. ".repeat(40);
  const long = `${far}${SLEEP.text} ${far}`;
  assert.ok(encode(long).length > 500);
  const start = far.length + SLEEP.text.indexOf("tired");
  const other = `Our dog likes the park. ${long} I bought a bicycle.`;
  const shifted = start + other.indexOf(long);
  const [[inLong], [inOther]] = await contextualCandidates(gpu, DEMO, [
    { text: long, words: [{ start, end: start + 5 }] },
    { text: other, words: [{ start: shifted, end: shifted + 5 }] },
  ]);
  assert.deepEqual(inOther, inLong);
  assert.ok(inLong.some(({ text }) => text === "exhausted"));
  const around = SLEEP.text.indexOf("tired");
  const [[narrow]] = await contextualCandidates(gpu, DEMO, [
    { text: SLEEP.text, words: [{ start: around, end: around + 5 }] },
  ], { maxLength: 6 });
  assert.notDeepEqual(narrow, inLong);
});

gpuTest("contextualCandidates: an interrupt ends it", async (gpu) => {
  const signal = AbortSignal.abort();
  await assert.rejects(() => contextualCandidates(gpu, DEMO, [SLEEP], { signal }), { kind: "interrupted" });
});

Deno.test("openContextualSource: folders without the head, the mask, whole words or the model are data errors", async () => {
  const classifier = decodeURIComponent(new URL("text", DEBERTA_FIXTURES).pathname);
  await assert.rejects(() => openContextualSource(classifier), {
    kind: "data",
    message: /text: has no masked language model head .*; name the folder of a …ForMaskedLM model$/,
  });
  await assert.rejects(() => openContextualSource(`${DEMO}/absent`), {
    kind: "data",
    message: /absent: no such folder/,
  });
  const folder = await Deno.makeTempDir();
  try {
    for (const name of ["config.json", "model.safetensors", "tokenizer.json"]) {
      await Deno.copyFile(`${DEMO}/${name}`, `${folder}/${name}`);
    }
    await Deno.writeTextFile(`${folder}/tokenizer_config.json`, '{"mask_token": null}');
    await assert.rejects(() => openContextualSource(folder), { kind: "data", message: /has no mask token/ });
    const tokenizer = await Deno.readTextFile(`${folder}/tokenizer.json`);
    await Deno.writeTextFile(`${folder}/tokenizer.json`, tokenizer.replaceAll("▁", "_"));
    await Deno.copyFile(`${DEMO}/tokenizer_config.json`, `${folder}/tokenizer_config.json`);
    await assert.rejects(() => openContextualSource(folder), { kind: "data", message: /known to be a whole word/ });
    const config = JSON.parse(await Deno.readTextFile(`${folder}/config.json`));
    await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify({ ...config, embedding_size: 32 }));
    await assert.rejects(() => openContextualSource(folder), {
      kind: "data",
      message: /word_embeddings\.weight has shape \[1002, 64\]/,
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
