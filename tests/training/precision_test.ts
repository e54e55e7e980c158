import assert from "node:assert/strict";
import { join } from "node:path";
import { packBatch } from "../../src/dataset/batches.ts";
import { initialiseWeights, saveModel } from "../../src/models/checkpoint.ts";
import { configFromArchitecture } from "../../src/models/config_json.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { narrow, widen } from "../../src/gpu/dtype.ts";
import { readTensor } from "../../src/gpu/tensor.ts";
import type { Precision } from "../../src/nn/plan.ts";
import { initialScaler } from "../../src/nn/scaler.ts";
import { crossValidate } from "../../src/training/cross_validation.ts";
import { evaluateRun } from "../../src/training/evaluate_run.ts";
import { trainFold } from "../../src/training/fold.ts";
import { openModelSource } from "../../src/training/model_source.ts";
import { choosePrecision, describePrecision } from "../../src/training/precision.ts";
import { silentReporter } from "../../src/training/reporter.ts";
import { foldSettings, trainingOptions } from "../../src/training/run.ts";
import { loadRunData } from "../../src/training/run_data.ts";
import { loadRun } from "../../src/training/run_folder.ts";
import { learningRateAt } from "../../src/training/schedule.ts";
import { openScorer, scoreTexts } from "../../src/training/scorer.ts";
import { openSession, type Session, sessionBytes } from "../../src/training/session.ts";
import { assertClose } from "../support/close.ts";
import { gpuTest } from "../support/gpu.ts";
import { denoBackend } from "../../src/gpu/deno.ts";
import { PLAIN_LOSS } from "../../src/nn/loss.ts";
import { inTemporaryFolder, runConfig, TEXT_MODEL } from "../support/run_data.ts";

const PRECISIONS: readonly Precision[] = ["fp32", "fp16", "bf16"];

/** What no loss scale can keep from overflowing, where a label is positive. */
const OVERFLOWING = 1e37;

