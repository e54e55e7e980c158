/** Training and evaluation of posts in chunks, from files to files. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setByPath } from "../../src/config/config.ts";
import { sampleNegatives } from "../../src/dataset/negatives.ts";
import { loadTokenizer } from "../../src/dataset/tokenizer.ts";
import { fitDecision } from "../../src/evaluation/decision.ts";
import { crossValidate } from "../../src/training/cross_validation.ts";
import { CrossEncoder } from "../../src/training/cross_encoder.ts";
import { decisionSettings } from "../../src/training/decisions.ts";
import { evaluateRun, scoreRun } from "../../src/training/evaluate_run.ts";
import { readPredictions } from "../../src/training/predictions.ts";
import { silentReporter } from "../../src/training/reporter.ts";
import { loadPairs } from "../../src/training/run_data.ts";
import { loadRun } from "../../src/training/run_folder.ts";
import { readState } from "../../src/training/state.ts";
import { assertClose } from "../support/close.ts";
import { gpuTest } from "../support/gpu.ts";
import { digestOf, fingerprint, runInPieces } from "../support/run_pieces.ts";
import { inTemporaryFolder, runConfig, TEXT_MODEL, writeAnnotations, writeRunData } from "../support/run_data.ts";

const quiet = { reporter: silentReporter };

gpuTest("crossValidate: chunks are trained on, pairs are judged; kept chunks resume to the bit", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    writeRunData(folder);
    const chunked = [
      ...writeAnnotations(folder),
      "augmentation.prob=0.5",
      "data.chunk_max_len=40",
      "data.chunk_stride=2",
      "data.pc_topM_enable=true",
      "data.pc_topM_M=3",
      "evaluation.agg_type=top-m",
      "evaluation.top_m=2",
    ];
    const config = runConfig(folder, ...chunked);
    const warnings: string[] = [];
    const summary = await crossValidate(gpu, config, {
      reporter: { ...silentReporter, warn: (line) => void warnings.push(line) },
    });
    assert.deepEqual(warnings, [], "nothing is cut off");
    const run = join(folder, "run");
    const whole = await fingerprint(run);

    const { encodePair } = await loadTokenizer(TEXT_MODEL);
    const pairs = await loadPairs(config);
    const limits = { maxLength: 40, chunkStride: 2 };
    const counts = pairs.map(({ post, criterion }) => encodePair(post, criterion, limits).chunks.length);
    assert.ok(Math.max(...counts) > 3 && Math.min(...counts) <= 3, `${counts}`);

    // A step takes two batches of four examples; of a post there are three at most.
    const folds = (await Deno.readTextFile(join(run, "folds.csv"))).trim().split("\n").slice(1)
      .map((line) => Number(line.split(",")[2]));
    const examples = counts.reduce((sum, count, i) => folds[i] === 0 ? sum : sum + Math.min(3, count), 0);
    const lines = (await Deno.readTextFile(join(run, "fold_0/metrics.jsonl"))).trim().split("\n");
    assert.equal(lines.filter((line) => line.startsWith('{"step"')).length, 3 * Math.ceil(Math.ceil(examples / 4) / 2));

    const state = (await readState(join(run, "checkpoints/fold_0")))!;
    const kept = Object.entries(state.keptChunks!);
    assert.deepEqual(kept.map(([pair]) => Number(pair)), counts.flatMap((n, i) => n > 3 && folds[i] !== 0 ? [i] : []));
    assert.ok(kept.every(([, chunks]) => chunks.length === 3));
    assert.ok(kept.some(([, chunks]) => chunks.join() !== "0,1,2"), "the first are not always the highest");

    // A line for each validation pair, whose probability is what `predict` says of it.
    const predictions = await readPredictions(join(run, "fold_0/predictions.csv"));
    const validation = pairs.filter((_, i) => folds[i] === 0);
    assert.deepEqual(predictions.map(({ label }) => label), validation.map(({ label }) => label));
    assert.equal(summary.overall.count, pairs.length);
    const best = join(run, "checkpoints/fold_0/best");
    const saved = JSON.parse(await Deno.readTextFile(join(best, "config.json")));
    assert.deepEqual([saved.pair_max_length, saved.pair_chunks], [
      40,
      { stride: 2, agg_type: "top-m", lse_tau: 8, top_m: 2 },
    ]);
    const model = await CrossEncoder.fromPretrained(best, { gpu });
    const scores = await model.predict(validation);
    model.close();
    assertClose(scores.map((s) => s.probability), predictions.map((p) => p.probability), { atol: 1e-6, rtol: 0 }, "p");
    assert.deepEqual(scores.map(({ chunks }) => chunks), counts.filter((_, i) => folds[i] === 0));

    const opened = await loadRun(run);
    const evaluated = await evaluateRun(gpu, opened, quiet);
    assert.deepEqual(evaluated.folds.map(({ metrics }) => metrics), summary.folds.map(({ metrics }) => metrics));
    const byMaximum = setByPath(opened.config, "evaluation.agg_type", "max");
    const maximum = await evaluateRun(gpu, { ...opened, config: byMaximum }, quiet);
    assert.notEqual(maximum.folds[0].loss, evaluated.folds[0].loss);

    await Deno.remove(run, { recursive: true });
    assert.ok(await runInPieces(gpu, folder, 2, ...chunked) >= 2, "the run was never interrupted");
    assert.deepEqual(await fingerprint(run), whole);

    // Without them the numbers are others, and a state that has lost its kept chunks is refused.
    const last = join(run, "checkpoints/fold_1/last/trainer_state.json");
    const damaged = { ...JSON.parse(await Deno.readTextFile(last)), finished: false, keptChunks: { 1: [0, 1, 2] } };
    await Deno.writeTextFile(last, JSON.stringify(damaged));
    await assert.rejects(crossValidate(gpu, config, quiet), {
      kind: "data",
      message: /its chunks or hard negatives are not those of this/,
    });
    await crossValidate(gpu, runConfig(folder, ...chunked, "data.pc_topM_enable=false", "overwrite=true"), quiet);
    assert.notDeepEqual(await fingerprint(run), whole);
  });
});

gpuTest(
  "crossValidate: what is chosen is chosen on the scores of whole posts, and anew where those are others",
  async (gpu) => {
    await inTemporaryFolder(async (folder) => {
      writeRunData(folder);
      const overrides = ["data.chunk_max_len=40", "data.chunk_stride=2", "training.num_epochs=1"];
      const chosen = ["evaluation.calibration=temperature", "evaluation.threshold_mode=global"];
      const config = runConfig(folder, ...overrides, ...chosen);
      const summary = await crossValidate(gpu, config, quiet);
      const run = join(folder, "run");
      const rows = await readPredictions(join(run, "fold_0/predictions.csv"));
      assert.deepEqual(summary.folds[0].decision, fitDecision(rows, decisionSettings(config)));

      const opened = await loadRun(run);
      assert.deepEqual((await scoreRun(gpu, opened, quiet)).folds[0].decision, summary.folds[0].decision);
      const byMaximum = setByPath(opened.config, "evaluation.agg_type", "max");
      const { folds, predictions } = await scoreRun(gpu, { ...opened, config: byMaximum }, { ...quiet, fold: 0 });
      assert.notDeepEqual(folds[0].decision, summary.folds[0].decision);
      assert.deepEqual(folds[0].decision, fitDecision(predictions, decisionSettings(config)));

      const pairs = await loadPairs(config);
      const members = rows.map((row) =>
        pairs.find(({ postId, criterionId }) => postId === row.postId && criterionId === row.criterionId)!
      );
      const model = await CrossEncoder.fromPretrained(join(run, "checkpoints/fold_0/best"), { gpu });
      const scores = await model.predict(members);
      model.close();
      assert.deepEqual(Object.keys(scores[0]), ["logits", "probability", "chunks", "prediction"]);
      assertClose(scores.map((s) => s.probability), rows.map((row) => row.probability), { atol: 1e-6, rtol: 0 }, "p");
      const { threshold } = summary.folds[0].decision;
      assert.ok(scores.every(({ probability, prediction }) => prediction === (probability >= threshold ? 1 : 0)));
    });
  },
);

gpuTest(
  "crossValidate: chunks of sampled and mined pairs: epochs are as long as what they drew, and resume to the bit",
  async (gpu) => {
    await inTemporaryFolder(async (folder) => {
      writeRunData(folder);
      // With few positives, so that there are negatives to choose from.
      const groundtruth = join(folder, "sparse.csv");
      const rows = await Deno.readTextFile(join(folder, "groundtruth.csv"));
      await Deno.writeTextFile(groundtruth, rows.replaceAll(",A.1,1", ",A.1,0"));
      const sampled = [
        `data.groundtruth_csv=${groundtruth}`,
        "data.chunk_max_len=40",
        "data.chunk_stride=2",
        "model.loss_type=bce+rank",
        "training.batch_size=2",
        "training.hard_neg_frac=0.6",
        "training.neg_per_pos=1",
        "training.num_epochs=2",
        "training.xpost_neg_frac=0.5",
      ];
      const config = runConfig(folder, ...sampled);
      await crossValidate(gpu, config, quiet);
      const run = join(folder, "run");
      const whole = await fingerprint(run);

      const { encodePair } = await loadTokenizer(TEXT_MODEL);
      const pairs = await loadPairs(config);
      const limits = { maxLength: 40, chunkStride: 2 };
      const counts = pairs.map(({ post, criterion }) => encodePair(post, criterion, limits).chunks.length);
      const folds = (await Deno.readTextFile(join(run, "folds.csv"))).trim().split("\n").slice(1)
        .map((line) => Number(line.split(",")[2]));
      const train = pairs.flatMap((_, i) => folds[i] === 1 ? [] : [i]);
      const steps = [0, 1].map((epoch) => {
        const drawn = sampleNegatives(pairs, train, {
          perPositive: 1,
          crossPostFraction: 0.5,
          hardFraction: 0.6,
          seed: config.seed,
          epoch,
        });
        return Math.ceil(Math.ceil(drawn.reduce((sum, i) => sum + counts[i], 0) / 2) / 2);
      });
      assert.ok(new Set(steps).size > 1, `${steps}`);
      const lines = (await Deno.readTextFile(join(run, "fold_1/metrics.jsonl"))).trim().split("\n")
        .map((line) => JSON.parse(line));
      const ends = lines.flatMap((line, i) => "eval_f1" in line ? [lines[i - 1]] : []);
      assert.deepEqual(ends.map(({ epoch }) => epoch), [1, 2]);
      assert.deepEqual(
        ends.map(({ step }) => step),
        steps.map((_, e) => steps.slice(0, e + 1).reduce((a, b) => a + b)),
      );

      const last = join(run, "checkpoints/fold_1/last/trainer_state.json");
      const state = JSON.parse(await Deno.readTextFile(last));
      const [positives, negatives] = [1, 0].map((label) => train.filter((i) => pairs[i].label === label));
      assert.ok(state.hardNegatives.length > 0, "no negative was mined");
      assert.ok(state.hardNegatives.every((i: number) => negatives.includes(i)));

      await Deno.remove(run, { recursive: true });
      assert.ok(await runInPieces(gpu, folder, 2, ...sampled) >= 2, "the run was never interrupted");
      assert.deepEqual(await fingerprint(run), whole);

      // A state that has others is refused; without them the numbers are others.
      await Deno.writeTextFile(last, JSON.stringify({ ...state, finished: false, hardNegatives: positives }));
      await assert.rejects(crossValidate(gpu, config, quiet), {
        kind: "data",
        message: /hard negatives are not those of this/,
      });
      const unmined = [...sampled, "training.hard_neg_frac=0", "overwrite=true"];
      await crossValidate(gpu, runConfig(folder, ...unmined), { ...quiet, fold: 1 });
      assert.notEqual(await digestOf(join(run, "fold_1/metrics.jsonl")), whole["fold_1/metrics.jsonl"]);
    });
  },
);

gpuTest("crossValidate: what is cut off is told before training, with the evidence in it", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    writeRunData(folder);
    const warnings: string[] = [];
    const reporter = { ...silentReporter, warn: (line: string) => void warnings.push(line) };
    const annotations = writeAnnotations(folder).filter((line) => line.startsWith("data."));
    const short = ["data.max_length=48", "training.num_epochs=1"];
    await crossValidate(gpu, runConfig(folder, ...annotations, ...short), { reporter, fold: 0 });
    assert.equal(warnings.length, 1);
    assert.match(
      warnings[0],
      /^\d+ of 24 pairs are longer than data\.max_length=48: \d+ tokens .* \d+ of \d+ evidence/,
    );
    const [sentences, cut] =
      [...warnings[0].matchAll(/(\d+) of (\d+)/g)].slice(1).map(([, a, b]) => [Number(b), Number(a)])[0];
    assert.ok(cut > 0 && cut < sentences, warnings[0]);
    await evaluateRun(gpu, await loadRun(join(folder, "run")), { reporter, fold: 0 });
    assert.match(warnings[1], /^fold 0: \d+ of 1\d pairs are longer than data\.max_length=48/);
  });
});
