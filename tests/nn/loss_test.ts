import assert from "node:assert/strict";
import type { Gpu } from "../../src/gpu/device.ts";
import { createUniform, type Tensor, writeTensor } from "../../src/gpu/tensor.ts";
import {
  comparedPairs,
  LOSS_WORDS,
  lossForwardBackward,
  type LossKind,
  type LossParameters,
  lossUniform,
  meanLoss,
  PLAIN_LOSS,
  positiveLogit,
} from "../../src/nn/loss.ts";
import { createPlan } from "../../src/nn/plan.ts";
import { createUpdateTensors, writeScaler } from "../../src/nn/scaler.ts";
import { centralDifferences } from "../reference/central_differences.ts";
import { lossReference } from "../reference/loss.ts";
import { assertClose, randomArray } from "../support/close.ts";
import { download, gpuTest, negativeControl, runPlan, testRows, upload } from "../support/gpu.ts";
import fixture from "../fixtures/nn/loss.json" with { type: "json" };

const KINDS: LossKind[] = ["cross_entropy", "focal", "ranking", "distillation", "mse", "margin_mse"];

interface Case {
  logits: Float32Array;
  labels: Uint32Array;
  groups: Uint32Array;
  teacher: Float32Array;
  kind: LossKind;
  parameters: LossParameters;
}

/** Losses are added to `start`; the gradient is multiplied by `scale`. */
async function run(gpu: Gpu, { logits, labels, groups, teacher, kind, parameters }: Case, start = 0, scale = 1) {
  const { scaler } = await createUpdateTensors(gpu, [0.9, 0.999]);
  writeScaler(gpu, scaler, { scale, goodSteps: 0, applied: 0 });
  const numLabels = logits.length / labels.length as 1 | 2;
  const uniform: Tensor = createUniform(gpu, "loss parameters", LOSS_WORDS);
  writeTensor(gpu, uniform, lossUniform(parameters));
  const dLogits = await upload(gpu, "dLogits", [logits.length]);
  const lossSum = await upload(gpu, "loss sum", [1], Float32Array.of(start));
  const plan = createPlan(gpu, "loss test");
  lossForwardBackward(plan, {
    logits: await upload(gpu, "logits", [logits.length], logits),
    labels: await upload(gpu, "labels", [labels.length], labels),
    groups: await upload(gpu, "groups", [groups.length], groups),
    teacher: await upload(gpu, "teacher", [teacher.length], teacher),
    parameters: uniform,
    scaler,
    dLogits,
    lossSum,
  }, { sequences: testRows(gpu, labels.length), numLabels, kind });
  await runPlan(gpu, plan);
  return { dLogits: await download(gpu, dLogits), loss: (await download(gpu, lossSum))[0] };
}

/** Scores, classes, groups of several pairs each and a teacher's words, by chance, and the scales of one micro-batch. */
function randomCase(kind: LossKind, count: number, numLabels: number, seed: number): Case {
  const labels = Uint32Array.from(randomArray(count, seed + 50), (value) => +(value > 0.3));
  const groups = Uint32Array.from(randomArray(count, seed + 90), (value) => Math.floor((value + 1) * count / 8));
  const scores = randomArray(count, seed + 130, 4);
  const teacher = kind === "distillation" ? scores.map((score) => 1 / (1 + Math.exp(-score))) : scores;
  const pairs = comparedPairs(labels, groups).length;
  const parameters = {
    scale: 1 / count,
    pairScale: pairs && 1 / pairs,
    gamma: 2,
    positiveWeight: 0.9,
    negativeWeight: 0.1,
    smoothing: 0.08,
    pairWeight: 0.6,
    rankMargin: 1.5,
    softWeight: kind === "distillation" ? 0.7 : 0,
    temperature: 2.5,
  };
  return { logits: randomArray(count * numLabels, seed, 4), labels, groups, teacher, kind, parameters };
}

const pytorch = gpuTest("lossForwardBackward: agrees with PyTorch's losses and autograd", async (gpu) => {
  const labels = Uint32Array.from(fixture.labels);
  for (const { name, kind, numLabels, logits, loss, dLogits, ...given } of fixture.cases) {
    const groups = Uint32Array.from(given.groups);
    const teacher = Float32Array.from(given.teacher);
    const pairs = comparedPairs(labels, groups).length;
    const parameters = { scale: 1 / labels.length, pairScale: pairs && 1 / pairs, ...given.weights as object };
    const label = `${name}, ${numLabels} labels`;
    const options = { labels, groups, teacher, kind: kind as LossKind, parameters };
    const result = await run(gpu, { ...options, logits: Float32Array.from(logits) }, 2);
    assertClose([result.loss - 2], [loss], { atol: 1e-6, rtol: 1e-6 }, label);
    assertClose(result.dLogits, dLogits, { atol: 1e-7, rtol: 3e-6 }, label);
  }
});

