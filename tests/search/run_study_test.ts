import assert from "node:assert/strict";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Config } from "../../src/config/config.ts";
import { EntailError } from "../../src/errors.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { DEVICE_SECONDS, FIXED_SECONDS, OUT_OF_MEMORY, WORKER } from "../../src/search/objective.ts";
import { runStudy, type RunStudyOptions } from "../../src/search/run_study.ts";
import { CONFIG_ATTRIBUTE, configOfTrial } from "../../src/search/stored_config.ts";
import type { ParamValue } from "../../src/studies/distributions.ts";
import { MemoryStorage } from "../../src/studies/memory_storage.ts";
import type { EpochEntry } from "../../src/training/metrics_log.ts";
import { silentReporter } from "../../src/training/reporter.ts";
import { gpuTest, openTestGpu } from "../support/gpu.ts";
import { inTemporaryFolder, runConfig, TEXT_MODEL, writeAnnotations } from "../support/run_data.ts";

const SINGLE = ["hpo.hpo_mode.mode=single_split", "hpo.hpo_mode.validation_fraction=0.5"];
const SMALL = ["hpo.search_space.target_effective_batch_size.choices=[4,8]", "hpo.pruner.type=none"];

/** The shared device, which a study must not close. */
const options = (gpu: Gpu): RunStudyOptions => ({
  openDevice: () => Promise.resolve({ ...gpu, close() {} }),
  reporter: silentReporter,
});

const trialsOf = async (config: Config, run: RunStudyOptions) => (await runStudy(config, run)).trials;

gpuTest(
  "runStudy: single_split reports the best F1 so far per epoch, and an existing study is continued",
  async (gpu) => {
    await inTemporaryFolder(async (folder) => {
      const storage = `hpo.storage=sqlite:///${join(folder, "study.db")}`;
      const config = (...more: string[]) => runConfig(folder, ...SINGLE, ...SMALL, storage, ...more);
      const first = await runStudy(config(), { ...options(gpu), nTrials: 2 });
      await first.close();
      const study = await runStudy(config("hpo.n_trials=4"), options(gpu));
      assert.deepEqual(study.trials.map(({ number, state }) => [number, state]), [
        [0, "COMPLETE"],
        [1, "COMPLETE"],
        [2, "COMPLETE"],
        [3, "COMPLETE"],
      ]);
      for (const { value, intermediateValues, params, userAttrs, datetimeStart, datetimeComplete } of study.trials) {
        const reports = [...intermediateValues];
        assert.deepEqual(reports.map(([step]) => step), [1, 2, 3]);
        reports.reduce((best, [, f1]) => (assert.ok(f1 >= best), f1), 0);
        assert.equal(value, reports[2][1]);
        // The demo's loss has no focal_gamma.
        const names = Object.keys(config().hpo.search_space).filter((name) => name !== "focal_gamma");
        assert.deepEqual(Object.keys(params), names);
        assert.ok(userAttrs[FIXED_SECONDS] as number >= 0);
        const seconds = (datetimeComplete!.getTime() - datetimeStart!.getTime()) / 1000;
        const worked = userAttrs[DEVICE_SECONDS] as number;
        assert.ok(worked > 0 && worked <= seconds, `${worked} of ${seconds} s`);
        const { precision, recall, auc, epochs, fold_f1, best_epochs } = userAttrs as Record<string, number>;
        for (const share of [precision, recall, auc]) assert.ok(share >= 0 && share <= 1, `${share}`);
        assert.deepEqual([epochs, fold_f1, typeof best_epochs], [3, [value], "object"]);
        for (const text of Object.values(userAttrs)) assert.ok(JSON.stringify(text).length <= 500);
        assert.deepEqual([userAttrs.host, userAttrs.adapter], [hostname(), gpu.name]);
      }
      // Two sittings.
      const workers = study.trials.map(({ userAttrs }) => userAttrs[WORKER]);
      assert.ok(workers[0] === workers[1] && workers[1] !== workers[2] && workers[2] === workers[3], `${workers}`);
      assert.equal(study.heartbeat!.maxRetries, 0);
      // Enough is enough: nothing is opened, nothing runs.
      const nothing = { ...options(gpu), openDevice: () => Promise.reject(new Error("not needed")) };
      assert.equal((await trialsOf(config("hpo.n_trials=4"), nothing)).length, 4);
      await study.close();
    });
  },
);

