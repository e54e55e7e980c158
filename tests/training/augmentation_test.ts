import assert from "node:assert/strict";
import { join } from "node:path";
import type { Config } from "../../src/config/config.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import {
  type Augmenter,
  checkAugmentation,
  checkAugmentationKeys,
  createAugmenter,
} from "../../src/training/augmentation.ts";
import { openModelSource } from "../../src/training/model_source.ts";
import { type Reporter, silentReporter } from "../../src/training/reporter.ts";
import { batchCapacity, trainingOptions } from "../../src/training/run.ts";
import { loadRunData } from "../../src/training/run_data.ts";
import { inTemporaryFolder, runConfig, TEXT_MODEL, writeAnnotations } from "../support/run_data.ts";

/** Synonyms need no device. */
const gpu = { maxBindingBytes: 1 << 30 } as Gpu;

async function withAugmenter(
  overrides: string[],
  test: (parts: {
    augmenter: Augmenter;
    config: (...more: string[]) => Config;
    prepare: (config: Config) => ReturnType<Augmenter["prepare"]>;
    data: Awaited<ReturnType<typeof loadRunData>>;
  }) => Promise<void>,
  reporter: Reporter = silentReporter,
): Promise<void> {
  await inTemporaryFolder(async (folder) => {
    const annotations = writeAnnotations(folder);
    const config = (...more: string[]) => runConfig(folder, ...annotations, ...overrides, ...more);
    const model = await openModelSource(config());
    const data = await loadRunData(config(), model, silentReporter);
    const augmenter = createAugmenter(reporter);
    await test({ augmenter, config, data, prepare: (config) => augmenter.prepare(config, { data, gpu }) });
  });
}

Deno.test("Augmenter: the evidence of positive training pairs changes, and nothing else", async () => {
  await withAugmenter([], async ({ prepare, config, data: { pairs, folds } }) => {
    const train = pairs.map((_, index) => index).filter((index) => folds[index] === 0);
    const changed = (await prepare(config()))!.postsOf(train, 0);
    for (const [index, text] of changed) {
      const { post, criterionId } = pairs[index];
      const candidates = criterionId === "A.4"
        ? [post.replace("slept", "slumbered")]
        : ["experience", "find"].map((word) => post.replace("feel", word));
      assert.ok(candidates.includes(text), text);
    }
    const positives = train.filter((index) => pairs[index].label === 1);
    assert.deepEqual([...changed.keys()], positives);
    assert.ok(positives.length > 0 && positives.length < train.length);
  });
});

Deno.test("Augmenter: a function of seed, epoch and pair, whatever the fold", async () => {
  await withAugmenter([], async ({ prepare, config, data }) => {
    const all = data.pairs.map((_, index) => index);
    const draw = async (
      train: number[],
      epoch: number,
      ...more: string[]
    ) => [...(await prepare(config("augmentation.prob=0.5", ...more)))!.postsOf(train, epoch)];
    const epochs = await Promise.all([0, 1, 2, 3].map((epoch) => draw(all, epoch)));
    assert.equal(new Set(epochs.map((epoch) => JSON.stringify(epoch))).size, 4);
    assert.deepEqual(await draw(all, 2), epochs[2]);
    assert.notDeepEqual(await draw(all, 2, "seed=7"), epochs[2]);
    const some = all.filter((index) => index % 3 > 0);
    assert.deepEqual(await draw(some, 2), epochs[2].filter(([index]) => some.includes(index)));
    assert.deepEqual(await draw(all, 0, "augmentation.prob=0"), []);
  });
});

Deno.test("Augmenter: candidates are found once; without augmentation there is nothing", async () => {
  const notices: string[] = [];
  const reporter = { ...silentReporter, info: (line: string) => void notices.push(line) };
  await withAugmenter([], async ({ prepare, config }) => {
    assert.equal(await prepare(config("augmentation.enable=false")), null);
    assert.deepEqual(notices, []);
    const first = await prepare(config());
    const second = await prepare(config("augmentation.prob=0.1"));
    assert.equal(first!.evidence, second!.evidence);
    assert.deepEqual(notices, ["augmentation: synonym, 11 pairs, 11 words with candidates"]);
  }, reporter);
});

