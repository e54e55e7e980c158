/** Whole models against transformers: logits, gradients of every parameter, twenty optimizer steps. */
import assert from "node:assert/strict";
import { packBatch } from "../../src/dataset/batches.ts";
import { loadWeights } from "../../src/models/checkpoint.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { learningRateAt } from "../../src/training/schedule.ts";
import { openSession, type Session } from "../../src/training/session.ts";
import type { StepSettings } from "../../src/training/step.ts";
import { assertClose } from "../support/close.ts";
import { loadModelFixture, lossOf, MODEL_CASES, type ModelFixture } from "../support/deberta_fixture.ts";
import { gpuTest } from "../support/gpu.ts";

/** A session for a fixture with its weights on the device. */
async function openFixture(gpu: Gpu, fixture: ModelFixture): Promise<Session> {
  const tokens = fixture.sequences.reduce((sum, ids) => sum + ids.length, 0);
  const longest = Math.max(...fixture.sequences.map((ids) => ids.length));
  const capacity = { tokens, sequences: fixture.sequences.length, longest };
  const session = await openSession(gpu, fixture.config, {
    inference: capacity,
    training: { capacity, lossKind: lossOf(fixture).kind, freezeEncoder: false },
  });
  await loadWeights(session.parameters, fixture.config, fixture.folder);
  session.step!.start(settingsOf(fixture, 0, 0));
  return session;
}

function settingsOf(fixture: ModelFixture, weightDecay: number, maxGradNorm: number): StepSettings {
  return {
    seed: 1,
    dropout: { hidden: 0, attention: 0, pooler: 0, classifier: 0 },
    loss: lossOf(fixture).weights,
    weightDecay,
    layerDecay: 1,
    maxGradNorm,
  };
}

const pack = ({ sequences, typeIds }: ModelFixture, indices: number[]) =>
  packBatch(sequences.map((ids, i) => ({ ids: Uint32Array.from(ids), typeIds: Uint8Array.from(typeIds[i]) })), indices);

const microBatch = (fixture: ModelFixture, indices: number[]) => ({
  batch: pack(fixture, indices),
  labels: Uint32Array.from(indices, (i) => fixture.labels[i]),
});

for (const name of MODEL_CASES) {
  gpuTest(`model: logits of ${name} are transformers'`, async (gpu) => {
    const fixture = await loadModelFixture(name);
    const session = await openFixture(gpu, fixture);
    const logits = (await session.score([pack(fixture, fixture.batch)])).flatMap((row) => [...row]);
    assertClose(logits, fixture.expected.get("logits")!.data, { atol: 2e-5, rtol: 2e-5 }, "logits");
    session.release();
  });

  gpuTest(`model: every gradient of ${name} is PyTorch's`, async (gpu) => {
    const fixture = await loadModelFixture(name);
    const session = await openFixture(gpu, fixture);
    session.step!.step([microBatch(fixture, fixture.batch)], 0);
    const [record] = await session.step!.readRecords();
    assertClose([record.loss, record.gradNorm], [fixture.lossValue, fixture.gradNorm], { atol: 0, rtol: 1e-4 });
    for (const { name: parameter, trainable } of session.parameters.specs) {
      const expected = fixture.expected.get(`gradient.${parameter}`);
      if (!trainable || !expected) continue;
      const gradient = await session.parameters.read(parameter, "gradient");
      const size = Math.hypot(...expected.data);
      if (fixture.zeroGradients.includes(parameter)) {
        assert.ok(Math.hypot(...gradient) < 1e-5 * fixture.gradNorm, `${parameter}: should be zero`);
      } else {
        assert.ok(size > 0, `${parameter}: a gradient of zero proves nothing`);
        assertClose(gradient, expected.data, { atol: 1e-4 * size, rtol: 1e-3 }, parameter);
      }
    }
    session.release();
  });

  gpuTest(`model: twenty steps of ${name} follow PyTorch's`, async (gpu) => {
    const fixture = await loadModelFixture(name);
    for (const run of fixture.training) {
      const session = await openFixture(gpu, fixture);
      session.step!.start(settingsOf(fixture, run.weightDecay, run.maxGradNorm));
      const schedule = {
        type: "linear" as const,
        learningRate: run.learningRate,
        warmupRatio: (run.warmupSteps + 0.5) / run.steps.length,
        totalSteps: run.steps.length,
      };
      run.steps.forEach(({ microBatches }, done) =>
        session.step!.step(microBatches.map((indices) => microBatch(fixture, indices)), learningRateAt(schedule, done))
      );
      const records = await session.step!.readRecords();
      const column = (key: "loss" | "gradNorm" | "learningRate") => [
        records.map((record) => record[key]),
        run.steps.map((step) => step[key]),
      ];
      for (const key of ["loss", "gradNorm", "learningRate"] as const) {
        const [actual, expected] = column(key);
        assertClose(actual, expected, { atol: 1e-9, rtol: 1e-3 }, `${key} (accumulation ${run.accumulation})`);
      }
      await assertTrained(session, fixture, run.accumulation);
      session.release();
    }
  });
}

/** The contract's measure: the distance to PyTorch's parameters against the size of their change. */
async function assertTrained(session: Session, fixture: ModelFixture, accumulation: number): Promise<void> {
  let squaredError = 0;
  let squaredChange = 0;
  for (const { name } of session.parameters.specs) {
    const expected = fixture.expected.get(`trained.${accumulation}.${name}`)!.data;
    const before = fixture.weights.get(name)!.data;
    const actual = await session.parameters.read(name, "value");
    const error = Math.hypot(...actual.map((value, i) => value - expected[i]));
    const change = Math.hypot(...before.map((value, i) => value - expected[i]));
    // A gradient that is zero but for rounding says nothing: AdamW turns its noise into full steps.
    if (fixture.zeroGradients.includes(name)) continue;
    squaredError += error ** 2;
    squaredChange += change ** 2;
    assert.ok(error <= 1e-2 * change, `${name}: off by ${error / change} of its change`);
  }
  assert.ok(Math.sqrt(squaredError / squaredChange) <= 1e-3, `all: off by ${Math.sqrt(squaredError / squaredChange)}`);
}