gpuTest("runStudy: a trial that chooses thresholds is judged on posts that had no part in the choice", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const mode =
      "+hpo.search_space.mode={key: evaluation.threshold_mode, type: categorical, choices: [global, per_class]}";
    const config = runConfig(folder, ...SINGLE, ...SMALL, "evaluation.calibration=temperature", mode);
    const entries = new Map<number, EpochEntry[]>();
    const observer = {
      evaluated: ({ number }: { number: number }, _: number, entry: EpochEntry) =>
        void entries.set(number, [...entries.get(number) ?? [], entry]),
    };
    const storage = new MemoryStorage();
    for (const { number, value } of await trialsOf(config, { ...options(gpu), storage, observer, nTrials: 3 })) {
      const best = entries.get(number)!.reduce((a, b) => b.eval_f1 > a.eval_f1 ? b : a);
      assert.equal(value, best.eval_f1_cross_fitted);
    }
    assert.ok(
      [...entries.values()].flat().some(({ eval_f1, eval_f1_cross_fitted }) => eval_f1_cross_fitted! < eval_f1),
    );
  });
});

gpuTest("runStudy: equal trials give equal values, whatever trained before on the same session", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const fixed = { learning_rate: 1e-2, hidden_dropout: 0.2, attention_dropout: 0.1, classifier_dropout: 0.3 };
    const config = runConfig(folder, ...SINGLE, ...SMALL, "~hpo.search_space.scheduler_type");
    const storage = new MemoryStorage();
    const study = await runStudy(config, { ...options(gpu), storage, nTrials: 0 });
    const rest = { target_effective_batch_size: 4, weight_decay: 0, warmup_ratio: 0, focal_gamma: 2 };
    await study.enqueueTrial({ ...fixed, ...rest });
    await study.enqueueTrial({ ...fixed, ...rest, learning_rate: 1e-6, target_effective_batch_size: 8 });
    await study.enqueueTrial({ ...fixed, ...rest });
    const [a, , b] = await trialsOf(config, { ...options(gpu), storage, nTrials: 3 });
    assert.deepEqual([...a.intermediateValues], [...b.intermediateValues]);
  });
});

gpuTest("runStudy: a trial trains on the augmentation that it samples, whatever trained before", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const annotations = writeAnnotations(folder).filter((override) => !override.startsWith("augmentation."));
    // The rest of the space is fixed; without attention dropout, room for longer pairs alone changes nothing.
    const fixed = { attention_dropout: 0, hidden_dropout: 0, classifier_dropout: 0.1, learning_rate: 1e-2 };
    const values = { target_effective_batch_size: 4, weight_decay: 0, warmup_ratio: 0, focal_gamma: 2 };
    const config = runConfig(
      folder,
      "hpo=optuna_aug",
      ...annotations,
      ...SINGLE,
      ...SMALL,
      "~hpo.search_space.scheduler_type",
      "hpo.search_space.aug_method.choices=[synonym]",
      "training.num_epochs=1",
      "data.max_length=60",
    );
    const storage = new MemoryStorage();
    const study = await runStudy(config, { ...options(gpu), storage, nTrials: 0 });
    const augmentations: Record<string, ParamValue>[] = [
      { aug_enable: false },
      { aug_enable: true, aug_prob: 0.5, aug_method: "synonym" },
      { aug_enable: true, aug_prob: 0.3125, aug_method: "synonym" },
      { aug_enable: true, aug_prob: 0.5, aug_method: "synonym" },
    ];
    for (const augmentation of augmentations) await study.enqueueTrial({ ...fixed, ...values, ...augmentation });
    const losses: number[] = [];
    const observer = { evaluated: (_: unknown, _fold: number, entry: EpochEntry) => void losses.push(entry.eval_loss) };
    const trials = await trialsOf(config, { ...options(gpu), storage, observer, nTrials: 4 });
    assert.deepEqual(trials.map(({ params }) => params.aug_prob), [undefined, 0.5, 0.3125, 0.5]);
    const [none, often, rarely, again] = losses;
    assert.equal(again, often);
    assert.equal(new Set([none, often, rarely]).size, 3, `${losses}`);
  });
});

