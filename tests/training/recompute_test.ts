/** Activations that are computed again in the backward: the same bits. */
import assert from "node:assert/strict";
import { packBatch } from "../../src/dataset/batches.ts";
import { loadWeights } from "../../src/models/checkpoint.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { PLAIN_LOSS } from "../../src/nn/loss.ts";
import type { Precision } from "../../src/nn/plan.ts";
import { openSession } from "../../src/training/session.ts";
import { loadModelFixture, type ModelCase, type ModelFixture } from "../support/deberta_fixture.ts";
import { gpuTest } from "../support/gpu.ts";

/** Models by precision: every family, and DeBERTa with what it has besides its layers. */
const CASES: Readonly<Record<Precision, readonly ModelCase[]>> = {
  fp32: ["convolution", "roberta"],
  fp16: ["shared_buckets", "bert"],
  bf16: ["xlm_roberta"],
};

/** Losses and norms of two steps with every dropout, and the gradients of the second, as bits. */
async function steps(gpu: Gpu, fixture: ModelFixture, precision: Precision, recompute: boolean) {
  const { sequences, typeIds, labels, config, folder } = fixture;
  const lengths = sequences.map((ids) => ids.length);
  const capacity = {
    tokens: lengths.reduce((sum, length) => sum + length, 0),
    sequences: sequences.length,
    longest: Math.max(...lengths),
  };
  const session = await openSession(gpu, config, {
    inference: { tokens: capacity.longest, sequences: 1, longest: capacity.longest },
    training: { capacity, lossKind: "cross_entropy", freezeEncoder: false, recompute },
    precision,
  });
  try {
    await loadWeights(session.parameters, config, folder);
    session.parameters.clearMoments();
    const step = session.step!;
    step.start({
      seed: 7,
      dropout: { hidden: 0.2, attention: 0.3, pooler: 0.1, classifier: 0.1 },
      loss: PLAIN_LOSS,
      weightDecay: 0.01,
      layerDecay: 1,
      maxGradNorm: 1,
    }, { counters: { updates: 0, microBatches: 0 }, scaler: { scale: 128, goodSteps: 0, applied: 0 } });
    const pairs = sequences.map((ids, i) => ({ ids: Uint32Array.from(ids), typeIds: Uint8Array.from(typeIds[i]) }));
    const members = pairs.map((_, i) => i);
    const microBatch = { batch: packBatch(pairs, members), labels: Uint32Array.from(labels) };
    for (let i = 0; i < 2; i++) step.step([microBatch], 1e-3);
    const records = await step.readRecords();
    const gradients = new Map<string, Uint32Array>();
    for (const { name, trainable } of session.parameters.specs) {
      if (trainable) gradients.set(name, new Uint32Array((await session.parameters.read(name, "gradient")).buffer));
    }
    return { records, gradients };
  } finally {
    session.release();
  }
}

for (const [precision, names] of Object.entries(CASES) as [Precision, readonly ModelCase[]][]) {
  gpuTest(`recompute: losses, norms and every gradient in ${precision} are the same bits`, async (gpu) => {
    for (const name of names) {
      const fixture = await loadModelFixture(name);
      const kept = await steps(gpu, fixture, precision, false);
      assert.ok(kept.records.every(({ loss, skipped }) => loss > 0 && !skipped), name);
      assert.deepEqual(await steps(gpu, fixture, precision, true), kept, name);
    }
  });
}