Deno.test("meanLoss: is PyTorch's on the host, cross-entropy for those that learn from a teacher", () => {
  const plain = (labels: number) => fixture.cases.find((own) => own.name === "ce" && own.numLabels === labels)!.loss;
  for (const { name, kind, numLabels, logits, weights, groups, teacher, ...expected } of fixture.cases) {
    const loss = teacher.length > 0 ? plain(numLabels) : expected.loss;
    const rows = fixture.labels.map((_, i) => logits.slice(numLabels * i, numLabels * (i + 1)));
    const mean = meanLoss(rows.map(positiveLogit), { labels: fixture.labels, groups }, kind as LossKind, {
      ...PLAIN_LOSS,
      ...weights as object,
    });
    assertClose([mean], [loss], { atol: 0, rtol: 1e-12 }, name);
  }
});

gpuTest("lossForwardBackward: stays exact where p is near 0 or 1", async (gpu) => {
  const rises = [0, 1e-4, 0.5, 3, 10, 17, 30, 60].flatMap((value) => [value, -value]);
  const logits = Float32Array.from([...rises, ...rises]);
  const labels = Uint32Array.from(logits, (_, i) => +(i < rises.length));
  const groups = new Uint32Array(logits.length);
  const teacher = Float32Array.from(labels);
  for (const kind of KINDS) {
    const softWeight = kind === "distillation" ? 0.5 : 0;
    for (const gamma of kind === "focal" ? [0, 0.5, 1, 2] : [0]) {
      const parameters = { scale: 1 / 32, gamma, positiveWeight: 4, negativeWeight: 0.25, softWeight, temperature: 1 };
      const given = { logits, labels, groups, teacher };
      const { loss, dLogits } = lossReference(given, kind, parameters);
      const result = await run(gpu, { ...given, kind, parameters });
      const label = `${kind}, gamma ${gamma}`;
      // exp() of a large argument has a relative error of its own; below 1e-37 nothing matters.
      assertClose(result.dLogits, dLogits, { atol: 1e-37, rtol: 4e-5 }, label);
      assertClose([result.loss], [loss], { atol: 0, rtol: 2e-6 }, label);
    }
  }
});

const many = gpuTest("lossForwardBackward: many sequences, equal bits every time", async (gpu) => {
  for (const kind of KINDS) {
    for (const [count, numLabels, seed] of [[1, 2, 1], [257, 2, 2], [70, 1, 3]]) {
      const options = randomCase(kind, count, numLabels, seed);
      const expected = lossReference(options, kind, options.parameters);
      const first = await run(gpu, options);
      assertClose(first.dLogits, expected.dLogits, { atol: 1e-8, rtol: 1e-5 }, `${kind}, ${count}`);
      assertClose([first.loss], [expected.loss], { atol: 0, rtol: 5e-6 }, `${kind}, ${count}`);
      assert.deepEqual(await run(gpu, options), first);
    }
  }
});

const scales = gpuTest(
  "lossForwardBackward: the loss scale multiplies the gradient, exactly, and not the loss",
  async (gpu) => {
    for (const kind of KINDS) {
      const options = randomCase(kind, 32, 2, 5);
      const plain = await run(gpu, options);
      const scaled = await run(gpu, options, 0, 2 ** 16);
      assert.equal(scaled.loss, plain.loss);
      assert.deepEqual(scaled.dLogits, plain.dLogits.map((value) => value * 2 ** 16), kind);
    }
  },
);

Deno.test("lossReference: agrees with central differences", () => {
  for (const kind of KINDS) {
    for (const numLabels of [1, 2]) {
      const { logits, ...rest } = randomCase(kind, 12, numLabels, 11);
      const at = (logits: ArrayLike<number>) => lossReference({ ...rest, logits }, kind, rest.parameters);
      const differences = centralDifferences((moved) => at(moved).loss, logits);
      assertClose(at(logits).dLogits, differences, { atol: 1e-9, rtol: 1e-6 }, kind);
    }
  }
});

Deno.test("comparedPairs: each positive with each negative of its group", () => {
  assert.deepEqual(comparedPairs([1, 0, 1, 0, 1, 0], [4, 4, 4, 4, 7, 9]), [[0, 1], [0, 3], [2, 1], [2, 3]]);
  assert.deepEqual(comparedPairs([1, 1, 0], [1, 1, 2]), []);
});

negativeControl("loss.wgsl", "p * nll + q", "p * nll - q", pytorch);
negativeControl("loss.wgsl", "d_score * scaler.scale", "d_score * scaler.inverse", scales);
negativeControl("loss.wgsl", "lossSum[0] += sum", "lossSum[0] = sum", pytorch);
negativeControl("loss.wgsl", "gap > 0.0", "gap > 0.5", many);
negativeControl("loss.wgsl", "groups[other] == groups[sequence]", "groups[other] >= groups[sequence]", many);
negativeControl("loss.wgsl", "(1.0 - taught) * exp", "taught * exp", many);
negativeControl("loss.wgsl", "(teacher[sequence] - teacher[other])", "(teacher[other] - teacher[sequence])", many);
