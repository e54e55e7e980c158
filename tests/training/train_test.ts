/** Training on pairs in memory. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { LabelledPair } from "../../src/dataset/labelled_pairs.ts";
import { EntailError } from "../../src/errors.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { CrossEncoder } from "../../src/training/cross_encoder.ts";
import { crossValidate } from "../../src/training/cross_validation.ts";
import { evaluateRun } from "../../src/training/evaluate_run.ts";
import type { RunRecorder } from "../../src/training/recorder.ts";
import { silentReporter } from "../../src/training/reporter.ts";
import { loadPairs } from "../../src/training/run_data.ts";
import { loadRun } from "../../src/training/run_folder.ts";
import { train, type TrainOptions } from "../../src/training/train.ts";
import { gpuTest } from "../support/gpu.ts";
import { inTemporaryFolder, runConfig, TEXT_MODEL } from "../support/run_data.ts";

const CRITERIA = ["Depressed mood most of the day.", "Insomnia or sleeping too much."];
const SENTENCES = [
  "I have not slept well for weeks.",
  "I feel sad all day.",
  "We went to the market.",
  "My brother sleeps.",
];

/** 12 posts x 2 criteria. */
const PAIRS: LabelledPair[] = Array.from({ length: 12 }, (_, i) => [i % 4, (i * 3 + 1) % 4]).flatMap((chosen, i) =>
  CRITERIA.map((criterion, c) => ({
    post: `${chosen.map((place) => SENTENCES[place]).join(" ")} Day ${i}.`,
    criterion,
    label: chosen.includes(1 - c),
  }))
);

const optionsOf = (gpu: Gpu): TrainOptions => ({
  gpu,
  model: { modelName: TEXT_MODEL, lossType: "ce" },
  data: { maxLength: 32 },
  training: { batchSize: 4, numEpochs: 2, learningRate: 1e-3, numWorkers: 0 },
});

/** What a function throws, as "kind: message". */
async function refusal(call: () => Promise<unknown>): Promise<string> {
  try {
    await call();
  } catch (error) {
    assert.ok(error instanceof EntailError, String(error));
    return `${error.kind}: ${error.message}`;
  }
  return "nothing";
}

gpuTest("train: a model and its metrics from arrays; nothing is left behind", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const before = Deno.env.get("TMPDIR");
    Deno.env.set("TMPDIR", folder);
    try {
      const { model, metrics, summary, checkpoints } = await train(PAIRS, optionsOf(gpu));
      // A fifth of the posts, with both criteria.
      assert.ok(metrics.count >= 4 && metrics.count <= 6, `${metrics.count} pairs`);
      assert.deepEqual(summary.overall, metrics);
      assert.deepEqual(Object.keys(summary.per_criterion), [...CRITERIA].sort());
      assert.deepEqual(checkpoints, []);
      const pair = { post: PAIRS[0].post, criterion: CRITERIA[0] };
      const [named, listed] = await model.predict([pair, [pair.post, pair.criterion]]);
      assert.deepEqual(named, listed);

      await model.savePretrained(join(folder, "saved"));
      model.close();
      model.close(); // as `using` may do once more
      assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["saved"]);
      const files = [...Deno.readDirSync(join(folder, "saved"))].map(({ name }) => name);
      assert.ok(
        ["README.md", "config.json", "model.safetensors", "tokenizer.json"].every((name) => files.includes(name)),
      );
      using loaded = await CrossEncoder.fromPretrained(join(folder, "saved"), { gpu });
      assert.deepEqual(await loaded.predict([pair]), [named]);
      assert.equal(await refusal(() => train([], optionsOf(gpu))), "data: pairs: there are none");
      assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["saved"], "a refusal leaves nothing");
    } finally {
      if (before === undefined) Deno.env.delete("TMPDIR");
      else Deno.env.set("TMPDIR", before);
    }
  });
});

