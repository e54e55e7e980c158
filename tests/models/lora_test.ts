/** Adapters against `peft` and PyTorch: logits, every gradient, twenty optimizer steps; their dropout; a base in few bits. */
import assert from "node:assert/strict";
import { packBatch } from "../../src/dataset/batches.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { type Adapter, isLoraParameter } from "../../src/models/adapter.ts";
import { initialValues } from "../../src/models/initialise.ts";
import { loadWeights } from "../../src/models/checkpoint.ts";
import { modelParameters } from "../../src/models/parameters.ts";
import { dropoutSite } from "../../src/models/scope.ts";
import type { Precision } from "../../src/nn/plan.ts";
import { learningRateAt } from "../../src/training/schedule.ts";
import { openSession, planSession, type Session } from "../../src/training/session.ts";
import { countingGpu } from "../../src/gpu/counting.ts";
import { assertClose } from "../support/close.ts";
import {
  type ExpectedTraining,
  type FixtureTensor,
  loadModelFixture,
  lossOf,
  type ModelCase,
  type ModelFixture,
  readTensors,
} from "../support/deberta_fixture.ts";
import { gpuTest } from "../support/gpu.ts";
import { readJson } from "../../src/formats/json.ts";
import { storedName } from "../../src/models/adapter_folder.ts";

const FIXTURES = decodeURIComponent(new URL("../fixtures/lora/", import.meta.url).pathname);

interface LoraFixture extends ModelFixture {
  adapter: Adapter;
  /** What is trained, as it is at first. */
  start: Map<string, FixtureTensor>;
  run: ExpectedTraining;
}

const CASES = { deberta: "shared_buckets", bert: "bert", roberta: "roberta", convolution: "convolution" } as const;

async function loadFixture(name: keyof typeof CASES, changes: Partial<Adapter> = {}): Promise<LoraFixture> {
  const base = await loadModelFixture(CASES[name] as ModelCase);
  const folder = `${FIXTURES}${name}`;
  const settings = await readJson(`${folder}/adapter_config.json`) as Record<string, unknown>;
  const { training, ...scalars } = await readJson(`${folder}/expected.json`) as Record<string, unknown>;
  const adapter: Adapter = {
    rank: settings.r as number,
    alpha: settings.lora_alpha as number,
    dropout: 0,
    targets: (settings.target_modules as string[]).length === 4 ? "qkvd" : "qkv",
    bits: "none",
    save: "merged",
    base: { weights: base.folder, name: base.folder, revision: null },
    ...changes,
  };
  return {
    ...base,
    ...scalars,
    config: { ...base.config, adapter },
    adapter,
    start: await readTensors(`${folder}/adapter_model.safetensors`),
    run: training as ExpectedTraining,
    expected: await readTensors(`${folder}/expected.safetensors`),
  };
}

const pack = ({ sequences, typeIds }: ModelFixture, indices: number[]) =>
  packBatch(sequences.map((ids, i) => ({ ids: Uint32Array.from(ids), typeIds: Uint8Array.from(typeIds[i]) })), indices);

const microBatch = (fixture: ModelFixture, indices: number[]) => ({
  batch: pack(fixture, indices),
  labels: Uint32Array.from(indices, (i) => fixture.labels[i]),
});

/** A session with the fixture's base, adapters and head. */
async function openFixture(gpu: Gpu, fixture: LoraFixture, precision: Precision = "fp32"): Promise<Session> {
  const tokens = fixture.sequences.reduce((sum, ids) => sum + ids.length, 0);
  const longest = Math.max(...fixture.sequences.map((ids) => ids.length));
  const capacity = { tokens, sequences: fixture.sequences.length, longest };
  const session = await openSession(gpu, fixture.config, {
    inference: capacity,
    precision,
    training: { capacity, lossKind: lossOf(fixture).kind, freezeEncoder: false },
  });
  await loadWeights(session.parameters, fixture.config, fixture.folder, 1);
  for (const { name, trainable } of session.parameters.specs) {
    if (trainable) session.parameters.upload(name, "value", fixture.start.get(storedName(name))!.data);
  }
  session.parameters.clearMoments();
  start(session, fixture);
  return session;
}

