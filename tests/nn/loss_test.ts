import assert from "node:assert/strict";
import type { Gpu } from "../../src/gpu/device.ts";
import { createUniform, type Tensor, writeTensor } from "../../src/gpu/tensor.ts";
import { lossForwardBackward, type LossKind, type LossParameters, lossUniform } from "../../src/nn/loss.ts";
import { createPlan } from "../../src/nn/plan.ts";
import { createUpdateTensors, writeScaler } from "../../src/nn/scaler.ts";
import { centralDifferences } from "../reference/central_differences.ts";
import { lossReference } from "../reference/loss.ts";
import { assertClose, randomArray } from "../support/close.ts";
import { download, gpuTest, negativeControl, runPlan, testRows, upload } from "../support/gpu.ts";
import fixture from "../fixtures/nn/loss.json" with { type: "json" };

const KINDS: LossKind[] = ["ce", "bce", "weighted_bce", "focal"];

interface Case {
  logits: Float32Array;
  labels: Uint32Array;
  kind: LossKind;
  parameters: LossParameters;
}

/** Losses are added to `start`; the gradient is multiplied by `scale`. */
async function run(gpu: Gpu, { logits, labels, kind, parameters }: Case, start = 0, scale = 1) {
  const { scaler } = await createUpdateTensors(gpu, [0.9, 0.999]);
  writeScaler(gpu, scaler, { scale, goodSteps: 0, applied: 0 });
  const numLabels = logits.length / labels.length as 1 | 2;
  const uniform: Tensor = createUniform(gpu, "loss parameters", 8);
  writeTensor(gpu, uniform, lossUniform(parameters));
  const dLogits = await upload(gpu, "dLogits", [logits.length]);
  const lossSum = await upload(gpu, "loss sum", [1], Float32Array.of(start));
  const plan = createPlan(gpu, "loss test");
  lossForwardBackward(plan, {
    logits: await upload(gpu, "logits", [logits.length], logits),
    labels: await upload(gpu, "labels", [labels.length], labels),
    parameters: uniform,
    scaler,
    dLogits,
    lossSum,
  }, { sequences: testRows(gpu, labels.length), numLabels, kind });
  await runPlan(gpu, plan);
  return { dLogits: await download(gpu, dLogits), loss: (await download(gpu, lossSum))[0] };
}

const pytorch = gpuTest("lossForwardBackward: agrees with PyTorch's losses and autograd", async (gpu) => {
  for (const { kind, gamma, numLabels, logits, loss, dLogits } of fixture.cases) {
    const parameters = { ...fixture, scale: 1 / fixture.labels.length, gamma };
    const label = `${kind}, gamma ${gamma}, ${numLabels} labels`;
    const options = { labels: Uint32Array.from(fixture.labels), kind: kind as LossKind, parameters };
    const result = await run(gpu, { ...options, logits: Float32Array.from(logits) }, 2);
    assertClose([result.loss - 2], [loss], { atol: 1e-6, rtol: 1e-6 }, label);
    assertClose(result.dLogits, dLogits, { atol: 1e-7, rtol: 3e-6 }, label);
  }
});

gpuTest("lossForwardBackward: stays exact where p is near 0 or 1", async (gpu) => {
  const rises = [0, 1e-4, 0.5, 3, 10, 17, 30, 60].flatMap((value) => [value, -value]);
  for (const kind of KINDS) {
    for (const gamma of kind === "focal" ? [0, 0.5, 1, 2] : [0]) {
      const parameters = { scale: 1 / 32, gamma, alphaPositive: 0.75, alphaNegative: 0.25, positiveWeight: 4 };
      const logits = Float32Array.from([...rises, ...rises]);
      const labels = Uint32Array.from(logits, (_, i) => +(i < rises.length));
      const { losses, dLogits } = lossReference(logits, labels, 1, kind, parameters);
      const result = await run(gpu, { logits, labels, kind, parameters });
      const label = `${kind}, gamma ${gamma}`;
      // exp() of a large argument has a relative error of its own; below 1e-37 nothing matters.
      assertClose(result.dLogits, dLogits, { atol: 1e-37, rtol: 4e-5 }, label);
      assertClose([result.loss], [losses.reduce((sum, loss) => sum + loss)], { atol: 0, rtol: 2e-6 }, label);
    }
  }
});

gpuTest("lossForwardBackward: many sequences, equal bits every time", async (gpu) => {
  for (const [count, numLabels, seed] of [[1, 2, 1], [257, 2, 2], [70, 1, 3]]) {
    const logits = randomArray(count * numLabels, seed, 4);
    const labels = Uint32Array.from(randomArray(count, seed + 50), (value) => +(value > 0.3));
    const parameters = { scale: 1 / count, gamma: 2, alphaPositive: 0.9, alphaNegative: 0.1 };
    const options: Case = { logits, labels, kind: "focal", parameters };
    const expected = lossReference(logits, labels, numLabels, "focal", parameters);
    const first = await run(gpu, options);
    assertClose(first.dLogits, expected.dLogits, { atol: 1e-8, rtol: 1e-5 });
    assertClose([first.loss], [expected.losses.reduce((sum, loss) => sum + loss)], { atol: 0, rtol: 5e-6 });
    assert.deepEqual(await run(gpu, options), first);
  }
});

const scales = gpuTest(
  "lossForwardBackward: the loss scale multiplies the gradient, exactly, and not the loss",
  async (gpu) => {
    const logits = randomArray(64, 5, 4);
    const labels = Uint32Array.from(randomArray(32, 6), (value) => +(value > 0));
    const options: Case = { logits, labels, kind: "ce", parameters: { scale: 1 / 32 } };
    const plain = await run(gpu, options);
    const scaled = await run(gpu, options, 0, 2 ** 16);
    assert.equal(scaled.loss, plain.loss);
    assert.deepEqual(scaled.dLogits, plain.dLogits.map((value) => value * 2 ** 16));
  },
);

Deno.test("lossReference: agrees with central differences", () => {
  for (const kind of KINDS) {
    for (const numLabels of [1, 2]) {
      const parameters = { scale: 0.3, gamma: 1.5, alphaPositive: 0.7, alphaNegative: 0.4, positiveWeight: 2 };
      const logits = randomArray(4 * numLabels, 11, 3);
      const total = (at: Float64Array) =>
        lossReference(at, [1, 0, 0, 1], numLabels, kind, parameters).losses.reduce((sum, loss) => sum + loss);
      const { dLogits } = lossReference(logits, [1, 0, 0, 1], numLabels, kind, parameters);
      assertClose(dLogits, centralDifferences(total, logits), { atol: 1e-9, rtol: 1e-7 }, kind);
    }
  }
});

negativeControl("loss.wgsl", "p * nll + q", "p * nll - q", pytorch);
negativeControl("loss.wgsl", "slope * scaler.scale", "slope * scaler.inverse", scales);
negativeControl("loss.wgsl", "lossSum[0] += sum", "lossSum[0] = sum", pytorch);
