/** The masked language model against transformers, on both kinds of adapters' kernels. */
import assert from "node:assert/strict";
import { contentWords } from "../../src/augmentation/words.ts";
import { packBatch } from "../../src/dataset/batches.ts";
import { createWordMasker, maskTokenId } from "../../src/dataset/mask_word.ts";
import { loadTokenizer } from "../../src/dataset/tokenizer.ts";
import { checkMaskedLm, readModelConfig } from "../../src/models/checkpoint.ts";
import { EntailError } from "../../src/errors.ts";
import { readJson } from "../../src/formats/json.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { openContextualSource } from "../../src/training/contextual.ts";
import { maskedLmCapacity, openMaskedLm } from "../../src/training/masked_lm.ts";
import { assertClose } from "../support/close.ts";
import { DEBERTA_FIXTURES, readTensors } from "../support/deberta_fixture.ts";
import { gpuTest } from "../support/gpu.ts";

/** Whose kernels are tested. */
const KINDS = ["software", "hardware"] as const;

interface Expected {
  maxLength: number;
  /** Of published layouts: what stands for a word to be guessed, and the tokens that are words. */
  maskId?: number;
  words?: Record<string, number>;
  cases: { text: string; start: number; end: number; ids: number[]; masked: number; logits?: number[] }[];
}

const pathOf = (name: string) => decodeURIComponent(new URL(`masked_lm/${name}`, DEBERTA_FIXTURES).pathname);
const DEMO = decodeURIComponent(new URL("../../data/demo/masked_lm", import.meta.url).pathname);

/** Logits of some of the cases, in batches of `size`. */
async function logitsOf(
  gpu: Gpu,
  folder: string,
  cases: Expected["cases"],
  { size = cases.length, ...options }: { size?: number; maxChunkBytes?: number } = {},
): Promise<Float32Array[]> {
  const config = await readModelConfig(folder);
  const longest = Math.max(...cases.map(({ ids }) => ids.length));
  const capacity = { sequences: size, tokens: size * longest, longest };
  const model = await openMaskedLm(gpu, { config, folder, capacity, ...options });
  const rows: Float32Array[] = [];
  try {
    for (let begin = 0; begin < cases.length; begin += size) {
      const part = cases.slice(begin, begin + size);
      const pairs = part.map(({ ids }) => ({ ids: Uint32Array.from(ids), typeIds: new Uint8Array(ids.length) }));
      rows.push(...await model.predict(packBatch(pairs, pairs.map((_, i) => i)), part.map(({ masked }) => masked)));
    }
  } finally {
    model.release();
  }
  return rows;
}

const PUBLISHED = ["deberta_v3", "bert", "roberta", "xlm_roberta"].map((name) => `../../masked_lm/${name}`);
const SAVED = ["legacy", "lm_head", "narrow", "../../bert/masked_lm", "../../roberta/masked_lm"];

for (const name of [...SAVED, ...PUBLISHED]) {
  gpuTest(`openMaskedLm: logits of ${name} are transformers', with either kernels, and in shards`, async (gpu) => {
    const folder = pathOf(name);
    const { cases } = await readJson(`${folder}/expected.json`) as Expected;
    const { shape, data } = (await readTensors(`${folder}/expected.safetensors`)).get("logits")!;
    assert.equal(shape[0], cases.length);
    // The table of 121 rows of the first has 14,520 bytes: three shards.
    const sharded = name === "legacy" ? [{ kind: KINDS[0], maxChunkBytes: 5120 }] : [];
    const kinds = PUBLISHED.includes(name) ? KINDS.slice(0, 1) : KINDS;
    for (const { kind, ...options } of [...kinds.map((kind) => ({ kind })), ...sharded]) {
      const rows = await logitsOf({ ...gpu, kind }, folder, cases, options);
      assertClose(
        rows.flatMap((row) => [...row]),
        data,
        { atol: 1e-4, rtol: 1e-5 },
        `${kind} ${JSON.stringify(options)}`,
      );
    }
  });

  Deno.test(`createWordMasker: the tokens of ${name} are those of transformers around the word`, async () => {
    const folder = pathOf(name);
    const { cases, maxLength } = await readJson(`${folder}/expected.json`) as Expected;
    const tokenizer = await loadTokenizer(folder);
    const mask = createWordMasker(tokenizer, { maskId: maskTokenId(tokenizer, folder), maxLength });
    for (const { text, start, end, ids, masked } of cases) {
      const sequence = mask(text, { start, end });
      assert.deepEqual([...sequence.ids], ids, text.slice(start, end));
      assert.equal(sequence.masked, masked);
      assert.deepEqual([...sequence.typeIds], ids.map(() => 0));
    }
    assert.ok(cases.some(({ ids }) => ids.length === maxLength), "no case is cut");
  });
}