function start(session: Session, fixture: LoraFixture, options = { weightDecay: 0, maxGradNorm: 0 }): void {
  const { alpha, rank, dropout } = fixture.adapter;
  session.step!.start({
    seed: 1,
    dropout: { hidden: 0, attention: 0, pooler: 0, classifier: 0 },
    adapter: { dropout, scale: alpha / rank },
    loss: lossOf(fixture).weights,
    layerDecay: 1,
    ...options,
  });
}

/** The fixture's twenty steps. */
async function train(session: Session, fixture: LoraFixture) {
  const { run } = fixture;
  start(session, fixture, run);
  const schedule = {
    type: "linear" as const,
    learningRate: run.learningRate,
    warmupRatio: (run.warmupSteps + 0.5) / run.steps.length,
    totalSteps: run.steps.length,
  };
  run.steps.forEach(({ microBatches }, done) =>
    session.step!.step(microBatches.map((indices) => microBatch(fixture, indices)), learningRateAt(schedule, done))
  );
  return await session.step!.readRecords();
}

for (const name of Object.keys(CASES) as (keyof typeof CASES)[]) {
  gpuTest(`lora: logits, gradients and twenty steps of ${name} are those of peft`, async (gpu) => {
    const fixture = await loadFixture(name);
    const session = await openFixture(gpu, fixture);
    const { parameters } = session;
    const logits = (await session.score([pack(fixture, fixture.batch)])).flatMap((row) => [...row]);
    assertClose(logits, fixture.expected.get("logits")!.data, { atol: 2e-5, rtol: 2e-5 }, "logits");

    session.step!.step([microBatch(fixture, fixture.batch)], 0);
    const [record] = await session.step!.readRecords();
    assertClose([record.loss, record.gradNorm], [fixture.lossValue, fixture.gradNorm], { atol: 0, rtol: 1e-4 });
    const trained = parameters.specs.filter(({ trainable }) => trainable).map((spec) => spec.name);
    const gradients = [...fixture.expected.keys()].filter((key) => key.startsWith("gradient."));
    assert.deepEqual(new Set(trained.map((parameter) => `gradient.${parameter}`)), new Set(gradients));
    for (const parameter of trained) {
      const { data } = fixture.expected.get(`gradient.${parameter}`)!;
      const gradient = await parameters.read(parameter, "gradient");
      assertClose(gradient, data, { atol: 1e-4 * Math.hypot(...data), rtol: 1e-3 }, parameter);
    }

    parameters.clearMoments();
    const records = await train(session, fixture);
    for (const key of ["loss", "gradNorm", "learningRate"] as const) {
      const wanted = fixture.run.steps.map((step) => step[key]);
      assertClose(records.map((record) => record[key]), wanted, { atol: 1e-9, rtol: 1e-3 }, key);
    }
    const off = { error: 0, change: 0 };
    for (const parameter of trained) {
      const expected = fixture.expected.get(`trained.${parameter}`)!.data;
      const before = fixture.start.get(storedName(parameter))!.data;
      const actual = await parameters.read(parameter, "value");
      const error = Math.hypot(...actual.map((value, i) => value - expected[i]));
      const change = Math.hypot(...before.map((value, i) => value - expected[i]));
      assert.ok(error <= 1e-2 * change, `${parameter}: off by ${error / change} of its change`);
      off.error += error ** 2;
      off.change += change ** 2;
    }
    assert.ok(Math.sqrt(off.error / off.change) <= 1e-3, `all: off by ${Math.sqrt(off.error / off.change)}`);
    session.release();
  });
}