gpuTest(
  "runStudy: trials of hpo=pc_ce train with every loss, aggregation, choice of thresholds and augmentation",
  async (gpu) => {
    await inTemporaryFolder(async (folder) => {
      const annotations = writeAnnotations(folder).filter((override) => !override.startsWith("augmentation."));
      const config = runConfig(
        folder,
        "hpo=pc_ce",
        ...annotations,
        ...SINGLE,
        "hpo.pruner.type=none",
        "hpo.search_space.amp_dtype.choices=[fp32]",
        "hpo.search_space.chunk_max_len.choices=[44,40]",
        "hpo.search_space.chunk_stride.choices=[0,4]",
        "hpo.search_space.pc_topM_M.choices=[1,2]",
        "hpo.search_space.target_effective_batch_size.choices=[4,8]",
        "hpo.search_space.aug_method.choices=[synonym]",
        "training.num_epochs=2",
      );
      const storage = new MemoryStorage();
      const notices: string[] = [];
      const run = {
        ...options(gpu),
        storage,
        reporter: { ...silentReporter, info: (line: string) => void notices.push(line) },
      };
      const study = await runStudy(config, { ...run, nTrials: 0 });
      const trials: Record<string, ParamValue>[] = [
        { loss_type: "bce+rank", agg_type: "LSE", threshold_mode: "per_class", chunk_max_len: 44, aug_enable: true },
        { loss_type: "cb_focal", agg_type: "top-m", threshold_mode: "global", chunk_max_len: 40, aug_enable: false },
        { loss_type: "bce+rank", agg_type: "max", threshold_mode: "global", chunk_max_len: 40, aug_enable: true },
      ];
      const chunks = [{ pc_topM_enable: true, chunk_stride: 4 }, { pc_topM_enable: false, chunk_stride: 0 }];
      for (const [i, values] of trials.entries()) await study.enqueueTrial({ ...values, ...chunks[i % 2] });
      const done = await trialsOf(config, { ...run, nTrials: 3 });
      assert.deepEqual(done.map(({ state }) => state), ["COMPLETE", "COMPLETE", "COMPLETE"]);
      const parameters = (...names: string[]) => done.map(({ params }) => names.map((name) => name in params));
      assert.deepEqual(parameters("rank_margin", "cb_beta", "focal_gamma"), [
        [true, false, false],
        [false, true, true],
        [true, false, false],
      ]);
      assert.deepEqual(parameters("lse_tau", "top_m", "threshold_global_init", "pc_topM_M", "aug_prob"), [
        [true, false, false, true, true],
        [false, true, true, false, false],
        [false, false, true, true, true],
      ]);
      for (const { value, intermediateValues } of done) {
        assert.ok(value! >= 0 && value! <= 1 && intermediateValues.size === 2, `${value}`);
      }
      assert.ok(notices.some((line) => line.startsWith("computing in fp32 (as asked for)")), notices.join("\n"));
    });
  },
);

gpuTest("runStudy: kfold reports the mean best F1 so far per fold; the first trials are never pruned", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const config = runConfig(
      folder,
      ...SMALL,
      "hpo.pruner.type=successive_halving",
      "hpo.pruner.bootstrap_count=2",
      "training.num_epochs=1",
    );
    const storage = new MemoryStorage();
    const { studyId } = await runStudy(config, { ...options(gpu), storage, nTrials: 0 });
    // A rival that nobody can beat.
    await storage.createTrial(studyId, {
      state: "COMPLETE",
      values: [2],
      intermediateValues: [[1, 2]],
      systemAttrs: { completed_rung_0: 2 },
    });
    const folds: number[][] = [[], [], []];
    const observer = {
      evaluated: ({ number }: { number: number }, fold: number) => folds[number].push(fold),
    };
    const [, kept, pruned] = await trialsOf(config, {
      ...options(gpu),
      storage,
      nTrials: 2,
      observer: observer as never,
    });
    assert.equal(kept.state, "COMPLETE");
    assert.deepEqual([...kept.intermediateValues.keys()], [1, 2]);
    assert.equal(kept.value, kept.intermediateValues.get(2));
    assert.equal(pruned.state, "PRUNED");
    assert.deepEqual([...pruned.intermediateValues.keys()], [1]);
    assert.deepEqual(folds.slice(1), [[0, 1], [0]]);
  });
});

gpuTest("runStudy: what others run counts for hpo.n_trials, and is waited for", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const config = runConfig(folder, ...SINGLE, ...SMALL, "hpo.n_trials=3");
    const storage = new MemoryStorage();
    const { studyId } = await runStudy(config, { ...options(gpu), storage, nTrials: 0 });
    const other = (await storage.startTrial(studyId, { trials: 3, graceSeconds: 60 }))!;
    const notices: string[] = [];
    const finishOther = () => storage.finishTrial(other.trialId, "COMPLETE", [0.5]);
    const study = await runStudy(config, {
      ...options(gpu),
      storage,
      reporter: {
        ...silentReporter,
        info(text) {
          notices.push(text);
          if (text.includes("waiting for trials of other processes")) setTimeout(finishOther, 10);
        },
      },
    });
    assert.equal(study.trials.map(({ state }) => state[0]).join(""), "CCC");
    assert.equal(notices.filter((text) => text.includes("waiting")).length, 1);
    // Each trial says which configuration it trained with.
    const versions = study.trials.map(({ userAttrs }) => userAttrs[CONFIG_ATTRIBUTE]);
    assert.deepEqual([versions[0], typeof versions[1], versions[2]], [undefined, "string", versions[1]]);
    assert.deepEqual(configOfTrial(await study.record(), study.trials[1]), config);
  });
});