Deno.test("choosePrecision, describePrecision: what was asked for, or what suits the adapter, with the reason", () => {
  const asked = { backend: denoBackend(), whyBackend: null };
  const [software, hardware] = [{ ...asked, kind: "software" }, { ...asked, kind: "hardware" }] as const;
  assert.equal(choosePrecision(software, "auto"), "fp32");
  assert.equal(choosePrecision(hardware, "auto"), "fp16");
  assert.equal(choosePrecision(software, "bf16"), "bf16");
  assert.match(describePrecision(software, "auto"), /^computing in fp32 \(auto: half precision saves memory, not time/);
  assert.match(describePrecision(hardware, "auto"), /^computing in fp16 \(auto: /);
  const odd = { hiddenSize: 32, intermediateSize: 37 };
  assert.match(
    describePrecision(software, "fp16", odd),
    /^computing in fp16 \(as asked for\); .*intermediate_size \(37/,
  );
  assert.equal(describePrecision(software, "fp32", odd), "computing in fp32 (as asked for)");
  const chosen = describePrecision({ ...hardware, whyBackend: "Dawn is not installed" }, "fp16", odd);
  assert.match(chosen, /^computing in fp16 \(as asked for\) by Deno's own WebGPU \(auto: Dawn is not installed\); /);
});

/**
 * Trains fold 0 of a tiny run, in sittings of a few steps; returns how often it was interrupted. Of 12 pairs in batches of
 * four, the last ones have positive labels.
 */
async function trainInPieces(
  gpu: Gpu,
  folder: string,
  precision: Precision,
  sitting: number,
  { positives = 1, epochs = 3 }: { positives?: number; epochs?: number } = {},
): Promise<number> {
  const config = runConfig(
    folder,
    `training.optimization.precision=${precision}`,
    "model.loss_type=weighted_bce",
    "training.gradient_accumulation_steps=1",
    "training.shuffle=false",
    `training.num_epochs=${epochs}`,
  );
  const model = await openModelSource(config);
  const data = await loadRunData(config, model, silentReporter);
  const settings = foldSettings(config, model.config, data.pairs.map(({ label }) => label));
  settings.step.loss.positiveWeight = precision === "fp16" ? OVERFLOWING : 2;
  const negatives = data.pairs.flatMap(({ label }, i) => label === 0 ? [i] : []);
  const others = data.pairs.flatMap(({ label }, i) => label === 1 ? [i] : []);
  for (let interruptions = 0;; interruptions++) {
    const controller = new AbortController();
    let steps = 0;
    const reporter = { ...silentReporter, training: () => void (++steps >= sitting && controller.abort()) };
    const session = await openSession(gpu, model.config, trainingOptions(gpu, config, model.config, data));
    try {
      const result = await trainFold({
        session,
        settings,
        fold: 0,
        pairs: data.pairs,
        tokens: data.tokens,
        train: [...negatives.slice(positives - 12), ...others.slice(0, positives)],
        validation: data.pairs.map((_, i) => i),
        teacher: null,
        initialise: () => model.initialise(session.parameters),
        tokenizerFolder: model.tokenizerFolder,
        outputFolder: join(folder, "output"),
        checkpointFolder: join(folder, "checkpoints"),
        reporter,
        signal: controller.signal,
      });
      assert.ok(precision === "fp16" ? result.skipped >= 3 : result.skipped === 0, `${result.skipped} skipped`);
      return interruptions;
    } catch (error) {
      if ((error as { kind?: string }).kind !== "interrupted") throw error;
    } finally {
      session.release();
    }
  }
}

/** What two equal trainings agree on. */
async function outcome(folder: string) {
  const { seconds: _, ...state } = JSON.parse(
    await Deno.readTextFile(join(folder, "checkpoints/last/trainer_state.json")),
  );
  const files = [
    "output/metrics.jsonl",
    "checkpoints/last/model.safetensors",
    "checkpoints/last/optimizer.safetensors",
  ];
  return { state, files: await Promise.all(files.map((file) => Deno.readFile(join(folder, file)))) };
}

for (const precision of PRECISIONS) {
  gpuTest(
    `trainFold: in ${precision} an interrupted training gives the bits of the uninterrupted one`,
    (gpu) =>
      inTemporaryFolder(async (folder) => {
        assert.equal(await trainInPieces(gpu, folder, precision, Infinity), 0);
        const whole = await outcome(folder);
        const lines = new TextDecoder().decode(whole.files[0]).trim().split("\n").map((line) => JSON.parse(line));
        const steps = lines.filter(({ step }) => step !== undefined);
        assert.deepEqual(steps.map(({ step }) => step), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        // The schedule counts skipped steps too.
        const { scheduler_type: type, learning_rate: learningRate, warmup_ratio: warmupRatio } =
          runConfig(folder).training;
        const schedule = { type, learningRate, warmupRatio, totalSteps: 9 };
        for (const { step, skipped, loss, learning_rate, grad_norm } of steps) {
          // The first ones may have to find the scale.
          if (precision === "fp16" && step % 3 === 0) assert.equal(skipped, true, `step ${step}`);
          if (precision !== "fp16" || step % 3 !== 0 && step > 3) assert.equal(skipped, undefined, `step ${step}`);
          assert.ok(Number.isFinite(loss), `step ${step}`);
          assert.equal(learning_rate, Math.fround(learningRateAt(schedule, step - 1)), `step ${step}`);
          assert.equal(grad_norm === null, skipped === true, `step ${step}`);
        }
        const count = steps.filter(({ skipped }) => skipped).length;
        const scaler = precision === "fp16"
          ? { scale: 2 ** (16 - count), goodSteps: 0, applied: 9 - count }
          : { scale: 1, goodSteps: 9, applied: 9 };
        assert.deepEqual(whole.state.scaler, scaler);

        for (const name of ["output", "checkpoints"]) await Deno.remove(join(folder, name), { recursive: true });
        assert.ok(await trainInPieces(gpu, folder, precision, 2) >= 2, "never interrupted");
        assert.deepEqual(await outcome(folder), whole);
      }),
  );
}

gpuTest(
  "trainFold: what overflows fp16 at every loss scale ends the training with advice",
  (gpu) =>
    inTemporaryFolder(async (folder) => {
      await assert.rejects(trainInPieces(gpu, folder, "fp16", Infinity, { positives: 9, epochs: 11 }), {
        kind: "usage",
        message: /^training\.optimization\.precision: fold 0 overflows fp16 at step 31 .* set it to bf16 or fp32/,
      });
    }),
);

gpuTest("score: a model that overflows fp16 is an error, not a score", async (gpu) => {
  const { session, batch } = await openTiny(gpu, "fp16");
  const name = "deberta.encoder.layer.0.output.dense.weight";
  session.parameters.upload(name, "value", new Float32Array(32 * 64).fill(1e6));
  await assert.rejects(session.score([batch]), { kind: "usage", message: /overflows fp16.* set it to bf16 or fp32/ });
  session.release();
});

const TINY = {
  vocab_size: 50,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  relative_attention: true,
  position_buckets: 8,
  norm_rel_ebd: "layer_norm",
  share_att_key: true,
  pos_att_type: ["p2c", "c2p"],
  position_biased_input: false,
  type_vocab_size: 0,
};

/** Random weights have large gradients. */
const INITIAL_SCALE = { fp32: 1, fp16: 16, bf16: 1 };

/** A session over a tiny model, a batch for it, and how to take a step with the batch's labels as given. */
async function openTiny(gpu: Gpu, precision: Precision, hiddenSize = 32) {
  const architecture = { ...TINY, hidden_size: hiddenSize, intermediate_size: 2 * hiddenSize };
  const config = configFromArchitecture(architecture, { numLabels: 1, classifierHead: "mean_pooling" });
  const capacity = { tokens: 32, sequences: 4, longest: 8 };
  const session = await openSession(gpu, config, {
    inference: capacity,
    training: { capacity, lossKind: "cross_entropy", freezeEncoder: false },
    precision,
  });
  initialiseWeights(session.parameters, config, 3);
  const pairs = Array.from({ length: 4 }, (_, i) => ({
    ids: Uint32Array.from({ length: 8 }, (_, j) => (7 * i + 3 * j) % 50),
    typeIds: new Uint8Array(8),
  }));
  const batch = packBatch(pairs, [0, 1, 2, 3]);
  session.step!.start({
    seed: 1,
    dropout: { hidden: 0.1, attention: 0.1, pooler: 0, classifier: 0.1 },
    loss: { ...PLAIN_LOSS, positiveWeight: OVERFLOWING },
    layerDecay: 1,
    weightDecay: 0.01,
    maxGradNorm: 1,
  }, {
    counters: { updates: 0, microBatches: 0 },
    scaler: { ...initialScaler(precision), scale: INITIAL_SCALE[precision] },
  });
  return {
    session,
    batch,
    async step(labels: number[], learningRate = 1e-2) {
      session.step!.step([{ batch, labels: Uint32Array.from(labels) }], learningRate);
      const [record] = await session.step!.readRecords();
      return record;
    },
  };
}

async function everything({ gpu, parameters }: Session) {
  const roles = await Promise.all((["value", "firstMoment", "secondMoment"] as const).map(parameters.readAll));
  const trained = parameters.specs.filter(({ trainable }) => trainable);
  const compute = [];
  for (const { name } of trained.slice(1)) compute.push(await readTensor(gpu, parameters.compute(name)));
  return { roles: roles.map((of) => trained.map(({ name }) => of(name))), compute };
}

for (const hiddenSize of [32, 30]) {
  gpuTest(`a step that overflows fp16 changes nothing but the scale, hidden size ${hiddenSize}`, async (gpu) => {
    const { session, step } = await openTiny(gpu, "fp16", hiddenSize);
    const first = await step([0, 0, 0, 0]);
    assert.ok(!first.skipped && first.scale === 16 && first.gradNorm > 0 && Number.isFinite(first.gradNorm));
    const before = await everything(session);
    assert.deepEqual(await session.step!.readScaler(), { scale: 16, goodSteps: 1, applied: 1 });
    const second = await step([0, 1, 0, 0]);
    assert.ok(second.skipped && Number.isFinite(second.loss) && !Number.isFinite(second.gradNorm));
    assert.deepEqual(await everything(session), before);
    assert.deepEqual(await session.step!.readScaler(), { scale: 8, goodSteps: 0, applied: 1 });
    const third = await step([0, 0, 0, 0]);
    assert.ok(!third.skipped && third.scale === 8);
    assert.notDeepEqual(await everything(session), before);
    session.release();
  });
}

gpuTest("fp16 and bf16: the first step's norm is fp32's, unscaled, to half precision", async (gpu) => {
  const norms = [];
  for (const precision of PRECISIONS) {
    const { session, step } = await openTiny(gpu, precision);
    const { loss, gradNorm } = await step([0, 0, 0, 0]);
    norms.push([loss, gradNorm]);
    // What products read are the values, rounded.
    const name = "deberta.encoder.layer.0.output.dense.weight";
    const value = await session.parameters.read(name, "value");
    const compute = await readTensor(gpu, session.parameters.compute(name));
    const type = ({ fp32: "f32", fp16: "f16", bf16: "bf16" } as const)[precision];
    assert.deepEqual(compute, type === "f32" ? value : widen(narrow(value, type), type));
    session.release();
  }
  assertClose(norms[1], norms[0], { atol: 0, rtol: 3e-3 }, "fp16");
  assertClose(norms[2], norms[0], { atol: 0, rtol: 3e-2 }, "bf16");
});

gpuTest(
  "openScorer: half precision gives fp32's scores, rounded, in less memory",
  (gpu) =>
    inTemporaryFolder(async (folder) => {
      const config = runConfig(folder);
      const model = await openModelSource(config);
      const store = await openSession(gpu, model.config, { inference: { tokens: 4, sequences: 1, longest: 4 } });
      await model.initialise(store.parameters);
      const saved = join(folder, "model");
      await Deno.mkdir(saved);
      await saveModel(store.parameters, model.config, TEXT_MODEL, saved);
      store.release();
      const pairs = ["I have not slept well.", "I feel sad all day, every day."].map((post) => ({
        post,
        criterion: "Depressed mood.",
      }));
      const logits = new Map<Precision, number[]>();
      for (const precision of PRECISIONS) {
        const scorer = await openScorer(gpu, saved, { precision });
        logits.set(precision, (await scoreTexts(scorer, pairs)).flatMap((score) => score.logits));
        if (precision !== "fp32") {
          assert.throws(() => everyWeight(scorer.session!), /has no value: only what products read of it is held/);
        }
        scorer.release();
      }
      // Logits of about 8, behind two layers that store some ten tensors with 11 and with 8 bits.
      for (const [precision, atol] of [["fp16", 1e-2], ["bf16", 8e-2]] as const) {
        assertClose(logits.get(precision)!, logits.get("fp32")!, { atol, rtol: 0 }, precision);
        assert.notDeepEqual(logits.get(precision), logits.get("fp32"));
      }
      const capacity = { tokens: 64, sequences: 2, longest: 32 };
      const [full, half] = [
        await sessionBytes(gpu, model.config, { inference: capacity }),
        await sessionBytes(gpu, model.config, { inference: capacity, precision: "fp16" }),
      ];
      assert.ok(half < full, `${half} of ${full} bytes`);
    }),
);

const everyWeight = ({ parameters }: Session) => parameters.specs.map(({ name }) => parameters.value(name));

gpuTest(
  "crossValidate: a run keeps the precision that auto chose when it was begun",
  (gpu) =>
    inTemporaryFolder(async (folder) => {
      const notices: string[] = [];
      const reporter = { ...silentReporter, info: (line: string) => void notices.push(line) };
      const config = runConfig(folder, "training.max_steps=2");
      const controller = new AbortController();
      await assert.rejects(
        crossValidate({ ...gpu, kind: "hardware" }, config, {
          reporter: { ...reporter, training: () => controller.abort() },
          signal: controller.signal,
        }),
        { kind: "interrupted" },
      );
      const record = async () => JSON.parse(await Deno.readTextFile(join(folder, "run/run.json")));
      assert.equal((await record()).precision, "fp16");
      assert.match(notices[0], /^computing in fp16 \(auto/);
      notices.length = 0;
      await crossValidate({ ...gpu, kind: "software" }, config, { reporter });
      assert.equal((await record()).precision, "fp16");
      assert.ok(notices.includes("computing in fp16 (as this run was begun)"), notices.join("\n"));
      notices.length = 0;
      await evaluateRun(gpu, await loadRun(join(folder, "run")), { reporter });
      assert.deepEqual(notices, ["computing in fp16 (auto: as the run was trained)"]);
    }),
);
