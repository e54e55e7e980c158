import assert from "node:assert/strict";
import { parse } from "../../src/packages/yaml.ts";
import { join } from "node:path";
import { openSafetensors } from "../../src/formats/safetensors.ts";
import { crossValidate } from "../../src/training/cross_validation.ts";
import { setByPath } from "../../src/config/config.ts";
import { evaluateRun } from "../../src/training/evaluate_run.ts";
import { silentReporter } from "../../src/training/reporter.ts";
import { loadRun } from "../../src/training/run_folder.ts";
import { assertClose } from "../support/close.ts";
import { gpuTest } from "../support/gpu.ts";
import { digestOf, fingerprint, runInPieces } from "../support/run_pieces.ts";
import { inTemporaryFolder, runConfig, writeAnnotations, writeRunData } from "../support/run_data.ts";

const quiet = { reporter: silentReporter };

gpuTest(
  "crossValidate: writes the contract's files, and resuming gives the bits of the uninterrupted run",
  async (gpu) => {
    await inTemporaryFolder(async (folder) => {
      const summary = await crossValidate(gpu, runConfig(folder), quiet);
      const run = join(folder, "run");
      const whole = await fingerprint(run);

      assert.deepEqual(summary.folds.map(({ fold }) => fold), [0, 1]);
      const lines = (await Deno.readTextFile(join(run, "fold_0/metrics.jsonl"))).trim().split("\n").map((line) =>
        JSON.parse(line)
      );
      const steps = lines.filter((line) => "step" in line);
      const epochs = lines.filter((line) => "eval_f1" in line);
      assert.deepEqual(epochs.map(({ epoch }) => epoch), [1, 2, 3]);
      assert.deepEqual(steps.map(({ step }) => step), steps.map((_, i) => i + 1));
      assert.deepEqual(Object.keys(steps[0]), ["step", "epoch", "loss", "learning_rate", "grad_norm"]);
      // Twelve pairs in batches of four, two batches a step: an incomplete group is a step of its own.
      assert.equal(steps.length, 6);
      assert.equal(steps[0].epoch, 0.5);

      const best = epochs.reduce((a, b) => b.eval_f1 > a.eval_f1 ? b : a);
      assert.equal(summary.folds[0].best_epoch, best.epoch);
      assert.equal(summary.folds[0].metrics.f1, best.eval_f1);
      const card = await Deno.readTextFile(join(run, "checkpoints/fold_0/best/README.md"));
      assert.ok(card.includes(`| F1 | ${best.eval_f1.toFixed(4)} |`) && card.includes("max_length=32"));
      const { "model-index": [{ results: [{ dataset, metrics }] }] } = parse(card.split("---\n")[1]);
      const content = (await loadRun(run)).record.content;
      assert.equal(dataset.revision, content["data.groundtruth_csv"]);
      const [low, high] = summary.intervals.folds[0].f1!.map((bound) => Number(bound.toFixed(4)));
      const value = Number(best.eval_f1.toFixed(4));
      assert.deepEqual(metrics[0], { type: "f1", value, name: "F1", args: { level: 0.95, low, high } });
      for (const digest of Object.values(content)) assert.ok(card.includes(`\`${digest}\``));
      assert.match(card, /\| `training\.batch_size` \| 4 \|/);
      assert.ok(!card.includes(folder), "no path of this machine");
      const written = JSON.parse(await Deno.readTextFile(join(run, "summary.json")));
      assert.deepEqual(written, JSON.parse(JSON.stringify(summary)));
      assert.equal((await Deno.readTextFile(join(run, "folds.csv"))).split("\n")[0], "post_id,criterion_id,fold");

      // `eval` scores the saved checkpoint with other batches: the same metrics all the same.
      const { config, record } = await loadRun(run);
      const smaller = setByPath(config, "training.eval_batch_size", 3);
      const evaluated = await evaluateRun(gpu, { config: smaller, record }, quiet);
      assert.deepEqual(evaluated.folds.map(({ metrics }) => metrics), summary.folds.map(({ metrics }) => metrics));
      assert.deepEqual(evaluated.per_criterion, summary.per_criterion);

      const moments = await openSafetensors(join(run, "checkpoints/fold_0/last/optimizer.safetensors"));
      assert.ok(moments.tensors.has("classifier.weight.exp_avg_sq"));
      moments.close();

      await Deno.remove(run, { recursive: true });
      assert.ok(await runInPieces(gpu, folder, 2) >= 2, "the run was never interrupted");
      assert.deepEqual(await fingerprint(run), whole);
    });
  },
);

