import assert from "node:assert/strict";
import { packBatch } from "../../src/dataset/batches.ts";
import { openSession } from "../../src/training/session.ts";
import { openModelSource } from "../../src/training/model_source.ts";
import { trainingOptions } from "../../src/training/run.ts";
import { loadRunData } from "../../src/training/run_data.ts";
import { silentReporter } from "../../src/training/reporter.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import type { MicroBatch } from "../../src/training/step.ts";
import { gpuTest } from "../support/gpu.ts";
import { PLAIN_LOSS } from "../../src/nn/loss.ts";
import { inTemporaryFolder, runConfig } from "../support/run_data.ts";

gpuTest("openSession: room for longer training pairs changes no score and no step", async (gpu) => {
  await inTemporaryFolder(async (folder) => {
    const config = runConfig(folder);
    const model = await openModelSource(config);
    const data = await loadRunData(config, model, silentReporter);
    const options = trainingOptions(gpu, config, model.config, data);
    const members = [0, 5, 10];
    const batch = packBatch(data.tokens.map(({ chunks: [tokens] }) => tokens), members);
    const run = async (longest: number) => {
      const { training } = options;
      const capacity = { ...training!.capacity, tokens: 4 * longest, longest };
      const session = await openSession(gpu, model.config, { ...options, training: { ...training!, capacity } });
      try {
        await model.initialise(session.parameters);
        session.parameters.clearMoments();
        const step = session.step!;
        step.start({
          seed: 1,
          // Attention dropout counts its bits by the room for keys.
          dropout: { hidden: 0.1, attention: 0, pooler: 0, classifier: 0.1 },
          loss: { ...PLAIN_LOSS, gamma: 2, positiveWeight: 0.5, negativeWeight: 0.5 },
          layerDecay: 1,
          weightDecay: 0.01,
          maxGradNorm: 1,
        });
        const before = await session.score([batch]);
        step.step([{ batch, labels: Uint32Array.from(members, (i) => data.pairs[i].label) }], 1e-2);
        const [record] = await step.readRecords();
        return { before, record, after: await session.score([batch]) };
      } finally {
        session.release();
      }
    };
    const { longest } = options.training!.capacity;
    const exact = await run(longest);
    assert.notDeepEqual(exact.before, exact.after);
    assert.deepEqual(await run(longest + 17), exact);
  });
});

gpuTest(
  "step: a micro-batch is one submission, and what is uploaded for the next disturbs none before it",
  async (gpu) => {
    await inTemporaryFolder(async (folder) => {
      const config = runConfig(folder);
      const model = await openModelSource(config);
      const data = await loadRunData(config, model, silentReporter);
      let submissions = 0;
      const counting: Gpu = {
        ...gpu,
        submit(encoder) {
          submissions++;
          return gpu.submit(encoder);
        },
      };
      const session = await openSession(counting, model.config, trainingOptions(gpu, config, model.config, data));
      const step = session.step!;
      const microBatch = (members: number[]) => ({
        batch: packBatch(data.tokens.map(({ chunks: [tokens] }) => tokens), members),
        labels: Uint32Array.from(members, (i) => data.pairs[i].label),
      });
      const steps = [[microBatch([0, 1])], [microBatch([2]), microBatch([3, 4]), microBatch([5])], [microBatch([6])]];
      const losses = async (queue: (microBatches: MicroBatch[]) => void | Promise<void>) => {
        await model.initialise(session.parameters);
        session.parameters.clearMoments();
        step.start({
          seed: 1,
          dropout: { hidden: 0.1, attention: 0.1, pooler: 0, classifier: 0.1 },
          loss: PLAIN_LOSS,
          layerDecay: 1,
          weightDecay: 0.01,
          maxGradNorm: 1,
        });
        submissions = 0;
        for (const microBatches of steps) {
          const done = queue(microBatches);
          if (done) await done;
        }
        await gpu.device.queue.onSubmittedWorkDone();
        return await step.readRecords();
      };
      const queued = await losses((microBatches) => step.step(microBatches, 1e-2));
      assert.equal(submissions, 1 + 3 + 1 + 1, "one a micro-batch, and one to read the log");
      const oneByOne = await losses(async (microBatches) => {
        step.step(microBatches, 1e-2);
        await gpu.device.queue.onSubmittedWorkDone();
      });
      assert.deepEqual(queued, oneByOne);
      session.release();
    });
  },
);
