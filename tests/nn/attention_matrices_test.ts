/** Attention on tensor cores: emulated, or real where the adapter has them. */
import assert from "node:assert/strict";
import { attentionBackwardReference } from "../../src/bench/reference/attention.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { withMatrices } from "../../src/gpu/emulation.ts";
import { relativeIndexTable } from "../../src/nn/relative_position.ts";
import {
  type AttentionExample,
  checkAgainstReference,
  randomInputs,
  roundedInputs,
  runAttention,
} from "../support/attention.ts";
import { assertClose } from "../support/close.ts";
import { gpuTest, negativeControl } from "../support/gpu.ts";

const DROPOUT = { rate: 0.1, key: [7, 9] as [number, number], step: 3, site: 5 };
const index = relativeIndexTable(80, { bucketSize: 8, maxRelativePositions: 32 });
const base = { heads: 1, headSize: 16, lengths: [33, 7, 20], longest: 80, relativeIndex: index, dropout: DROPOUT };
const tables = { rows: 16 };

type Shape = [m: number, n: number, k: number, subgroup: number];
const by = (gpu: Gpu, [m, n, k, subgroup]: Shape) => withMatrices(gpu, { m, n, k, subgroup });

// Shapes that adapters have. Compiling the emulation takes a third of a second for every product of two matrices.
const EXAMPLES: [Shape, string, AttentionExample][] = [
  // As in DeBERTa-v3-base: heads of 64, up to 512 tokens, logarithmic buckets.
  [[16, 16, 16, 32], "matrices 64x32", {
    shape: {
      ...base,
      headSize: 64,
      lengths: [512, 77, 3, 33],
      longest: 512,
      relativeIndex: relativeIndexTable(512, { bucketSize: 32, maxRelativePositions: 512 }),
    },
    tables: { rows: 64 },
    seeds: [11],
  }],
  [[8, 8, 8, 8], "matrices 16x16", { shape: { ...base, heads: 3, headSize: 8, lengths: [40, 3, 17] }, tables: {} }],
  [[16, 8, 16, 16], "matrices 16x16", { shape: base, tables: {} }],
  [[16, 8, 8, 64], "matrices 64x32", { shape: { ...base, headSize: 8, lengths: [77, 3, 64] }, tables: {} }],
];

for (const [shape, variant, example] of EXAMPLES) {
  const { headSize, lengths } = example.shape;
  gpuTest(
    `attention: ${variant} of ${shape.slice(0, 3).join("×")} by ${
      shape[3]
    } agrees with float64, head size ${headSize}, lengths ${lengths}`,
    (gpu) => checkAgainstReference(by(gpu, shape), example, variant, "fp16"),
  );
}

/** What compiles fastest. */
const QUICK: Shape = [16, 16, 16, 32];
const quick = { variant: "matrices 16x16", precision: "fp16" } as const;

/** All heads at once, two at a time, and chunks of the tokens of one head: the same bits. */
async function checkCuts(gpu: Gpu) {
  const shape = { ...base, heads: 3, lengths: [33, 7, 20, 40, 1, 12, 39, 40, 5] };
  const x = roundedInputs(randomInputs(shape, 5, tables), "f16");
  const whole = await runAttention(by(gpu, QUICK), shape, x, quick);
  const bytesOfHead = 197 * (2 * 2 * 80 + 3 * 4 * tables.rows);
  // Two chunks whose sequences have room for 159 tokens.
  const bytesOfChunk = 159 * (2 + 4) * 80;
  for (const workspaceBytes of [undefined, 2 * bytesOfHead, bytesOfChunk]) {
    const limits = workspaceBytes && { workspaceBytes };
    const again = await runAttention(by(gpu, QUICK), shape, x, { ...quick, ...limits });
    for (const [name, values] of Object.entries(whole)) {
      assert.deepEqual(again[name], values, `${JSON.stringify(limits)}: ${name}`);
    }
  }
}

gpuTest("attention: matrices give the same bits again, and in groups of heads and chunks of tokens", checkCuts);

async function checkSmallGradients(gpu: Gpu) {
  const x = randomInputs(base, 5, tables);
  const inputs = roundedInputs({ ...x, dContext: x.dContext.map((value) => value / 1000) }, "f16");
  const actual = await runAttention(by(gpu, QUICK), base, inputs, quick);
  const expected = attentionBackwardReference(base, inputs, inputs.dContext);
  for (const name of ["dQuery", "dKey", "dPositionKey", "dPositionQuery"] as const) {
    // Rounded twice in steps of at least 2^-24, beside what rounded dScores and the rounded context make of it.
    const size = Math.max(...expected[name]!.map(Math.abs));
    assertClose(actual[name], expected[name]!, { atol: 1.5 * 2 ** -24 + 2 ** -11 * size, rtol: 2 ** -10 }, name);
  }
}

gpuTest(
  "attention: by matrices, small gradients of the context give gradients as good as they are",
  checkSmallGradients,
);

gpuTest("attention: matrices are finite at scores of 1e5, where the highest rises from tile to tile", async (gpu) => {
  const inputs = roundedInputs(randomInputs(base, 14, { ...tables, scale: 600 }), "f16");
  const wild = await runAttention(by(gpu, QUICK), base, inputs, quick);
  for (const [output, values] of Object.entries(wild)) assert.ok(values.every(Number.isFinite), output);
});

const check = (gpu: Gpu) => checkAgainstReference(by(gpu, QUICK), { shape: base, tables }, quick.variant, "fp16");
negativeControl("attention_units.wgsl", "clamp(267 - exponent, 1, 253)", "127", checkSmallGradients);
negativeControl("attention_matrices.wgsl", "softmax${H}.sum *=", "softmax${H}.sum /=", check);
negativeControl("lib/attention_next_pairs.wgsl", "query / 8u", "0u", check);
