import assert from "node:assert/strict";
import type { Gpu } from "../../src/gpu/device.ts";
import { type DType, type HalfType, narrow, widen } from "../../src/gpu/dtype.ts";
import { allocateMemory, compileProgram, planMemory } from "../../src/gpu/program.ts";
import { createUniform, type Tensor, writeTensor } from "../../src/gpu/tensor.ts";
import { adamw, type AdamWParameters, adamwUniform } from "../../src/nn/adamw.ts";
import { gradNorm, LOG_WORDS, recordStep } from "../../src/nn/grad_norm.ts";
import { createPlan } from "../../src/nn/plan.ts";
import { biasCorrections, createUpdateTensors, initialScaler, writeScaler } from "../../src/nn/scaler.ts";
import { adamwReference, type AdamWState } from "../../src/bench/reference/adamw.ts";
import { assertClose, randomArray } from "../support/close.ts";
import { download, floatBits, gpuTest, negativeControl, runPlan, uniform, upload } from "../support/gpu.ts";
import fixture from "../fixtures/nn/adamw.json" with { type: "json" };

const BETAS = [0.9, 0.999] as const;
const PARAMETERS = { beta1: BETAS[0], beta2: BETAS[1], eps: 1e-8, learningRate: 0.01, weightDecay: 0.1 };
const NAMES = ["values", "firstMoment", "secondMoment"] as const;

/** Where the fixture's elements stand in a chunk: its decayed part and the rest fill whole quads. */
const PLACES = fixture.values.map((_, i) => i < fixture.decayedElements ? i : i - fixture.decayedElements + 12);

const pytorch = gpuTest("adamw, gradNorm, recordStep: follow PyTorch's clipped steps", async (gpu) => {
  const placed = (data: ArrayLike<number>) => {
    const chunk = new Float32Array(24);
    PLACES.forEach((place, i) => chunk[place] = data[i]);
    return chunk;
  };
  const tensors = {
    values: await upload(gpu, "values", [24], placed(fixture.values)),
    gradients: await upload(gpu, "gradients", [24]),
    firstMoment: await upload(gpu, "first moment", [24], new Float32Array(24)),
    secondMoment: await upload(gpu, "second moment", [24], new Float32Array(24)),
  };
  const state = await createUpdateTensors(gpu, [fixture.beta1, fixture.beta2]);
  writeScaler(gpu, state.scaler, initialScaler("fp32"));
  const optimizer = createUniform(gpu, "optimizer", 8);
  const slot = createUniform(gpu, "slot", 1);
  const log = await upload(gpu, "log", [fixture.steps.length, LOG_WORDS]);
  const lossSum = await upload(gpu, "loss sum", [1], Float32Array.of(0.25));
  const plan = createPlan(gpu, "adamw test");
  const maxNorm = uniform(gpu, "max norm", [floatBits(fixture.maxNorm)]);
  gradNorm(plan, { ...state, gradientChunks: [tensors.gradients], maxNorm });
  adamw(plan, { ...tensors, update: state.update, optimizer }, { elements: 24, decayedElements: 12 });
  recordStep(plan, { lossSum, update: state.update, optimizer, log, slot });
  const memory = await allocateMemory(gpu, "adamw test", planMemory([plan]));
  const executable = await compileProgram(gpu, plan);
  for (const [index, step] of fixture.steps.entries()) {
    const { learningRate } = step;
    writeTensor(gpu, tensors.gradients, placed(step.gradients));
    writeTensor(gpu, optimizer, adamwUniform({ ...fixture, learningRate }));
    writeTensor(gpu, slot, Uint32Array.of(index));
    executable.run({ tokens: 0, sequences: 0, longest: 0, uniqueIds: 0 });
    for (const name of NAMES) {
      const chunk = await download(gpu, tensors[name]);
      assertClose(PLACES.map((place) => chunk[place]), step[name], { atol: 1e-8, rtol: 2e-6 }, `${name} ${index + 1}`);
    }
  }
  memory.release();
  const expected = fixture.steps.flatMap(({ norm, learningRate }) => [0.25, norm, learningRate, 1, 0]);
  assertClose(await download(gpu, log), expected, { atol: 0, rtol: 1e-6 }, "log");
});

interface Case {
  count: number;
  decayed: number;
  parameters?: AdamWParameters;
  /** Nothing has flowed yet. */
  zero?: boolean;
  dtype?: DType;
  skipped?: boolean;
  step?: number;
}

