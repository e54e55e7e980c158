import assert from "node:assert/strict";
import { packBatch } from "../../src/dataset/batches.ts";
import { openSession } from "../../src/training/session.ts";
import { openModelSource } from "../../src/training/model_source.ts";
import { trainingOptions } from "../../src/training/run.ts";
import { loadRunData } from "../../src/training/run_data.ts";
import { silentReporter } from "../../src/training/reporter.ts";
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
