import type { Gpu } from "../../src/gpu/device.ts";
import { convolutionBackward, convolutionForward } from "../../src/nn/convolution.ts";
import { createPlan, type Precision, storageOf } from "../../src/nn/plan.ts";
import { centralDifferences, dot } from "../reference/central_differences.ts";
import { convolutionBackwardReference, type ConvolutionInput, convolutionReference } from "../reference/convolution.ts";
import { assertClose, randomArray } from "../support/close.ts";
import { download, gpuTest, negativeControl, runPlan, testRows, upload } from "../support/gpu.ts";
import { rounded, UNIT_ROUNDOFF } from "../support/half.ts";

interface Case {
  lengths: number[];
  channels: number;
  size: number;
  groups: number;
  seed: number;
  precision?: Precision;
}

/** Sequences shorter than the taps among them, odd widths, one tap, groups. */
const CASES: Case[] = [
  { lengths: [5, 1, 2, 9], channels: 6, size: 3, groups: 1, seed: 1 },
  { lengths: [1, 3, 17], channels: 15, size: 5, groups: 3, seed: 2 },
  { lengths: [40], channels: 8, size: 7, groups: 8, seed: 3 },
  { lengths: [2, 7], channels: 5, size: 1, groups: 1, seed: 4 },
];

function inputs({ lengths, channels, size, groups, seed, precision = "fp32" }: Case) {
  const count = lengths.reduce((sum, length) => sum + length, 0) * channels;
  const dtype = storageOf(precision, channels);
  const input: ConvolutionInput = {
    x: rounded(randomArray(count, seed), dtype),
    weight: randomArray(channels * channels / groups * size, seed + 1),
    bias: randomArray(channels, seed + 2),
    lengths,
    channels,
    size,
    groups,
  };
  return { input, dy: rounded(randomArray(count, seed + 3), dtype), dtype };
}

async function run(gpu: Gpu, options: Case) {
  const { lengths, channels, size, groups, precision } = options;
  const { input, dy, dtype } = inputs(options);
  const tokens = input.x.length / channels;
  const offsets = lengths.reduce((ends, length) => [...ends, ends.at(-1)! + length], [0]);
  const sequenceOf = lengths.flatMap((length, i) => Array(length).fill(i));
  const plan = createPlan(gpu, "convolution test", { precision });
  const matrix = (label: string, data?: ArrayLike<number>) =>
    upload(gpu, label, [tokens, channels], data && Float32Array.from(data), dtype);
  const weightShape = [channels, channels / groups, size];
  const ones = (count: number) => new Float32Array(count).fill(1);
  const out = {
    y: await matrix("y"),
    dx: await matrix("dx", ones(input.x.length)),
    dWeight: await upload(gpu, "dWeight", weightShape, ones(input.weight.length)),
    dBias: await upload(gpu, "dBias", [channels], ones(channels)),
  };
  const sequences = {
    offsets: await upload(gpu, "offsets", [offsets.length], Uint32Array.from(offsets)),
    sequenceOf: await upload(gpu, "sequence of", [tokens], Uint32Array.from(sequenceOf)),
  };
  const sizes = { rows: testRows(gpu, tokens), channels, size, groups };
  const kept = convolutionForward(plan, {
    ...sequences,
    x: await matrix("x", input.x),
    weight: await upload(gpu, "weight", weightShape, Float32Array.from(input.weight)),
    bias: await upload(gpu, "bias", [channels], Float32Array.from(input.bias)),
    y: out.y,
  }, sizes);
  convolutionBackward(plan, { ...sequences, ...kept, ...out, dy: await matrix("dy", dy) }, sizes);
  await runPlan(gpu, plan);
  const result: Record<string, ArrayLike<number>> = {};
  for (const [name, tensor] of Object.entries(out)) result[name] = await download(gpu, tensor);
  return { input, dy, dtype, result };
}

async function check(gpu: Gpu, options: Case) {
  const { input, dy, dtype, result } = await run(gpu, options);
  const unit = UNIT_ROUNDOFF[dtype];
  const near = { atol: 2e-5 + 8 * unit, rtol: 1e-5 + 4 * unit };
  const name = (field: string) => `${field} of ${JSON.stringify(options)}`;
  assertClose(result.y, convolutionReference(input), near, name("y"));
  // Gradients are added to what is there, here ones.
  for (const [field, values] of Object.entries(convolutionBackwardReference(input, dy))) {
    assertClose(result[field], values.map((value) => value + 1), near, name(field));
  }
}

for (const options of CASES) {
  gpuTest(`convolution: ${JSON.stringify(options)}`, (gpu) => check(gpu, options));
}

gpuTest("convolution: stored in half precision", async (gpu) => {
  for (const precision of ["bf16", "fp16"] as const) {
    await check(gpu, { lengths: [5, 1, 9], channels: 8, size: 3, groups: 2, seed: 5, precision });
  }
});

Deno.test("convolutionBackwardReference: the gradient of the forward pass, by central differences", () => {
  const { input, dy } = inputs({ lengths: [4, 1, 3], channels: 6, size: 3, groups: 2, seed: 6 });
  const { dx, dWeight, dBias } = convolutionBackwardReference(input, dy);
  const close = { atol: 1e-8, rtol: 1e-7 };
  assertClose(dx, centralDifferences((x) => dot(dy, convolutionReference({ ...input, x })), input.x), close, "dx");
  const byWeight = centralDifferences((weight) => dot(dy, convolutionReference({ ...input, weight })), input.weight);
  assertClose(dWeight, byWeight, close, "dWeight");
  const byBias = centralDifferences((bias) => dot(dy, convolutionReference({ ...input, bias })), input.bias);
  assertClose(dBias, byBias, close, "dBias");
});

const breaks = (from: string, to: string) =>
  negativeControl("convolution.wgsl", from, to, (gpu) => check(gpu, CASES[1]));
breaks("is_inside(to.row, tap, SIZE / 2u)", "is_inside(to.row, SIZE / 2u, SIZE / 2u)");
breaks("is_inside(to.row, SIZE / 2u, tap)", "is_inside(to.row, SIZE / 2u, SIZE / 2u)");
breaks("load_x(to.row + tap - SIZE / 2u,", "load_x(to.row,");
breaks("row / (rows / GROUPS) * width", "row / (rows / GROUPS) * width * 0u");