gpuTest("openMaskedLm: logits are the same bits in any batch", async (gpu) => {
  const { cases } = await readJson(`${pathOf("legacy")}/expected.json`) as Expected;
  for (const kind of KINDS) {
    const together = await logitsOf({ ...gpu, kind }, pathOf("legacy"), cases);
    assert.deepEqual(await logitsOf({ ...gpu, kind }, pathOf("legacy"), cases, { size: 1 }), together);
  }
});

gpuTest("openMaskedLm: the demo's model, stored as float16, is read as transformers reads it", async (gpu) => {
  const { cases, maxLength } = await readJson(pathOf("demo.json")) as Expected;
  const tokenizer = await loadTokenizer(DEMO);
  const mask = createWordMasker(tokenizer, { maskId: maskTokenId(tokenizer, DEMO), maxLength });
  for (const { text, start, end, ids } of cases) assert.deepEqual([...mask(text, { start, end }).ids], ids);
  for (const kind of KINDS) {
    const rows = await logitsOf({ ...gpu, kind }, DEMO, cases);
    rows.forEach((row, i) => {
      assertClose(row.filter((_, token) => token % 40 === 0), cases[i].logits!, { atol: 1e-4, rtol: 1e-5 }, "logits");
    });
  }
});

gpuTest("maskedLmCapacity: at most 64 masks, and one binding's room", async (gpu) => {
  const config = await readModelConfig(pathOf("legacy"));
  const room = (maxBindingBytes: number, vocabSize = config.vocabSize) =>
    maskedLmCapacity({ ...gpu, maxBindingBytes }, { ...config, vocabSize }, 50);
  await Promise.resolve();
  assert.deepEqual(room(2 ** 27), { sequences: 64, tokens: 3200, longest: 50 });
  assert.equal(room(2 ** 24, 128_100).sequences, 32);
  assert.equal(room(4 * 37 * 50 * 3).sequences, 3);
  assert.equal(room(1).sequences, 1);
});

Deno.test("checkMaskedLm: a model without the head, and one with a table of its own, are data errors", async () => {
  const classifier = decodeURIComponent(new URL("text", DEBERTA_FIXTURES).pathname);
  await assert.rejects(
    async () => await checkMaskedLm(await readModelConfig(classifier), classifier),
    (error: unknown) =>
      error instanceof EntailError && error.kind === "data" && !error.message.includes("\n") &&
      error.message.startsWith(`${classifier}: has no masked language model head (no cls.predictions.`) &&
      error.message.endsWith("name the folder of a …ForMaskedLM model"),
  );
  const config = await readModelConfig(pathOf("legacy"));
  await checkMaskedLm(config, pathOf("legacy"));
  await assert.rejects(
    () => checkMaskedLm({ ...config, other: { tie_word_embeddings: false } }, pathOf("legacy")),
    { kind: "data", message: /tie_word_embeddings/ },
  );
});

for (const name of PUBLISHED) {
  Deno.test(`openContextualSource: the mask and the words of ${name} as published are transformers'`, async () => {
    const { maskId, words } = await readJson(`${pathOf(name)}/expected.json`) as Expected;
    const { vocabulary: { ids, texts }, ...source } = await openContextualSource(pathOf(name));
    assert.equal(source.maskId, maskId);
    if (name.endsWith("deberta_v3")) assert.match(source.warning!, /was pretrained to tell replaced words/);
    else assert.equal(source.warning, null);
    const isWorth = (word: string) => contentWords(word, [{ start: 0, end: word.length }]).length > 0;
    assert.deepEqual(
      texts.map((text, i) => [ids[i], text]),
      Object.entries(words!).filter(([word]) => isWorth(word)).map(([word, id]) => [id, word]).sort(([a], [b]) =>
        +a - +b
      ),
    );
    assert.ok(texts.length > 2, `${texts}`);
  });
}

Deno.test("maskTokenId: what the files name, or else the class; a tokenizer without it is a data error", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.copyFile(`${pathOf("legacy")}/tokenizer.json`, `${folder}/tokenizer.json`);
    const open = async (settings: object) => {
      await Deno.writeTextFile(`${folder}/tokenizer_config.json`, JSON.stringify(settings));
      const tokenizer = await loadTokenizer(folder);
      return tokenizer.vocabulary[maskTokenId(tokenizer, folder)];
    };
    const tokenizer_class = "DebertaV2Tokenizer";
    assert.equal(await open({ tokenizer_class }), "[MASK]");
    assert.equal(await open({ tokenizer_class, mask_token: { content: "[UNK]" } }), "[UNK]");
    for (const settings of [{ tokenizer_class, mask_token: null }, { tokenizer_class: "PreTrainedTokenizerFast" }]) {
      await assert.rejects(open(settings), { kind: "data", message: /has no mask token; name the folder/ });
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
