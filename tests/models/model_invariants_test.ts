/** What must hold for a whole model beyond agreement: variants, precisions, packing, shards, a frozen encoder. */
import assert from "node:assert/strict";
import { packBatch } from "../../src/dataset/batches.ts";
import { loadWeights } from "../../src/models/checkpoint.ts";
import { createEncoder, modelBackward, modelForward } from "../../src/models/model.ts";
import { initialValues } from "../../src/models/initialise.ts";
import { modelParameters } from "../../src/models/parameters.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { allocateMemory, compileProgram, planMemory } from "../../src/gpu/program.ts";
import { createTensor, readTensor, writeTensor } from "../../src/gpu/tensor.ts";
import { createDeviceBatch } from "../../src/nn/batch.ts";
import { LOSS_WORDS, lossForwardBackward, lossUniform } from "../../src/nn/loss.ts";
import { createParameterStore } from "../../src/nn/parameters.ts";
import { createPlan, type Precision, storageOf } from "../../src/nn/plan.ts";
import { createUpdateTensors, initialScaler, writeScaler } from "../../src/nn/scaler.ts";
import { assertClose } from "../support/close.ts";
import { loadModelFixture, lossOf, type ModelFixture } from "../support/deberta_fixture.ts";
import { dropoutUniform, gpuTest, matrixTest, uniform } from "../support/gpu.ts";
import { UNIT_ROUNDOFF } from "../support/half.ts";

interface Outcome {
  logits: Float32Array;
  /** Of every trainable parameter. */
  gradients: Map<string, Float32Array>;
  /** Of the kernels. */
  variants: Set<string>;
}

/** One forward and backward pass over some sequences of a fixture, with room to spare in every buffer. */
async function runModel(
  gpu: Gpu,
  fixture: ModelFixture,
  indices: number[],
  options: { precision?: Precision; initialiseFrom?: number; maxChunkBytes?: number; freezeBackbone?: boolean } = {},
): Promise<Outcome> {
  const { config, folder } = fixture;
  const { precision = "fp32", initialiseFrom, maxChunkBytes, freezeBackbone = false } = options;
  const specs = modelParameters(config, { freezeBackbone });
  const parameters = await createParameterStore(gpu, specs, { moments: true, precision, maxChunkBytes });
  if (initialiseFrom === undefined) assert.deepEqual(await loadWeights(parameters, config, folder), []);
  else for (const spec of specs) parameters.upload(spec.name, "value", initialValues(spec, config, initialiseFrom));
  const pairs = fixture.sequences.map((ids, i) => ({
    ids: Uint32Array.from(ids),
    typeIds: Uint8Array.from(fixture.typeIds[i]),
  }));
  const packed = packBatch(pairs, indices);
  const capacity = { tokens: packed.tokens + 5, sequences: indices.length + 2, longest: packed.maxLength + 3 };
  const batch = await createDeviceBatch(gpu, capacity);
  const encoder = await createEncoder(gpu, config, capacity.longest);

  const plan = createPlan(gpu, "model", { precision });
  const none = dropoutUniform(gpu, 0);
  const dropout = { hidden: none, attention: none, pooler: none, classifier: none };
  const scope = { plan, config, parameters, batch, dropout };
  const pass = modelForward(scope, encoder);
  const { logits } = pass;
  const result = plan.result("logits", logits.shape);
  plan.copy(logits, result);
  const dLogits = plan.transient("d logits", logits.shape);
  const { scaler } = await createUpdateTensors(gpu, [0.9, 0.999]);
  const lossScale = precision === "fp16" ? 1024 : 1;
  writeScaler(gpu, scaler, { ...initialScaler(precision), scale: lossScale });
  const lossSum = await createTensor(gpu, "loss", [1]);
  const lossParameters = uniform(gpu, "loss", Array(LOSS_WORDS).fill(0));
  writeTensor(
    gpu,
    lossParameters,
    lossUniform({ scale: 1 / indices.length, ...lossOf(fixture).weights }),
  );
  const { labels, groups, teacher } = batch;
  const read = { logits, labels, groups, teacher, scaler };
  lossForwardBackward(plan, { ...read, parameters: lossParameters, dLogits, lossSum }, {
    sequences: batch.sequences,
    numLabels: config.labels.length as 1 | 2,
    kind: lossOf(fixture).kind,
  });
  modelBackward(scope, dLogits, pass, { frozenEncoder: freezeBackbone });

  const memory = await allocateMemory(gpu, "model", planMemory([plan]));
  const executable = await compileProgram(gpu, plan);
  executable.run(batch.write(packed, Uint32Array.from(indices, (index) => fixture.labels[index])));
  const gradients = new Map<string, Float32Array>();
  const variants = new Set([...plan.choices.values()].map(({ variant }) => variant));
  const logitsOfAll = await readTensor(gpu, result, 0, indices.length * config.labels.length);
  for (const { name, trainable } of specs) {
    if (trainable) gradients.set(name, (await parameters.read(name, "gradient")).map((value) => value / lossScale));
  }
  memory.release();
  batch.release();
  parameters.release();
  gpu.check();
  return { logits: logitsOfAll, gradients, variants };
}

