/** The masked language model against transformers, on both kinds of adapters' kernels. */
import assert from "node:assert/strict";
import { packBatch } from "../../src/dataset/batches.ts";
import { createWordMasker, maskTokenId } from "../../src/dataset/mask_word.ts";
import { loadTokenizer } from "../../src/dataset/tokenizer.ts";
import { checkMaskedLm, readModelConfig } from "../../src/models/checkpoint.ts";
import { EntailError } from "../../src/errors.ts";
import { readJson } from "../../src/formats/json.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { maskedLmCapacity, openMaskedLm } from "../../src/training/masked_lm.ts";
import { assertClose } from "../support/close.ts";
import { DEBERTA_FIXTURES, readTensors } from "../support/deberta_fixture.ts";
import { gpuTest } from "../support/gpu.ts";

/** Whose kernels are tested. */
const KINDS = ["software", "hardware"] as const;

interface Expected {
  maxLength: number;
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

for (const name of ["legacy", "lm_head", "narrow", "../../bert/masked_lm", "../../roberta/masked_lm"]) {
  gpuTest(`openMaskedLm: logits of ${name} are transformers', with either kernels, and in shards`, async (gpu) => {
    const folder = pathOf(name);
    const { cases } = await readJson(`${folder}/expected.json`) as Expected;
    const { shape, data } = (await readTensors(`${folder}/expected.safetensors`)).get("logits")!;
    assert.equal(shape[0], cases.length);
    // The table of 121 rows of the first has 14,520 bytes: three shards.
    const sharded = name === "legacy" ? [{ kind: KINDS[0], maxChunkBytes: 5120 }] : [];
    for (const { kind, ...options } of [...KINDS.map((kind) => ({ kind })), ...sharded]) {
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
    const mask = createWordMasker(tokenizer, { maskId: await maskTokenId(folder, tokenizer), maxLength });
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
  const mask = createWordMasker(tokenizer, { maskId: await maskTokenId(DEMO, tokenizer), maxLength });
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

Deno.test("maskTokenId: what tokenizer_config.json names; a tokenizer without it is a data error", async () => {
  const tokenizer = await loadTokenizer(pathOf("legacy"));
  assert.equal(tokenizer.vocabulary[await maskTokenId(pathOf("legacy"), tokenizer)], "[MASK]");
  const folder = await Deno.makeTempDir();
  try {
    assert.equal(tokenizer.vocabulary[await maskTokenId(folder, tokenizer)], "[MASK]");
    const write = (config: object) => Deno.writeTextFile(`${folder}/tokenizer_config.json`, JSON.stringify(config));
    await write({ mask_token: { content: "[UNK]" } });
    assert.equal(await maskTokenId(folder, tokenizer), tokenizer.tokenId("[UNK]"));
    for (const config of [{ mask_token: null }, { mask_token: "<mask>" }]) {
      await write(config);
      await assert.rejects(() => maskTokenId(folder, tokenizer), { kind: "data", message: /has no mask token/ });
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