gpuTest("train: K folds in a folder, that goes on, tells its recorder, and holds no text of a post", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const told: string[] = [];
    const recorder: RunRecorder = {
      runStarted: ({ continued }) => void told.push(continued ? "continued" : "started"),
      foldStarted: (fold) => void told.push(`fold ${fold}`),
      logged() {},
      foldEnded: (fold) => void told.push(`end of ${fold}`),
      runEnded: () => void told.push("ended"),
      failed: (error) => void told.push((error as EntailError).kind),
      close: () => Promise.resolve(void told.push("closed")),
    };
    const controller = new AbortController();
    const outputDir = join(folder, "run");
    const options: TrainOptions = {
      ...optionsOf(gpu),
      outputDir,
      validation: "kfold",
      kfold: { nSplits: 3 },
      recorder: () => Promise.resolve(recorder),
    };
    const reporter = { ...silentReporter, epoch: () => controller.abort() };
    const interrupted = await refusal(() => train(PAIRS, { ...options, reporter, signal: controller.signal }));
    assert.match(interrupted, /^interrupted: /);
    assert.deepEqual(told.splice(0), ["started", "fold 0", "interrupted", "closed"]);

    const { model, metrics, summary, checkpoints } = await train(PAIRS, options);
    using _ = model;
    const ends = ["fold 1", "end of 1", "fold 2", "end of 2", "ended", "closed"];
    assert.deepEqual(told, ["continued", "fold 0", "end of 0", ...ends]);
    assert.equal(metrics.count, PAIRS.length);
    assert.deepEqual(summary.folds.map(({ fold }) => fold), [0, 1, 2]);
    assert.deepEqual(checkpoints, [0, 1, 2].map((fold) => join(outputDir, `checkpoints/fold_${fold}/best`)));
    const texts = ["predictions.csv", "metrics.jsonl"].map((name) => `fold_0/${name}`);
    for (const name of ["run.json", "config.yaml", "folds.csv", "summary.json", ...texts]) {
      const text = await Deno.readTextFile(join(outputDir, name));
      assert.ok(!SENTENCES.some((sentence) => text.includes(sentence)), name);
    }

    // What is there is this run, of these pairs.
    assert.deepEqual((await train(PAIRS, options)).metrics, JSON.parse(JSON.stringify(metrics)));
    const run = await loadRun(outputDir);
    const quiet = { reporter: silentReporter };
    const evaluated = await evaluateRun(gpu, run, { ...quiet, pairs: PAIRS });
    assert.deepEqual(evaluated.overall, metrics);
    const others = PAIRS.slice(2);
    assert.match(await refusal(() => evaluateRun(gpu, run, { ...quiet, pairs: others })), /^data: .*other pairs/);
    assert.match(await refusal(() => evaluateRun(gpu, run, quiet)), /^data: .*give them to evaluateRun/);
    assert.match(
      await refusal(() => train(others, options)),
      /^usage: .*holds another run: .*the pairs are other ones/,
    );
  });
});

gpuTest("train: pairs of one's own to validate on, and files as arrays give the bits of the command", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const [own, held] = [PAIRS.slice(0, 16), PAIRS.slice(16)];
    const { model, metrics, summary } = await train(own, { ...optionsOf(gpu), validation: held });
    using _ = model;
    assert.equal(metrics.count, held.length);
    assert.equal(summary.folds.length, 1);
    const leaking = () =>
      train(own, { ...optionsOf(gpu), validation: [...held, { ...own[0], criterion: "Another." }] });
    assert.match(await refusal(leaking), /^data: validation: post 0 is among the training pairs too/);

    const config = runConfig(folder, "training.num_epochs=1");
    const expected = await crossValidate(gpu, config, { reporter: silentReporter });
    const trained = await train(await loadPairs(config), {
      gpu,
      data: { maxLength: 32 },
      model: {
        modelName: TEXT_MODEL,
        hiddenDropout: 0.1,
        attentionDropout: 0.1,
        classifierDropout: 0.1,
        lossType: config.model.loss_type,
      },
      training: {
        ...{ batchSize: 4, gradientAccumulationSteps: 2, numEpochs: 1, earlyStoppingPatience: null, numWorkers: 0 },
        learningRate: config.training.learning_rate,
      },
      kfold: { nSplits: 2 },
      validation: "kfold",
    });
    trained.model.close();
    assert.deepEqual(trained.summary, expected);
  });
});

gpuTest("train: what it refuses, before anything is opened", async (gpu) => {
  const options = optionsOf(gpu);
  const [first, second] = PAIRS;
  const cases: [LabelledPair[], TrainOptions, RegExp][] = [
    [[{ ...first, post: " " }], options, /^data: pairs\[0\]\.post: must be a text/],
    [[first, { ...second, label: 2 as 1 }], options, /^data: pairs\[1\]\.label: must be 0 or 1, not 2/],
    [[first, first], options, /^data: pairs\[1\]\.post: the same post and criterion as pairs\[0\]/],
    [
      [{ ...first, criterionId: "A" }, { ...second, criterionId: "A" }],
      options,
      /^data: pairs\[1\]\.criterion: criterion A has another text/,
    ],
    [PAIRS, { ...options, validation: 0.7 }, /^usage: validation: a share must be above 0 and at most 0\.5/],
    [PAIRS, { ...options, data: { sampleSize: 3 } as TrainOptions["data"] }, /^usage: data\.sampleSize: is no option/],
    [PAIRS, { ...options, mlflow: { enable: true } }, /^usage: mlflow: has no effect without recorder/],
    [PAIRS, { ...options, training: { learningrate: 1 } as TrainOptions["training"] }, /training\.learningRate/],
    [PAIRS, { ...options, model: { lossType: "distillation" } }, /^usage: model\.lossType=distillation: name a file/],
  ];
  for (const [pairs, given, expected] of cases) assert.match(await refusal(() => train(pairs, given)), expected);
});

gpuTest("rank: the best documents first, as sentence-transformers names their places", async (gpu) => {
  using model = await CrossEncoder.fromPretrained(TEXT_MODEL, { gpu });
  const query = SENTENCES[0];
  const documents = [...CRITERIA, "Loss of appetite."];
  const scores = await model.predict(documents.map((criterion) => ({ post: query, criterion })));
  const order = [0, 1, 2].sort((a, b) => scores[b].probability - scores[a].probability);
  const expected = order.map((corpusId) => ({ corpusId, score: scores[corpusId].probability }));
  assert.deepEqual(await model.rank(query, documents), expected);
  assert.deepEqual(await model.rank(query, documents, { topK: 2, returnDocuments: true }), [
    { ...expected[0], text: documents[order[0]] },
    { ...expected[1], text: documents[order[1]] },
  ]);
});