gpuTest(
  "runStudy: what is wrong with model or data is said before the first trial, and nothing is stored",
  async (gpu) => {
    await inTemporaryFolder(async (folder) => {
      for (const wrong of ["data.groundtruth_csv=missing.csv", `model.model_name=${folder}/missing`]) {
        const config = runConfig(folder, ...SINGLE, ...SMALL, wrong);
        const storage = new MemoryStorage();
        const observer = { opened: () => assert.fail("the study has not begun") };
        const running = runStudy(config, { ...options(gpu), storage, observer });
        await assert.rejects(running, (error: unknown) => error instanceof EntailError && error.kind === "data");
        const [study] = await storage.listStudies();
        assert.deepEqual([study.userAttrs, await storage.trials(study.studyId)], [{}, []]);
      }
      // A key that every trial samples need not be right in the configuration itself.
      const choices = `+hpo.search_space.model={key: model.model_name, type: categorical, choices: ["${TEXT_MODEL}"]}`;
      const config = runConfig(folder, ...SINGLE, ...SMALL, `model.model_name=${folder}/missing`, choices);
      const study = await runStudy(config, { ...options(gpu), storage: new MemoryStorage(), nTrials: 1 });
      assert.equal(study.trials[0].state, "COMPLETE");
    });
  },
);

gpuTest("runStudy: a trial without memory is PRUNED and says so, and the study goes on", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const config = runConfig(folder, ...SINGLE, ...SMALL, "hpo.storage=null");
    const small = () => Promise.resolve({ ...gpu, maxBufferBytes: 1024, close() {} });
    const trials = await trialsOf(config, { ...options(gpu), openDevice: small, nTrials: 2 });
    for (const { state, userAttrs, value } of trials) {
      assert.deepEqual([state, userAttrs[OUT_OF_MEMORY], value], ["PRUNED", true, null]);
    }
    assert.equal(trials.length, 2);
  });
});

gpuTest(
  "runStudy: a loss that is no longer a number fails the trial with the reason, and the study goes on",
  async (gpu) => {
    await inTemporaryFolder(async (folder) => {
      const config = runConfig(
        folder,
        ...SINGLE,
        ...SMALL,
        "hpo.storage=null",
        "~hpo.search_space.learning_rate",
        "~hpo.search_space.warmup_ratio",
        "training.learning_rate=1e38",
        "training.warmup_ratio=0",
        "training.max_grad_norm=null",
      );
      const trials = await trialsOf(config, { ...options(gpu), nTrials: 2 });
      assert.deepEqual(trials.map(({ state }) => state), ["FAIL", "FAIL"]);
      assert.match(trials[0].userAttrs.fail_reason as string, /no longer a number/);
    });
  },
);

gpuTest("runStudy: after a lost device the trial is FAIL and the next one has a new device", async () => {
  await inTemporaryFolder(async (folder) => {
    const config = runConfig(folder, ...SINGLE, ...SMALL, "hpo.storage=null");
    const opened: Gpu[] = [];
    const trials = await trialsOf(config, {
      reporter: silentReporter,
      async openDevice() {
        opened.push(await openTestGpu());
        return opened.at(-1)!;
      },
      observer: { evaluated: ({ number }) => number === 0 && opened[0].device.destroy() },
      nTrials: 2,
    });
    assert.deepEqual(trials.map(({ state }) => state), ["FAIL", "COMPLETE"]);
    assert.match(trials[0].userAttrs.fail_reason as string, /device/);
    assert.equal(opened.length, 2);
  });
});

gpuTest("runStudy: an interrupt ends the running trial as FAIL and leaves nothing RUNNING", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const config = runConfig(folder, ...SINGLE, ...SMALL, "training.num_epochs=100");
    const controller = new AbortController();
    const storage = new MemoryStorage();
    const observer = { evaluated: ({ number }: { number: number }) => number === 0 && controller.abort() };
    const run = { ...options(gpu), storage, observer: observer as never, signal: controller.signal, nTrials: 3 };
    await assert.rejects(runStudy(config, run), { kind: "interrupted" });
    const [study] = await storage.listStudies();
    assert.deepEqual((await storage.trials(study.studyId)).map(({ state }) => state), ["FAIL"]);
  });
});
