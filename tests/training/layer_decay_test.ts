/** Layer-wise decay of the learning rate against PyTorch's parameter groups (tests/oracles/layer_decay.py). */
import assert from "node:assert/strict";
import { packBatch } from "../../src/dataset/batches.ts";
import { loadWeights } from "../../src/models/checkpoint.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { PLAIN_LOSS } from "../../src/nn/loss.ts";
import type { Precision } from "../../src/nn/plan.ts";
import { depthOf, stretchesOf } from "../../src/training/layer_decay.ts";
import { learningRateAt } from "../../src/training/schedule.ts";
import { openSession, type Session } from "../../src/training/session.ts";
import { assertClose } from "../support/close.ts";
import { loadModelFixture, type ModelCase, readTensors } from "../support/deberta_fixture.ts";
import { gpuTest } from "../support/gpu.ts";
import expected from "../fixtures/training/layer_decay.json" with { type: "json" };

/** The fixture's run; `layerRates` false plans one learning rate for all layers. */
async function train(gpu: Gpu, { layerRates, decay, precision }: {
  layerRates: boolean;
  decay: number;
  precision?: Precision;
}) {
  const fixture = await loadModelFixture(expected.fixture as ModelCase);
  const pairs = fixture.sequences.map((ids) => ({
    ids: Uint32Array.from(ids),
    typeIds: new Uint8Array(ids.length),
  }));
  const capacity = { tokens: 160, sequences: 4, longest: 40 };
  const session = await openSession(gpu, fixture.config, {
    inference: capacity,
    precision,
    training: { capacity, lossKind: "cross_entropy", freezeEncoder: false, layerRates },
  });
  await loadWeights(session.parameters, fixture.config, fixture.folder);
  const { steps, learningRate, warmupSteps, weightDecay, maxGradNorm } = expected;
  session.step!.start({
    seed: 1,
    dropout: { hidden: 0, attention: 0, pooler: 0, classifier: 0 },
    loss: PLAIN_LOSS,
    layerDecay: decay,
    weightDecay,
    maxGradNorm,
  });
  const totalSteps = steps.length;
  const schedule = { type: "linear" as const, learningRate, warmupRatio: (warmupSteps + 0.5) / totalSteps, totalSteps };
  steps.forEach(({ batch }, done) => {
    const labels = Uint32Array.from(batch, (i) => fixture.labels[i]);
    session.step!.step([{ batch: packBatch(pairs, batch), labels }], learningRateAt(schedule, done));
  });
  return { fixture, session, records: await session.step!.readRecords() };
}

const values = async ({ parameters }: Session) => {
  const valuesOf = await parameters.readAll("value");
  return new Map(parameters.specs.map(({ name }) => [name, valuesOf(name).map((shard) => shard.slice())]));
};

gpuTest("layer-wise decay: twenty steps follow PyTorch's parameter groups", async (gpu) => {
  const { session, fixture, records } = await train(gpu, { layerRates: true, decay: expected.decay });
  for (const key of ["loss", "gradNorm"] as const) {
    const wanted = expected.steps.map((step) => step[key]);
    assertClose(records.map((record) => record[key]), wanted, { atol: 0, rtol: 1e-3 }, key);
  }
  assertClose([Math.max(...records.map(({ learningRate }) => learningRate))], [expected.learningRate], {
    atol: 0,
    rtol: 1e-6,
  });
  const folder = new URL("../fixtures/training/layer_decay.safetensors", import.meta.url);
  const after = await readTensors(decodeURIComponent(folder.pathname));
  assert.equal(after.size, 10);
  for (const [name, { data }] of after) {
    const before = fixture.weights.get(name)!.data;
    const actual = await session.parameters.read(name, "value");
    const error = Math.hypot(...actual.map((value, i) => value - data[i]));
    const change = Math.hypot(...before.map((value, i) => value - data[i]));
    assert.ok(error <= 2e-3 * change, `${name}: off by ${error / change} of its change`);
  }
  session.release();
});

gpuTest("layer-wise decay: a decay of 1 gives the bits of a step without, in every precision", async (gpu) => {
  for (const precision of ["fp32", "bf16"] as const) {
    const without = await train(gpu, { layerRates: false, decay: 1, precision });
    const plain = await values(without.session);
    without.session.release();
    const { session, records } = await train(gpu, { layerRates: true, decay: 1, precision });
    assert.deepEqual(records, without.records);
    assert.deepEqual(await values(session), plain);
    session.release();
  }
});

gpuTest("layer-wise decay: a step that was planned without refuses one", async (gpu) => {
  await assert.rejects(train(gpu, { layerRates: false, decay: 0.5 }), /one learning rate/);
});

Deno.test("depthOf: from the head down to the embeddings", () => {
  const names = [
    "deberta.embeddings.word_embeddings.weight",
    "deberta.encoder.rel_embeddings.weight",
    "deberta.encoder.layer.0.output.dense.weight",
    "deberta.encoder.layer.11.output.dense.bias",
    "pooler.dense.weight",
    "classifier.bias",
  ];
  const model = { modelType: "deberta-v2", numHiddenLayers: 12 };
  assert.deepEqual(names.map((name) => depthOf(name, model)), [13, 13, 12, 1, 0, 0]);
  const bert = ["bert.embeddings.LayerNorm.bias", "bert.encoder.layer.2.output.dense.bias", "bert.pooler.dense.weight"];
  assert.deepEqual(bert.map((name) => depthOf(name, { modelType: "bert", numHiddenLayers: 3 })), [4, 1, 0]);
});

Deno.test("stretchesOf: neighbours of one depth are updated together", () => {
  const part = (name: string, begin: number, end: number) => ({ name, begin, end });
  const parts = [
    part("deberta.encoder.layer.0.a.weight", 0, 64),
    part("deberta.encoder.layer.0.b.weight", 64, 192),
    part("classifier.weight", 192, 256),
    part("deberta.encoder.layer.0.a.bias", 256, 320),
  ];
  assert.deepEqual(stretchesOf({ parts }, { modelType: "deberta-v2", numHiddenLayers: 1 }), [
    { depth: 1, begin: 0, end: 192 },
    { depth: 0, begin: 192, end: 256 },
    { depth: 1, begin: 256, end: 320 },
  ]);
});
