/** What epochs train on in other words: paraphrased criteria, augmented posts, and both together. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Config } from "../../src/config/config.ts";
import { loadTokenizer } from "../../src/dataset/tokenizer.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { createAugmenter } from "../../src/training/augmentation.ts";
import { crossValidate } from "../../src/training/cross_validation.ts";
import { openModelSource } from "../../src/training/model_source.ts";
import { paraphraseEpoch } from "../../src/training/paraphrases.ts";
import { silentReporter } from "../../src/training/reporter.ts";
import { createRewriter } from "../../src/training/rewriting.ts";
import { scoringCapacity, trainingOptions } from "../../src/training/run.ts";
import { loadRunData } from "../../src/training/run_data.ts";
import { gpuTest } from "../support/gpu.ts";
import { inTemporaryFolder, runConfig, TEXT_MODEL, writeAnnotations } from "../support/run_data.ts";
import { fingerprint, runInPieces } from "../support/run_pieces.ts";

/** Nothing here needs a device. */
const gpu = { maxBindingBytes: 1 << 30 } as Gpu;
const quiet = { reporter: silentReporter };

const PARAPHRASES = ["Sleeps badly or too long.", "Bad sleep."];

/** Writes criteria of which A.4 has `paraphrases`; returns the override that names them. */
function writeParaphrases(folder: string, paraphrases: string[] = PARAPHRASES): string {
  runConfig(folder);
  const { criteria } = JSON.parse(Deno.readTextFileSync(join(folder, "criteria.json")));
  criteria[1].paraphrases = paraphrases;
  Deno.writeTextFileSync(join(folder, "paraphrased.json"), JSON.stringify({ criteria }));
  return `data.criteria_json=${join(folder, "paraphrased.json")}`;
}

async function load(config: Config, reporter = silentReporter) {
  const model = await openModelSource(config);
  return { model, data: await loadRunData(config, model, reporter) };
}

Deno.test("paraphraseEpoch: each text of a criterion as often as the others, by seed, epoch and pair", () => {
  const pair = { postId: "p", post: "", criterionId: "A.1", criterion: "a", label: 0 } as const;
  const pairs = Array.from({ length: 4000 }, (_, i) => i % 4 === 0 ? pair : { ...pair, paraphrases: ["b", "c"] });
  const all = pairs.map((_, index) => index);
  const draw = (members: number[], epoch: number, seed = 42) => [...paraphraseEpoch(pairs, members, { seed, epoch })];
  const drawn = draw(all, 3);
  assert.ok(drawn.every(([index]) => index % 4 > 0));
  for (const text of ["b", "c"]) {
    // 1,000 expected; four standard deviations.
    assert.ok(Math.abs(drawn.filter(([, own]) => own === text).length - 1000) < 4 * Math.sqrt(3000 * 2 / 9), text);
  }
  assert.deepEqual(draw(all, 3), drawn);
  assert.notDeepEqual(draw(all, 4), drawn);
  assert.notDeepEqual(draw(all, 3, 43), drawn);
  const some = all.filter((index) => index % 5 === 0);
  assert.deepEqual(draw(some, 3), drawn.filter(([index]) => some.includes(index)));
});

Deno.test("Rewriter: augmented posts with paraphrased criteria, whatever the number of threads", async () => {
  // Without and with posts that are cut.
  for (const maxLength of [100, 40]) {
    await inTemporaryFolder(async (folder) => {
      const annotations = writeAnnotations(folder);
      const paraphrased = writeParaphrases(folder);
      const config = (...more: string[]) =>
        runConfig(folder, ...annotations, paraphrased, `data.max_length=${maxLength}`, ...more);
      const { model, data } = await load(config());
      const { pairs, tokens } = data;
      const before = structuredClone(tokens);
      const { encodePair } = await loadTokenizer(TEXT_MODEL);
      const train = pairs.map((_, index) => index).filter((index) => data.folds[index] === 0);
      const rewriter = createRewriter();
      const rewritten = async (epoch: number, ...more: string[]) => {
        const augmentation = await createAugmenter(silentReporter).prepare(config(...more), { data, gpu });
        return await rewriter.ofFold(train, { config: config(...more), model, data, augmentation })?.(epoch);
      };
      const augmentation = await createAugmenter(silentReporter).prepare(config(), { data, gpu });
      const seen = new Set<string>();
      for (const epoch of [0, 1, 2, 3, 4, 5]) {
        const posts = augmentation!.postsOf(train, epoch);
        const criteria = paraphraseEpoch(pairs, train, { seed: config().seed, epoch });
        const changed = (await rewritten(epoch))!;
        assert.deepEqual(
          [...changed.keys()].toSorted(),
          [...new Set([...posts.keys(), ...criteria.keys()])].toSorted(),
        );
        for (const [index, own] of changed) {
          const { post, criterion } = pairs[index];
          const texts = [posts.get(index) ?? post, criteria.get(index) ?? criterion] as const;
          assert.deepEqual(own, encodePair(...texts, { maxLength }));
          seen.add(`${posts.has(index)} ${criteria.get(index) ?? "first"}`);
        }
      }
      // Each text of A.4 with its own posts and with augmented ones, but for what changes nothing.
      assert.ok(
        ["true first", ...PARAPHRASES.map((text) => `true ${text}`)].every((kind) => seen.has(kind)),
        `${[...seen]}`,
      );
      assert.ok(seen.has(`false ${PARAPHRASES[0]}`) && !seen.has("false first"));
      assert.deepEqual(await rewritten(1, "training.num_workers=2"), await rewritten(1));
      assert.equal((await rewritten(0, "augmentation.enable=false"))!.size > 0, true);
      rewriter.close();
      assert.deepEqual(tokens, before);
    });
  }
});

