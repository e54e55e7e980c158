/**
 * Entail as a contestant: what training runs, through the layers' and the session's own functions. Its argument is the
 * backend: deno (default) or dawn.
 */
import "./device_clock.ts";
import { openSteps } from "../../../src/bench/step.ts";
import { packBatch } from "../../../src/dataset/batches.ts";
import { initialiseWeights, loadWeights, readModelConfig } from "../../../src/models/checkpoint.ts";
import { configFromArchitecture } from "../../../src/models/config_json.ts";
import { openGpu } from "../../../src/gpu/device.ts";
import { preparePrograms } from "../../../src/gpu/program.ts";
import { createTensor, readTensor, writeTensor } from "../../../src/gpu/tensor.ts";
import { linearBackwardInput, linearBackwardWeight, linearForward } from "../../../src/nn/linear.ts";
import type { ModelConfig } from "../../../src/models/model_config.ts";
import { PLAIN_LOSS } from "../../../src/nn/loss.ts";
import { createPlan, fixedRows, type Precision } from "../../../src/nn/plan.ts";
import { openSession } from "../../../src/training/session.ts";
import { type ForwardJob, operandsOf, operandValues, type ProductJob, type StepJob, tokenIds } from "./job.ts";
import { serve, type Task } from "./serve.ts";

await serve(async () => {
  const backend = Deno.args[0] === "dawn" ? "dawn" : "deno";
  const gpu = await openGpu({ backend });

  async function product(job: ProductJob): Promise<Task> {
    const { a, b, m, n } = operandsOf(job);
    const [left, right, c] = [
      await createTensor(gpu, "a", a),
      await createTensor(gpu, "b", b),
      await createTensor(gpu, "c", [m, n]),
    ];
    writeTensor(gpu, left, operandValues("a", a));
    writeTensor(gpu, right, operandValues("b", b));
    const plan = createPlan(gpu, job.operation);
    const { rows: count, inFeatures, outFeatures } = job;
    const sizes = { rows: fixedRows(gpu, "rows", count), inFeatures, outFeatures };
    switch (job.operation) {
      case "y = x·Wᵀ":
        linearForward(plan, { x: left, weight: right, y: c }, sizes);
        break;
      case "dX = dY·W":
        linearBackwardInput(plan, { dy: left, weight: right, dx: c }, { ...sizes, accumulate: false });
        break;
      case "dW = dYᵀ·X":
        linearBackwardWeight(plan, { dy: left, x: right, dWeight: c }, sizes);
    }
    const { executables: [executable], memory } = await preparePrograms(gpu, job.operation, [plan]);
    const batch = { tokens: count, sequences: 1, longest: count, uniqueIds: 1 };
    const run = async (times: number) => {
      for (let i = 0; i < times; i++) executable.run(batch);
      await gpu.device.queue.onSubmittedWorkDone();
      gpu.check();
    };
    return {
      run,
      onDevice: backend === "deno" ? undefined : async (times) => {
        let nanoseconds = 0;
        for (let i = 0; i < times; i++) {
          for (const part of await executable.profile(batch)) nanoseconds += part.nanoseconds;
        }
        return nanoseconds / 1e6;
      },
      async result() {
        writeTensor(gpu, c, new Float32Array(m * n)); // gradients of weights are added up
        await run(1);
        return await readTensor(gpu, c);
      },
      release() {
        memory.release();
        for (const { buffer } of [left, right, c]) buffer!.destroy();
      },
    };
  }

  async function forward(job: ForwardJob): Promise<Task> {
    const { folder, batchSize, maxLength } = job;
    const config = await readModelConfig(folder);
    const capacity = { tokens: batchSize * maxLength, sequences: batchSize, longest: maxLength };
    const session = await openSession(gpu, config, { inference: capacity });
    await loadWeights(session.parameters, config, folder);
    const ids = tokenIds(job);
    const sequences = Array.from({ length: batchSize }, (_, i) => ({
      ids: ids.slice(i * maxLength, (i + 1) * maxLength),
      typeIds: new Uint8Array(maxLength),
    }));
    const batch = packBatch(sequences, sequences.map((_, i) => i));
    const score = (times: number) => session.score(Array.from({ length: times }, () => batch));
    return { run: score, result: async () => (await score(1)).flatMap((row) => [...row]), release: session.release };
  }

  async function step(job: StepJob): Promise<Task> {
    const { architecture, batchSize, maxLength, lengths } = job;
    const config = configFromArchitecture(architecture, { numLabels: 2, classifierHead: "pooler_linear" });
    const precision = job.precision as Precision;
    if (lengths) return await packedStep(job, config, precision, lengths);
    const sizes = { batchSize, maxLength, lossKind: "cross_entropy", precision } as const;
    const { run, bytes, release } = await openSteps(gpu, config, sizes);
    return { run, peakBytes: bytes, release };
  }

  async function packedStep(
    job: StepJob,
    config: ModelConfig,
    precision: Precision,
    lengths: readonly number[],
  ): Promise<Task> {
    const { maxLength } = job;
    const tokens = lengths.reduce((sum, length) => sum + length, 0);
    const session = await openSession(gpu, config, {
      inference: { tokens: maxLength, sequences: 1, longest: maxLength },
      training: {
        capacity: { tokens, sequences: lengths.length, longest: maxLength },
        ...{ lossKind: "cross_entropy", freezeEncoder: false },
      },
      precision,
    });
    initialiseWeights(session.parameters, config, 1);
    const step = session.step!;
    const dropout = { hidden: 0.1, attention: 0.1, pooler: 0, classifier: 0.1 };
    step.start({ seed: 1, dropout, loss: PLAIN_LOSS, weightDecay: 0.01, layerDecay: 1, maxGradNorm: 1 });
    const ids = tokenIds(job);
    const sequences = lengths.map((length, i) => ({
      ids: ids.slice(i * maxLength, i * maxLength + length),
      typeIds: new Uint8Array(length),
    }));
    const batch = packBatch(sequences, sequences.map((_, i) => i));
    const labels = Uint32Array.from(lengths, (_, i) => i % 2);
    return {
      async run(times) {
        for (let i = 0; i < times; i++) step.step([{ batch, labels }], 1e-5);
        await step.readRecords();
      },
      peakBytes: session.bytes,
      release: session.release,
    };
  }

  return {
    name: backend === "dawn" ? "entail on Dawn" : "entail",
    device: gpu.name,
    prepare: (job) => job.kind === "product" ? product(job) : job.kind === "forward" ? forward(job) : step(job),
  };
});
