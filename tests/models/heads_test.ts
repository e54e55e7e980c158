/** The heads that transformers does not have, where dropout is on: PyTorch draws other numbers, so the loss is the oracle. */
import assert from "node:assert/strict";
import { packBatch } from "../../src/dataset/batches.ts";
import { loadWeights } from "../../src/models/checkpoint.ts";
import { openSession } from "../../src/training/session.ts";
import { loadModelFixture, lossOf, type ModelCase } from "../support/deberta_fixture.ts";
import { gpuTest } from "../support/gpu.ts";

const CASES: [name: ModelCase, parameters: string[]][] = [
  ["attention_pooling", [
    "attention_pooling.weight",
    "classifier.weight",
    "deberta.encoder.layer.0.output.dense.weight",
  ]],
  ["mlp1", ["mlp.0.weight", "mlp.0.bias", "deberta.encoder.layer.0.output.dense.weight"]],
  ["mlp2", ["mlp.0.weight", "mlp.1.weight", "mlp.1.bias", "deberta.encoder.layer.0.output.dense.weight"]],
];

for (const [name, parameters] of CASES) {
  gpuTest(`${name}: with dropout, the loss rises along each gradient as the gradient says`, async (gpu) => {
    const fixture = await loadModelFixture(name);
    const pairs = fixture.sequences.map((ids) => ({ ids: Uint32Array.from(ids), typeIds: new Uint8Array(ids.length) }));
    const batch = packBatch(pairs, fixture.batch);
    const labels = Uint32Array.from(fixture.batch, (i) => fixture.labels[i]);
    const capacity = { tokens: batch.tokens, sequences: batch.sequences, longest: batch.maxLength };
    const { kind, weights } = lossOf(fixture);
    const training = { capacity, lossKind: kind, freezeEncoder: false };
    const session = await openSession(gpu, fixture.config, { inference: capacity, training });
    await loadWeights(session.parameters, fixture.config, fixture.folder);
    const lossAt = async (rate: number) => {
      const dropout = { hidden: 0, attention: 0, pooler: 0, classifier: rate };
      session.step!.start({ seed: 3, dropout, loss: weights, layerDecay: 1, weightDecay: 0, maxGradNorm: 0 });
      session.step!.step([{ batch, labels }], 0);
      const [{ loss }] = await session.step!.readRecords();
      return loss;
    };
    assert.notEqual(await lossAt(0.4), await lossAt(0));
    for (const parameter of parameters) {
      await lossAt(0.4);
      const gradient = await session.parameters.read(parameter, "gradient");
      const size = Math.hypot(...gradient);
      const before = await session.parameters.read(parameter, "value");
      const step = 2e-3;
      const moved = async (by: number) => {
        session.parameters.upload(parameter, "value", before.map((value, i) => value + by * gradient[i] / size));
        return await lossAt(0.4);
      };
      const rise = (await moved(step) - await moved(-step)) / (2 * step);
      session.parameters.upload(parameter, "value", before);
      assert.ok(Math.abs(rise / size - 1) < 5e-3, `${parameter}: ${rise} along a gradient of ${size}`);
    }
    session.release();
  });
}