Deno.test("trainingOptions: pairs with evidence may grow to data.max_length, scored pairs stay as they are", async () => {
  await withAugmenter(["data.max_length=100"], async ({ prepare, config, data }) => {
    const { evidence } = (await prepare(config()))!;
    const { config: model } = await openModelSource(config());
    const plain = trainingOptions(gpu, config(), model, data);
    const augmented = trainingOptions(gpu, config(), model, { ...data, evidence });
    const lengths = data.tokens.map(({ chunks: [{ ids }] }, index) => evidence.has(index) ? 100 : ids.length).sort((
      a,
      b,
    ) => b - a);
    assert.deepEqual(augmented.training!.capacity, {
      tokens: lengths.slice(0, 4).reduce((sum, length) => sum + length),
      sequences: 4,
      longest: 100,
    });
    assert.ok(plain.training!.capacity.longest < 100);
    assert.deepEqual(augmented.inference, plain.inference);
    assert.deepEqual(plain.training!.capacity, batchCapacity(data.tokens, 4));
  });
});

Deno.test("checkAugmentation: what is missing is named by its key", async () => {
  await inTemporaryFolder(async (folder) => {
    const config = (...more: string[]) => runConfig(folder, ...writeAnnotations(folder), ...more);
    await checkAugmentation(config());
    checkAugmentationKeys(config());
    const nowhere = join(folder, "nowhere");
    const cases: [string[], string, RegExp][] = [
      [["data.annotations_csv=null"], "usage", /^data\.annotations_csv: is null/],
      [[`data.annotations_csv=${nowhere}`], "data", /^data\.annotations_csv: .*nowhere: no such file/],
      [
        ["augmentation.method=contextual", "augmentation.model_name=null"],
        "usage",
        /^augmentation\.model_name: is null/,
      ],
      [["augmentation.method=contextual", `augmentation.model_name=${nowhere}`], "data", /^augmentation\.model_name: /],
      // A model without the head that predicts words.
      [
        ["augmentation.method=contextual", `augmentation.model_name=${TEXT_MODEL}`],
        "data",
        /^augmentation\.model_name: /,
      ],
    ];
    for (const [overrides, kind, message] of cases) {
      await assert.rejects(checkAugmentation(config(...overrides)), { kind, message });
      await checkAugmentation(config(...overrides, "augmentation.enable=false"));
    }
  });
});

Deno.test("Augmenter: evidence in nearly the words of its post is found there, and told", async () => {
  const warnings: string[] = [];
  const reporter = { ...silentReporter, warn: (line: string) => void warnings.push(line) };
  await withAugmenter(["data.max_length=100"], async ({ prepare, config, data }) => {
    const all = data.pairs.map((_, index) => index);
    const verbatim = (await prepare(config()))!.postsOf(all, 0);
    const path = config().data.annotations_csv!;
    const annotations = Deno.readTextFileSync(path).replaceAll("I have not slept well", "i have not slept  that well")
      .replaceAll("I feel sad all day", "My mood is low all day");
    const other = path.replace(".csv", "_other.csv");
    Deno.writeTextFileSync(other, annotations);
    assert.deepEqual(warnings, []);
    const aligned = (await prepare(config(`data.annotations_csv=${other}`)))!.postsOf(all, 0);
    assert.deepEqual([...aligned], [...verbatim].filter(([index]) => data.pairs[index].criterionId === "A.4"));
    assert.match(
      warnings[0],
      /^data\.annotations_csv: 11 of 11 evidence sentences \(100\.0 %\) do not stand .* left out$/,
    );
  }, reporter);
});

Deno.test("Augmenter: annotations of other posts are refused", async () => {
  await withAugmenter([], async ({ prepare, config }) => {
    const own = config();
    const path = own.data.annotations_csv!;
    Deno.writeTextFileSync(path, Deno.readTextFileSync(path).replaceAll("\np", "\nq"));
    await assert.rejects(prepare(own), { kind: "data", message: /annotations\.csv: none of its sentences/ });
  });
});