function checkGradients(gradients: ReadonlyMap<string, Float32Array>, fixture: ModelFixture): void {
  for (const [name, gradient] of gradients) {
    const { data } = fixture.expected.get(`gradient.${name}`)!;
    assertClose(gradient, data, { atol: 2e-6 * fixture.gradNorm, rtol: 1e-3 }, `gradient of ${name}`);
  }
}

gpuTest("modelForward, modelBackward: the variants for hardware compute the same", async (gpu) => {
  const fixture = await loadModelFixture("shared_buckets");
  const { logits, gradients } = await runModel({ ...gpu, kind: "hardware" }, fixture, fixture.batch);
  assertClose(logits, fixture.expected.get("logits")!.data, { atol: 2e-5, rtol: 2e-5 }, "logits");
  assert.equal(gradients.size, modelParameters(fixture.config).length);
  checkGradients(gradients, fixture);
});

gpuTest("modelForward: a sequence's logits are the same bits whatever else is in the batch", async (gpu) => {
  const fixture = await loadModelFixture("shared_buckets");
  for (const kind of ["software", "hardware"] as const) {
    const together = await runModel({ ...gpu, kind }, fixture, [4, 2, 6, 0]);
    const alone = await runModel({ ...gpu, kind }, fixture, [6]);
    assert.deepEqual(alone.logits, together.logits.slice(4, 6));
  }
});

gpuTest(
  "modelForward, modelBackward: word embeddings in shards, and any other run, give the same bits",
  async (gpu) => {
    const fixture = await loadModelFixture("shared_buckets");
    const whole = await runModel(gpu, fixture, fixture.batch);
    // The table of 97 rows has 11,640 bytes: three shards.
    assert.deepEqual(await runModel(gpu, fixture, fixture.batch, { maxChunkBytes: 5120 }), whole);
  },
);

gpuTest("modelBackward: with a frozen encoder only the head has gradients, the same ones", async (gpu) => {
  const fixture = await loadModelFixture("shared_buckets");
  const { gradients } = await runModel(gpu, fixture, fixture.batch, { freezeBackbone: true });
  const head = ["pooler.dense.weight", "pooler.dense.bias", "classifier.weight", "classifier.bias"];
  assert.deepEqual([...gradients.keys()], head);
  checkGradients(gradients, fixture);
});

gpuTest("modelForward, modelBackward: the variants for hardware compute every family alike", async (gpu) => {
  for (const name of ["convolution", "narrow_embeddings", "roberta"] as const) {
    const fixture = await loadModelFixture(name);
    const { logits, gradients } = await runModel({ ...gpu, kind: "hardware" }, fixture, fixture.batch);
    assertClose(logits, fixture.expected.get("logits")!.data, { atol: 2e-5, rtol: 2e-5 }, `logits of ${name}`);
    const kept = [...gradients].filter(([parameter]) => !fixture.zeroGradients.includes(parameter));
    checkGradients(new Map(kept), fixture);
  }
});