gpuTest("lora: with dropout the gradients are those of the loss", async (gpu) => {
  const fixture = await loadFixture("deberta", { dropout: 0.3 });
  const session = await openFixture(gpu, fixture);
  const { parameters } = session;
  const adapters = parameters.specs.filter(({ name }) => isLoraParameter(name)).map(({ name }) => name);
  const lossAt = async (values: ReadonlyMap<string, Float32Array>): Promise<number> => {
    for (const [name, data] of values) parameters.upload(name, "value", data);
    start(session, fixture); // the same masks again
    session.step!.step([microBatch(fixture, fixture.batch)], 0);
    return (await session.step!.readRecords())[0].loss;
  };
  const values = new Map<string, Float32Array>();
  for (const name of adapters) values.set(name, await parameters.read(name, "value"));
  const dropped = await lossAt(values);
  assert.ok(Math.abs(dropped - fixture.lossValue) > 1e-3, "nothing was dropped");
  const gradients = new Map<string, Float32Array>();
  for (const name of adapters) gradients.set(name, await parameters.read(name, "gradient"));
  // Along the gradient of each part, in which all masks of a target take part.
  for (const part of ["query_proj", "key_proj", "value_proj", "output.dense"]) {
    const names = adapters.filter((name) => name.includes(part));
    const size = Math.hypot(...names.map((name) => Math.hypot(...gradients.get(name)!)));
    assert.ok(names.length === 4 && size > 1e-2, part);
    const shifted = (step: number) =>
      new Map([...values].map(([name, data]) => [
        name,
        names.includes(name) ? data.map((value, i) => value + step * gradients.get(name)![i] / size) : data,
      ]));
    const step = 0.02;
    const slope = (await lossAt(shifted(step)) - await lossAt(shifted(-step))) / (2 * step);
    assertClose([slope], [size], { atol: 0, rtol: 1e-2 }, part);
  }
  session.release();
});

gpuTest("lora: every input of an adapter has masks of its own, which the backward draws again", async (gpu) => {
  const fixture = await loadFixture("deberta");
  const capacity = { tokens: 80, sequences: 4, longest: 40 };
  const training = { capacity, lossKind: "cross_entropy", freezeEncoder: false } as const;
  const { programs: [, micro] } = await planSession(countingGpu(gpu).gpu, fixture.config, {
    inference: capacity,
    training,
  }, (resource) => resource);
  const sites = micro.commands.flatMap((command) => {
    const label = command.kind === "dispatch" ? command.dispatch.bindings.site?.label : undefined;
    return label !== undefined && Number(label.split(" ").at(-1)) >= dropoutSite.adapter(0, false) ? [label] : [];
  });
  // Of each of two layers: four targets, and the table of positions through two of them.
  assert.equal(new Set(sites).size, 2 * 6);
  for (const [site, uses] of Map.groupBy(sites, (site) => site)) {
    // Forward, its input again, its gradient; that of the table is not asked for.
    assert.ok(uses.length === 3 || uses.length === 2, `${site}: ${uses.length}`);
  }
  assert.equal(sites.length, 2 * (4 * 3 + 2 * 2));
});

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

gpuTest("lora: a base in 8 or 4 bits, or in half precision, keeps the losses of twenty steps", async (gpu) => {
  const lossesOf = async (bits: Adapter["bits"], { precision, isNew }: { precision?: Precision; isNew: boolean }) => {
    const { config, ...fixture } = await loadFixture("roberta", { bits });
    const own = { ...fixture, config: { ...config, initializerRange: 0.1 } };
    const session = await openFixture(gpu, own, precision);
    const { parameters } = session;
    for (const spec of isNew ? parameters.specs : []) {
      parameters.upload(spec.name, "value", initialValues(spec, own.config, 3));
    }
    const losses = (await train(session, own)).map(({ loss }) => loss);
    const held = parameters.bytes;
    session.release();
    return { losses, held };
  };
  for (const isNew of [true, false]) {
    const full = await lossesOf("none", { isNew });
    for (
      const [bits, precision, most] of [["8bit", "fp32", 0.05], ["4bit", "fp32", 0.15], ["none", "bf16", 0.05]] as const
    ) {
      const { losses, held } = await lossesOf(bits, { precision, isNew });
      // A single step of a model whose weights are noise may differ more.
      const off = isNew
        ? Math.max(...losses.map((loss, i) => Math.abs(loss / full.losses[i] - 1)))
        : Math.abs(sum(losses) / sum(full.losses) - 1);
      assert.ok(off > 0 && off < most, `${bits} ${precision} ${isNew}: ${off}`);
      assert.ok(held < full.held, `${held} bytes, ${full.held} in fp32`);
    }
  }
});

Deno.test("modelParameters: with adapters they and the head are trained", async () => {
  const { config } = await loadFixture("bert");
  const specs = modelParameters(config);
  assert.equal(specs.filter(({ name }) => isLoraParameter(name)).length, 2 * 4 * 2);
  const rest = specs.filter(({ name, trainable }) => trainable && !isLoraParameter(name)).map(({ name }) => name);
  const head = ["bert.pooler.dense.weight", "bert.pooler.dense.bias", "classifier.weight", "classifier.bias"];
  assert.deepEqual(rest, head);
});
