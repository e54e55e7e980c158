import assert from "node:assert/strict";
import type { Gpu } from "../../src/gpu/device.ts";
import { allocateMemory, compileProgram, planMemory } from "../../src/gpu/program.ts";
import { createUniform, writeTensor } from "../../src/gpu/tensor.ts";
import { adamw, type AdamWParameters, adamwUniform } from "../../src/nn/adamw.ts";
import { gradNorm, recordStep } from "../../src/nn/grad_norm.ts";
import { createPlan } from "../../src/nn/plan.ts";
import { adamwReference, type AdamWState } from "../../src/bench/reference/adamw.ts";
import { assertClose, randomArray } from "../support/close.ts";
import { download, floatBits, gpuTest, negativeControl, runPlan, uniform, upload } from "../support/gpu.ts";
import fixture from "../fixtures/nn/adamw.json" with { type: "json" };

const DEFAULTS = { beta1: 0.9, beta2: 0.999, eps: 1e-8 };

const pytorch = gpuTest("adamw, gradNorm, recordStep: follow PyTorch's clipped steps", async (gpu) => {
  const count = fixture.values.length;
  const floats = (label: string, data: ArrayLike<number>) => upload(gpu, label, [count], Float32Array.from(data));
  const zeros = new Float32Array(count);
  const tensors = {
    values: await floats("values", fixture.values),
    gradients: await floats("gradients", zeros),
    firstMoment: await floats("first moment", zeros),
    secondMoment: await floats("second moment", zeros),
    norm: await upload(gpu, "norm", [2]),
    parameters: createUniform(gpu, "parameters", 8),
  };
  const slot = createUniform(gpu, "slot", 1);
  const log = await upload(gpu, "log", [fixture.steps.length, 4]);
  const lossSum = await upload(gpu, "loss sum", [1], Float32Array.of(0.25));
  const plan = createPlan(gpu, "adamw test");
  const clipping = uniform(gpu, "max norm", [floatBits(fixture.maxNorm)]);
  gradNorm(plan, { gradientChunks: [tensors.gradients], norm: tensors.norm, parameters: clipping });
  adamw(plan, tensors, { elements: count, decayedElements: fixture.decayedElements });
  recordStep(plan, { lossSum, norm: tensors.norm, optimizer: tensors.parameters, log, slot });
  const memory = await allocateMemory(gpu, "adamw test", planMemory([plan]));
  const executable = await compileProgram(gpu, plan);
  for (const [index, step] of fixture.steps.entries()) {
    const { learningRate } = step;
    writeTensor(gpu, tensors.gradients, Float32Array.from(step.gradients));
    writeTensor(gpu, tensors.parameters, adamwUniform({ ...fixture, learningRate, step: index + 1 }));
    writeTensor(gpu, slot, Uint32Array.of(index));
    executable.run({ tokens: 0, sequences: 0, longest: 0, uniqueIds: 0 });
    for (const name of ["values", "firstMoment", "secondMoment"] as const) {
      assertClose(await download(gpu, tensors[name]), step[name], { atol: 1e-8, rtol: 2e-6 }, `${name} ${index + 1}`);
    }
  }
  memory.release();
  const expected = fixture.steps.flatMap(({ norm, learningRate }) => [0.25, norm, learningRate, 0]);
  assertClose(await download(gpu, log), expected, { atol: 0, rtol: 1e-6 }, "log");
});

async function runStep(gpu: Gpu, count: number, decayedElements: number, parameters: AdamWParameters, zero = false) {
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
  const plan = createPlan(gpu, "adamw test");
  adamw(plan, {
    ...tensors,
    gradients: await upload(gpu, "gradients", [count], gradients),
    norm: await upload(gpu, "norm", [2], Float32Array.of(4, 0.25)),
    parameters: uniform(gpu, "parameters", Array.from(adamwUniform(parameters), floatBits)),
  }, { elements: count, decayedElements });
  await runPlan(gpu, plan);
  const state: AdamWState = {
    values: Float64Array.from(start.values),
    firstMoment: Float64Array.from(start.firstMoment),
    secondMoment: Float64Array.from(start.secondMoment),
  };
  const expected = adamwReference(state, gradients, 0.25, decayedElements, parameters);
  const actual = {
    values: await download(gpu, tensors.values),
    firstMoment: await download(gpu, tensors.firstMoment),
    secondMoment: await download(gpu, tensors.secondMoment),
  };
  return { expected, actual };
}

const sizes = gpuTest("adamw: any size and any border of decay agrees with float64", async (gpu) => {
  const parameters = { ...DEFAULTS, learningRate: 0.01, weightDecay: 0.1, step: 7 };
  for (const [count, decayed] of [[1, 1], [30, 0], [37, 37], [257, 130], [100_003, 64_002]]) {
    const { expected, actual } = await runStep(gpu, count, decayed, parameters);
    for (const name of ["values", "firstMoment", "secondMoment"] as const) {
      assertClose(actual[name], expected[name], { atol: 1e-7, rtol: 3e-6 }, `${name} of ${count}`);
    }
    assert.deepEqual((await runStep(gpu, count, decayed, parameters)).actual, actual);
  }
});

gpuTest("adamw: without gradients only the decay moves anything, even where eps is 0", async (gpu) => {
  const parameters = { ...DEFAULTS, eps: 0, learningRate: 0.01, weightDecay: 0.1, step: 1 };
  const { actual } = await runStep(gpu, 8, 4, parameters, true);
  const start = randomArray(8, 1);
  assertClose(actual.values, start.map((value, i) => i < 4 ? value * 0.999 : value), { atol: 0, rtol: 2e-7 });
  assert.deepEqual([...actual.firstMoment, ...actual.secondMoment], Array(16).fill(0));
});

negativeControl("adamw.wgsl", "(g - m)", "(g + m)", sizes);
negativeControl("adamw.wgsl", "index < vec4(DECAYED)", "index <= vec4(DECAYED)", sizes);
negativeControl("step_log.wgsl", "lossSum[0], norm[0]", "norm[0], lossSum[0]", pytorch);