gpuTest("modelBackward: BERT's pooler belongs to its backbone, as base_model in transformers", async (gpu) => {
  const fixture = await loadModelFixture("bert");
  const { gradients } = await runModel(gpu, fixture, fixture.batch, { freezeBackbone: true });
  assert.deepEqual([...gradients.keys()], ["classifier.weight", "classifier.bias"]);
  checkGradients(gradients, fixture);
});

/** |actual − expected| / |expected|, of all elements together. */
function distance(actual: Iterable<Float32Array>, expected: Iterable<Float32Array>): number {
  const [a, b] = [actual, expected].map((arrays) => [...arrays].flatMap((array) => [...array]));
  return Math.hypot(...a.map((value, i) => value - b[i])) / Math.hypot(...b);
}

/** The variants in use. Fails where fp16's and bf16's logits and gradients are farther from fp32's than so many roundings. */
async function checkHalf(
  gpu: Gpu,
  fixture: ModelFixture,
  { precisions = ["fp16", "bf16"], ...options }: { precisions?: Precision[]; initialiseFrom?: number } = {},
): Promise<Set<string>> {
  const full = await runModel(gpu, fixture, fixture.batch, options);
  const variants = new Set<string>();
  for (const precision of precisions) {
    const unit = UNIT_ROUNDOFF[storageOf(precision, 4)];
    const half = await runModel(gpu, fixture, fixture.batch, { ...options, precision });
    half.variants.forEach((name) => variants.add(name));
    assert.notDeepEqual(half.logits, full.logits);
    const logits = distance([half.logits], [full.logits]) / unit;
    const gradients = distance(half.gradients.values(), full.gradients.values()) / unit;
    assert.ok(logits < 4 && gradients < 6, `${precision}: off by ${logits} and ${gradients} roundings`);
  }
  return variants;
}

/** A fixture in sizes of which everything may be half. */
async function evenFixture(): Promise<ModelFixture> {
  const fixture = await loadModelFixture("shared_buckets");
  const sizes = { hiddenSize: 32, numAttentionHeads: 4, intermediateSize: 48, initializerRange: 0.2 };
  return { ...fixture, config: { ...fixture.config, ...sizes } };
}

gpuTest("modelForward, modelBackward: half precision is fp32 but for a few roundings", async (gpu) => {
  const even = await evenFixture();
  for (const initialiseFrom of [1, 2, 3]) await checkHalf(gpu, even, { initialiseFrom });
  await checkHalf({ ...gpu, kind: "hardware" }, even, { precisions: ["fp16"], initialiseFrom: 1 });
});

matrixTest("modelForward, modelBackward: half precision is fp32 but for a few roundings", async (gpu) => {
  const even = await evenFixture();
  // Heads of 16, so that attention is by matrices too.
  const whole = { ...even, config: { ...even.config, numAttentionHeads: 2 } };
  const variants = await checkHalf(gpu, whole, { precisions: ["fp16"], initialiseFrom: 1 });
  assert.ok([...variants].some((name) => name.startsWith("matrices")), [...variants].join());
});

gpuTest("modelForward, modelBackward: half precision in every family", async (gpu) => {
  const sizes = { hiddenSize: 32, numAttentionHeads: 4, intermediateSize: 48, initializerRange: 0.2 };
  for (const [name, own] of [["roberta", {}], ["narrow_embeddings", { embeddingSize: 12, convGroups: 2 }]] as const) {
    const fixture = await loadModelFixture(name);
    await checkHalf(gpu, { ...fixture, config: { ...fixture.config, ...sizes, ...own } }, { initialiseFrom: 1 });
  }
});

gpuTest(
  "modelForward, modelBackward: half precision where rows or heads are no whole quads, and f32 takes over",
  async (gpu) => {
    await checkHalf(gpu, await loadModelFixture("separate_c2p"));
    const deeper = await loadModelFixture("separate_p2c");
    // With max pooling, rounding may make another token the largest, to which all of a column's gradient goes.
    await checkHalf(gpu, { ...deeper, config: { ...deeper.config, classifierHead: "mean_pooling" } });
  },
);
