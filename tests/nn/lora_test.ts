import { loraBackward, loraForward } from "../../src/nn/lora.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { createPlan } from "../../src/nn/plan.ts";
import { createUniform, writeTensor } from "../../src/gpu/tensor.ts";
import { dropoutWords } from "../../src/nn/dropout.ts";
import { assertClose, randomArray } from "../support/close.ts";
import { dropoutFactors } from "../support/dropout.ts";
import { download, gpuTest, negativeControl, runPlan, testRows, upload } from "../support/gpu.ts";

interface Case {
  rows: number;
  inFeatures: number;
  outFeatures: number;
  rank: number;
  rate: number;
  scale: number;
}

const CASES: Case[] = [
  { rows: 5, inFeatures: 30, outFeatures: 37, rank: 3, rate: 0.3, scale: 1.5 },
  { rows: 1, inFeatures: 7, outFeatures: 2, rank: 1, rate: 0, scale: 0.25 },
  { rows: 130, inFeatures: 64, outFeatures: 64, rank: 8, rate: 0.1, scale: 2 },
];
const [SITE, STEP] = [70001, 3];

/** C [m, n] = Σ over k of a(m, k)·b(k, n), in float64. */
const times = (m: number, n: number, k: number, a: (m: number, k: number) => number, b: typeof a): Float64Array =>
  Float64Array.from({ length: m * n }, (_, at) => {
    let sum = 0;
    for (let l = 0; l < k; l++) sum += a(Math.floor(at / n), l) * b(l, at % n);
    return sum;
  });

const close = gpuTest("loraForward, loraBackward: float64's, each case with masks of its own", async (gpu) => {
  for (const [seed, each] of CASES.entries()) await check(gpu, each, 10 * seed);
});

async function check(gpu: Gpu, { rate, scale, ...sizes }: Case, seed: number): Promise<void> {
  const { rows: m, inFeatures: n, outFeatures: o, rank: r } = sizes;
  const [x, a, b, dy] = [[m, n], [r, n], [o, r], [m, o]].map(([p, q], i) => randomArray(p * q, seed + i));
  const before = { y: randomArray(m * o, seed + 4), dx: randomArray(m * n, seed + 5), g: randomArray(o * n, seed + 6) };
  const mask = dropoutFactors({ rate, key: [9, 0], step: STEP, site: SITE }, m, n);
  const dropped = x.map((value, i) => value * mask[i]);
  const u = times(m, r, n, (i, l) => dropped[i * n + l], (l, j) => a[j * n + l]);
  const du = times(m, r, o, (i, l) => scale * dy[i * o + l], (l, j) => b[l * r + j]);
  const expected = {
    y: times(m, o, r, (i, l) => scale * u[i * r + l], (l, j) => b[j * r + l]).map((value, i) => value + before.y[i]),
    dx: times(m, n, r, (i, l) => du[i * r + l], (l, j) => a[l * n + j])
      .map((value, i) => value * mask[i] + before.dx[i]),
    dA: times(r, n, m, (i, l) => du[l * r + i], (l, j) => dropped[l * n + j]).map((value, i) => value + before.g[i]),
    dB: times(o, r, m, (i, l) => scale * dy[l * o + i], (l, j) => u[l * r + j]).map((value, i) => value + before.g[i]),
  };

  const factor = createUniform(gpu, "adapter", 8);
  writeTensor(gpu, factor, dropoutWords({ seed: 9, step: STEP, rate, scale }));
  const tensors = {
    x: await upload(gpu, "x", [m, n], x),
    a: await upload(gpu, "a", [r, n], a),
    b: await upload(gpu, "b", [o, r], b),
    factor,
  };
  const out = {
    y: await upload(gpu, "y", [m, o], before.y),
    dx: await upload(gpu, "dx", [m, n], before.dx),
    dA: await upload(gpu, "dA", [r, n], before.g.subarray(0, r * n)),
    dB: await upload(gpu, "dB", [o, r], before.g.subarray(0, o * r)),
  };
  const plan = createPlan(gpu, "lora test");
  const options = { ...sizes, rows: testRows(gpu, m), site: SITE, label: "adapter" };
  loraForward(plan, { ...tensors, y: out.y }, options);
  const { y: _, ...gradients } = out;
  loraBackward(plan, { ...tensors, ...gradients, dy: await upload(gpu, "dy", [m, o], dy) }, options);
  await runPlan(gpu, plan, { tokens: m });
  for (const [name, tensor] of Object.entries(out)) {
    assertClose(await download(gpu, tensor), expected[name as keyof typeof expected], { atol: 5e-5, rtol: 2e-5 }, name);
  }
}

negativeControl("lib/dropout.wgsl", "return vec4(d.scale);", "return vec4(1.0);", close);