Deno.test("trainingOptions: pairs may grow by their criterion's longest text; too long a text is refused", async () => {
  await inTemporaryFolder(async (folder) => {
    const said: string[] = [];
    const reporter = { ...silentReporter, info: (line: string) => void said.push(line) };
    const long = `${PARAPHRASES[0]} `.repeat(2);
    const paraphrased = writeParaphrases(folder, ["Bad sleep.", long]);
    const config = (...more: string[]) => runConfig(folder, paraphrased, ...more);
    const { model, data } = await load(config("data.max_length=70"), reporter);
    const { encode } = await loadTokenizer(TEXT_MODEL);
    const more = encode(long).length - encode(data.pairs[1].criterion).length;
    const lengths = data.tokens.map(({ chunks: [{ ids }] }, index) =>
      Math.min(70, ids.length + (data.pairs[index].criterionId === "A.4" ? more : 0))
    ).sort((a, b) => b - a);
    const { inference, training } = trainingOptions(gpu, config("data.max_length=70"), model.config, data);
    assert.equal(training!.capacity.tokens, lengths.slice(0, 4).reduce((sum, length) => sum + length));
    assert.equal(training!.capacity.longest, lengths[0]);
    assert.ok(more > 0);
    assert.deepEqual(scoringCapacity(gpu, model.config, data.tokens, 32, "fp32"), inference);
    assert.match(said.join(), /^paraphrases: 1 of 2 criteria have 3 texts together; training draws one/);

    await assert.rejects(load(config("data.max_length=42")), { kind: "data", message: /"Sleeps badly .* leaves/ });
    const chunked = ["data.chunk_max_len=60", "data.chunk_stride=20"];
    await assert.rejects(load(config(...chunked)), {
      kind: "data",
      message: /"Sleeps badly .* data\.chunk_max_len=60/,
    });
  });
});

gpuTest("crossValidate: paraphrases are trained on, never judged by, and resume to the bit", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const paraphrased = writeParaphrases(folder);
    const run = join(folder, "run");
    const still = ["training.learning_rate=0", "training.num_epochs=1"];
    await crossValidate(gpu, runConfig(folder, ...still), { ...quiet, fold: 0 });
    const plain = await Deno.readTextFile(join(run, "fold_0/predictions.csv"));
    await assert.rejects(crossValidate(gpu, runConfig(folder, ...still, paraphrased), quiet), {
      kind: "usage",
      message: /data\.criteria_json has other content/,
    });
    await crossValidate(gpu, runConfig(folder, ...still, paraphrased, "overwrite=true"), quiet);
    assert.equal(await Deno.readTextFile(join(run, "fold_0/predictions.csv")), plain);

    // With everything that chooses what an epoch reads.
    const overrides = [
      paraphrased,
      ...writeAnnotations(folder),
      "data.chunk_max_len=48",
      "data.chunk_stride=2",
      "training.num_epochs=2",
      "training.neg_per_pos=1",
      "training.hard_neg_frac=0.5",
    ];
    await crossValidate(gpu, runConfig(folder, ...overrides, "overwrite=true"), quiet);
    const whole = await fingerprint(run);
    const log = join(run, "fold_0/metrics.jsonl");
    const logged = await Deno.readTextFile(log);
    await Deno.remove(run, { recursive: true });
    assert.ok(await runInPieces(gpu, folder, 2, ...overrides) >= 2, "the run was never interrupted");
    assert.deepEqual(await fingerprint(run), whole);
    const none = runConfig(
      folder,
      ...overrides,
      writeParaphrases(folder, []),
      "training.max_steps=2",
      "overwrite=true",
    );
    await crossValidate(gpu, none, quiet);
    const firstLoss = (text: string): number => JSON.parse(text.split("\n")[0]).loss;
    assert.notEqual(firstLoss(await Deno.readTextFile(log)), firstLoss(logged));
  });
});