async function runStep(gpu: Gpu, { count, decayed, parameters = PARAMETERS, zero, dtype, skipped, step = 7 }: Case) {
  const data = (seed: number) => zero ? new Float32Array(count) : randomArray(count, seed);
  const start = {
    values: randomArray(count, 1),
    firstMoment: data(2),
    secondMoment: data(3).map((value) => value * value),
  };
  const gradients = data(4);
  const tensors = {
    values: await upload(gpu, "values", [count], start.values),
    firstMoment: await upload(gpu, "first moment", [count], start.firstMoment),
    secondMoment: await upload(gpu, "second moment", [count], start.secondMoment),
  };
  const compute: Tensor | undefined = dtype && await upload(gpu, "compute", [count], undefined, dtype);
  const corrections = biasCorrections(BETAS).subarray(2 * (step - 1), 2 * step);
  const plan = createPlan(gpu, "adamw test");
  adamw(plan, {
    ...tensors,
    compute,
    gradients: await upload(gpu, "gradients", [count], gradients),
    update: await upload(gpu, "update", [6], Float32Array.of(4, 0.25, ...corrections, 1, skipped ? 1 : 0)),
    optimizer: uniform(gpu, "optimizer", Array.from(adamwUniform(parameters), floatBits)),
  }, { elements: count, decayedElements: decayed });
  await runPlan(gpu, plan);
  const state: AdamWState = {
    values: Float64Array.from(start.values),
    firstMoment: Float64Array.from(start.firstMoment),
    secondMoment: Float64Array.from(start.secondMoment),
  };
  const expected = adamwReference(state, gradients, 0.25, decayed, { ...parameters, step });
  const actual = {
    values: await download(gpu, tensors.values),
    firstMoment: await download(gpu, tensors.firstMoment),
    secondMoment: await download(gpu, tensors.secondMoment),
  };
  return { start, expected, actual, compute: compute && await download(gpu, compute) };
}

const sizes = gpuTest("adamw: any size and any border of decay agrees with float64", async (gpu) => {
  for (const [count, decayed, step] of [[4, 4, 1], [32, 0, 3], [36, 36, 7], [260, 132, 100], [100_004, 64_004, 7]]) {
    const { expected, actual } = await runStep(gpu, { count, decayed, step });
    for (const name of NAMES) {
      assertClose(actual[name], expected[name], { atol: 1e-7, rtol: 3e-6 }, `${name} of ${count}`);
    }
    assert.deepEqual((await runStep(gpu, { count, decayed, step })).actual, actual);
  }
});

const halves = gpuTest("adamw: the half copy has the bits that the host rounds the values to", async (gpu) => {
  for (const dtype of ["f16", "bf16"] as HalfType[]) {
    const { actual, compute } = await runStep(gpu, { count: 1000, decayed: 500, dtype });
    assert.deepEqual(compute, widen(narrow(actual.values, dtype), dtype), dtype);
    assert.notDeepEqual(compute, actual.values);
  }
});

const skips = gpuTest("adamw: a skipped step changes no value, no moment and no half copy", async (gpu) => {
  const { start, actual, compute } = await runStep(gpu, { count: 260, decayed: 132, dtype: "f16", skipped: true });
  assert.deepEqual(actual, start);
  assert.equal(new Set(compute).size, 1, "only the canary");
});

gpuTest("adamw: without gradients only the decay moves anything, even where eps is 0", async (gpu) => {
  const { actual } = await runStep(gpu, {
    count: 8,
    decayed: 4,
    parameters: { ...PARAMETERS, eps: 0 },
    step: 1,
    zero: true,
  });
  const start = randomArray(8, 1);
  assertClose(actual.values, start.map((value, i) => i < 4 ? value * 0.999 : value), { atol: 0, rtol: 2e-7 });
  assert.deepEqual([...actual.firstMoment, ...actual.secondMoment], Array(16).fill(0));
});

Deno.test("biasCorrections: in double precision, until both are 1", () => {
  const factors = biasCorrections(BETAS);
  const count = factors.length / 2;
  assert.deepEqual([...factors.subarray(-2)], [1, 1]);
  assert.notDeepEqual([...factors.subarray(-4, -2)], [1, 1]);
  for (const t of [1, 2, 10, 1000, count]) {
    const pair = [1 / (1 - 0.9 ** t), Math.sqrt(1 - 0.999 ** t)].map(Math.fround);
    assert.deepEqual([...factors.subarray(2 * t - 2, 2 * t)], pair, `${t}`);
  }
});

negativeControl("adamw.wgsl", "(g - m)", "(g + m)", sizes);
negativeControl("adamw.wgsl", "at < DECAYED", "at <= DECAYED", sizes);
negativeControl("adamw.wgsl", "store_compute(at, 0u, p)", "store_compute(at, 0u, decayed)", halves);
negativeControl("adamw.wgsl", "|| update.skipped != 0u", "", skips);
negativeControl("step_log.wgsl", "lossSum[0], update.norm", "update.norm, lossSum[0]", pytorch);