gpuTest(
  "crossValidate: augmentation changes the training, not the evaluation, and a resume gives the same bits",
  async (gpu) => {
    await inTemporaryFolder(async (folder) => {
      const augmented = [
        ...writeRunData(folder),
        ...writeAnnotations(folder),
        "augmentation.prob=0.5",
        "model.attention_dropout=0",
      ];
      const notices: string[] = [];
      const reporter = { ...silentReporter, info: (line: string) => void notices.push(line) };
      const summary = await crossValidate(gpu, runConfig(folder, ...augmented), { reporter });
      assert.match(notices[0], /^computing in /);
      assert.deepEqual(notices.slice(1), ["augmentation: synonym, 11 pairs, 11 words with candidates"]);
      const run = join(folder, "run");
      const whole = await fingerprint(run);

      // Scored without augmentation: the validation pairs were as they are.
      const evaluated = await evaluateRun(gpu, await loadRun(run), quiet);
      assert.deepEqual(evaluated.folds.map(({ metrics }) => metrics), summary.folds.map(({ metrics }) => metrics));

      await Deno.remove(run, { recursive: true });
      assert.ok(await runInPieces(gpu, folder, 2, ...augmented) >= 2, "the run was never interrupted");
      assert.deepEqual(await fingerprint(run), whole);

      // Probability 0 is no augmentation, bit for bit, although there is room for longer pairs.
      await crossValidate(gpu, runConfig(folder, ...augmented, "augmentation.prob=0", "overwrite=true"), quiet);
      const never = await fingerprint(run);
      assert.notDeepEqual(never, whole);
      await crossValidate(gpu, runConfig(folder, "model.attention_dropout=0", "overwrite=true"), quiet);
      assert.deepEqual(await fingerprint(run), never);
    });
  },
);

gpuTest(
  "crossValidate: ranking with sampled negatives and rates by layer, and a resume gives the same bits",
  async (gpu) => {
    await inTemporaryFolder(async (folder) => {
      const changed = [
        "model.loss_type=bce+rank",
        "model.label_smoothing=0.05",
        "training.neg_per_pos=1",
        "training.xpost_neg_frac=0.5",
        "training.layerwise_lr_decay=0.8",
      ];
      const notices: string[] = [];
      const reporter = { ...silentReporter, info: (line: string) => void notices.push(line) };
      const summary = await crossValidate(gpu, runConfig(folder, ...changed), { reporter });
      assert.deepEqual(notices.slice(1), [
        "fold 0: an epoch has 12 of 12 pairs, 6 positives and 6 negatives",
        "fold 1: an epoch has 10 of 12 pairs, 5 positives and 5 negatives",
      ]);
      const run = join(folder, "run");
      const whole = await fingerprint(run);
      const evaluated = await evaluateRun(gpu, await loadRun(run), quiet);
      const losses = ({ folds }: typeof summary) => folds.map(({ loss }) => loss);
      assertClose(losses(evaluated), losses(summary), { atol: 0, rtol: 1e-6 }, "eval_loss");

      await Deno.remove(run, { recursive: true });
      assert.ok(await runInPieces(gpu, folder, 2, ...changed) >= 2, "the run was never interrupted");
      assert.deepEqual(await fingerprint(run), whole);
      // Each of the settings changes the run.
      for (const other of ["training.xpost_neg_frac=0", "training.layerwise_lr_decay=1", "model.rank_weight=0"]) {
        await crossValidate(gpu, runConfig(folder, ...changed, other, "overwrite=true"), { ...quiet, fold: 1 });
        const weights = "checkpoints/fold_1/last/model.safetensors";
        assert.notEqual(await digestOf(join(run, weights)), whole[weights], other);
      }
    });
  },
);

gpuTest("crossValidate: a loss that is no longer a number ends the run with advice", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const config = runConfig(
      folder,
      "training.learning_rate=1e38",
      "training.warmup_ratio=0",
      "training.max_grad_norm=null",
    );
    await assert.rejects(crossValidate(gpu, config, { ...quiet, fold: 0 }), {
      kind: "usage",
      message: /learning_rate/,
    });
  });
});
