import { strict as assert } from "node:assert";
import type { Gpu } from "../../src/gpu/device.ts";
import { relativeIndexTable } from "../../src/nn/relative_position.ts";
import {
  type AttentionArrays,
  attentionBackwardReference,
  attentionForwardReference,
} from "../../src/bench/reference/attention.ts";
import {
  type AttentionExample,
  checkAgainstReference,
  randomInputs,
  roundedInputs,
  runAttention,
} from "../support/attention.ts";
import type { DType } from "../../src/gpu/dtype.ts";
import { ATTENTION } from "../../src/nn/attention_variants.ts";
import { variantsFor } from "../../src/nn/variants.ts";
import { assertClose } from "../support/close.ts";
import { gpuTest, negativeControl, uniform } from "../support/gpu.ts";

const DROPOUT = { rate: 0.1, key: [7, 9] as [number, number], step: 3, site: 5 };
const NO_DROPOUT = { ...DROPOUT, rate: 0 };
const PRECISIONS = ["fp32", "fp16", "bf16"] as const;
const VARIANTS = ["windows", "rows", "tiles 32x32"] as const;
const SUBGROUPS = "tiles 32x32, subgroups";

/** Buckets of 8 whose logarithmic part begins at distance 4, for sequences of at most 40 tokens. */
const logarithmic = relativeIndexTable(40, { bucketSize: 8, maxRelativePositions: 32 });
/** Distances clipped to ±5. */
const linear = relativeIndexTable(40, { bucketSize: -1, maxRelativePositions: 5 });
const longIndex = relativeIndexTable(4096, { bucketSize: 32, maxRelativePositions: 512 });
const UNEVEN = [1, 7, 33];

const base = { heads: 3, headSize: 6, lengths: UNEVEN, longest: 40, relativeIndex: logarithmic, dropout: NO_DROPOUT };

interface Example extends AttentionExample {
  /** Compiling for a software adapter takes seconds: not every example tells something about every variant. */
  variants?: readonly (typeof VARIANTS[number])[];
}

const dropped = { ...base, dropout: DROPOUT };
const EXAMPLES: Record<string, Example> = {
  "one token": { shape: { ...base, lengths: [1] }, tables: { rows: 16 } },
  "log buckets": { shape: base, tables: { rows: 16 }, variants: ["windows", "tiles 32x32"] },
  "log buckets, dropout": { shape: dropped, tables: { rows: 16 } },
  "large scores": { shape: base, tables: { rows: 16, scale: 4 }, variants: ["windows", "tiles 32x32"] },
  "no tables, dropout": { shape: dropped, tables: {} },
  "linear distances": {
    shape: { ...dropped, headSize: 5, relativeIndex: linear, lengths: [40, 2, 19, 1, 1, 8] },
    tables: { rows: 10 },
    variants: ["windows", "rows"],
  },
  "only c2p": { shape: dropped, tables: { rows: 16, p2c: false }, variants: ["windows"] },
  "only p2c": { shape: dropped, tables: { rows: 16, c2p: false }, variants: ["rows", "tiles 32x32"] },
  "head size 8, linear distances": {
    shape: { ...dropped, heads: 4, headSize: 8, relativeIndex: linear },
    tables: { rows: 10 },
    variants: ["windows"],
  },
  "head size 36": { shape: { ...dropped, heads: 1, headSize: 36 }, tables: { rows: 16 }, variants: ["tiles 32x32"] },
  // As in DeBERTa-v3-base: heads of 64, up to 512 tokens, logarithmic buckets.
  "head size 64, 512 tokens": {
    shape: {
      ...dropped,
      heads: 2,
      headSize: 64,
      lengths: [512, 5],
      longest: 512,
      relativeIndex: relativeIndexTable(512, { bucketSize: 32, maxRelativePositions: 512 }),
    },
    tables: { rows: 64 },
    variants: ["rows", "tiles 32x32"],
    seeds: [11],
  },
  "head size 64, windows": {
    shape: { ...dropped, heads: 1, headSize: 64, lengths: [39, 2, 33] },
    tables: { rows: 16 },
    variants: ["windows"],
  },
  "several windows of tokens": {
    shape: { ...dropped, heads: 1, headSize: 16, lengths: Array.from({ length: 56 }, (_, i) => 1 + i * 17 % 40) },
    tables: { rows: 16 },
    variants: ["windows"],
  },
};

const HALF: Example = { shape: { ...dropped, heads: 2, headSize: 20, lengths: [40, 3, 33] }, tables: { rows: 16 } };

gpuTest("attention: in fp16, small gradients of the context give gradients as good as they are", async (gpu) => {
  const { shape, tables } = HALF;
  const x = randomInputs(shape, 5, tables);
  const inputs = roundedInputs({ ...x, dContext: x.dContext.map((value) => value / 1000) }, "f16");
  const { dKey, dPositionQuery } = await runAttention(gpu, shape, inputs, { precision: "fp16" });
  const expected = attentionBackwardReference(shape, inputs, inputs.dContext);
  // Rounded twice, in steps of at least 2^-24, beside what the rounded context makes of it.
  const twice = { atol: 1.5 * 2 ** -24, rtol: 2 ** -10 };
  assertClose(dKey, expected.dKey, twice, "dKey");
  assertClose(dPositionQuery, expected.dPositionQuery, twice, "dPositionQuery");
});

const EXACT = { atol: 0, rtol: 0 };

/** The bits of all that is in `expected`. */
function assertSame(actual: Record<string, Float32Array>, expected: Record<string, Float32Array>, label: string) {
  for (const [name, values] of Object.entries(expected)) assertClose(actual[name], values, EXACT, `${label}: ${name}`);
}

for (const variant of VARIANTS) {
  for (const precision of ["fp16", "bf16"] as const) {
    gpuTest(`attention: ${variant} in ${precision} agrees with float64 up to rounding`, async (gpu) => {
      await checkAgainstReference(gpu, HALF, variant, precision);
    });
  }

  for (const [name, example] of Object.entries(EXAMPLES)) {
    if (example.variants?.includes(variant) === false) continue;
    gpuTest(`attention: ${variant} agrees with the float64 reference: ${name}`, async (gpu) => {
      await checkAgainstReference(gpu, example, variant);
    });
  }

  gpuTest(`attention: ${variant} gives the same bits again, but for the tables whatever the capacity`, async (gpu) => {
    const x = randomInputs(dropped, 5, { rows: 16 });
    const first = await runAttention(gpu, dropped, x, { variant });
    assertSame(await runAttention(gpu, dropped, x, { variant }), first, "again");
    // Sums over rows are split by the capacity.
    const rest = Object.fromEntries(Object.entries(first).filter(([name]) => !name.includes("Position")));
    assertSame(await runAttention(gpu, dropped, x, { variant, capacity: 100 }), rest, "more capacity");
  });

  gpuTest(`attention: ${variant} computes a sequence without regard to its neighbours`, async (gpu) => {
    const whole = { ...base, lengths: [33, 7, 20] };
    const x = randomInputs(whole, 6, { rows: 16 });
    const hidden = base.heads * base.headSize;
    const slice = (data: ArrayLike<number>) => Float32Array.from(data).subarray(33 * hidden, 40 * hidden);
    const alone = {
      ...x,
      query: slice(x.query),
      key: slice(x.key),
      value: slice(x.value),
      dContext: slice(x.dContext),
    };
    const together = await runAttention(gpu, whole, x, { variant });
    const single = await runAttention(gpu, { ...whole, lengths: [7] }, alone, { variant });
    for (const name of ["context", "dQuery", "dKey", "dValue"]) {
      assert.deepEqual(slice(together[name]), single[name], name);
    }
  });
}

/** Scores of 1e5: equal keys share evenly, to the last digits, and rows past a sequence's end overflow into nothing. */
async function checkLargeScores(gpu: Gpu, headSize: number, variant: string) {
  const shape = { ...base, headSize };
  const x = randomInputs(shape, 13, { c2p: false, p2c: false });
  const columns = shape.heads * headSize;
  const equal = {
    ...x,
    query: Float64Array.from(x.query, (value) => 300 * value),
    key: Float64Array.from(x.key, (_, i) => 300 * (i % columns + 1)),
  };
  const { context, dValue } = await runAttention(gpu, shape, equal, { variant });
  const near = { atol: 2e-6, rtol: 2e-6 };
  assertClose(context, attentionForwardReference(shape, equal).context, near, "context");
  assertClose(dValue, attentionBackwardReference(shape, equal, equal.dContext).dValue, near, "dValue");

  for (const precision of headSize % 4 ? ["fp32"] as const : PRECISIONS) {
    const inputs = randomInputs(shape, 14, { rows: 16, scale: 600 });
    const wild = await runAttention(gpu, shape, inputs, { variant, precision });
    for (const [output, values] of Object.entries(wild)) {
      assert.ok(values.every(Number.isFinite), `${output} in ${precision}`);
    }
  }
}

for (const variant of VARIANTS) {
  const headSize = variant === "rows" ? 6 : 4;
  gpuTest(`attention: ${variant}, head size ${headSize}, is right at scores of 1e5`, async (gpu) => {
    await checkLargeScores(gpu, headSize, variant);
  });
}

gpuTest(
  "attention: tiles 32x32, subgroups, agrees with float64, is right at scores of 1e5, same bits again",
  async (device) => {
    if (device.leastSubgroup < 8) return;
    const gpu = { ...device, kind: "hardware" } as const; // whose backward computes scores alike
    const variant = SUBGROUPS;
    await checkAgainstReference(gpu, EXAMPLES["log buckets, dropout"], variant);
    await checkLargeScores(gpu, 4, variant);
    const x = randomInputs(dropped, 5, { rows: 16 });
    const first = await runAttention(gpu, dropped, x, { variant });
    assertSame(await runAttention(gpu, dropped, x, { variant }), first, "again");
  },
);

/** All heads at once, two at a time, and chunks of 40 tokens of one head. */
async function checkCuts(gpu: Gpu, variant: string) {
  const shape = { ...dropped, lengths: [33, 7, 20, 40, 1, 12, 39, 40, 5] };
  const x = randomInputs(shape, 5, { rows: 16 });
  const whole = await runAttention(gpu, shape, x, { variant });
  const pairsOfHead = 2 * 4 * 197 * 40;
  for (const limits of [{ maxBindingBytes: pairsOfHead }, { workspaceBytes: 2 * pairsOfHead }, { workspaceBytes: 1 }]) {
    assertSame(await runAttention(gpu, shape, x, { variant, ...limits }), whole, JSON.stringify(limits));
  }
}

for (const variant of ["rows", "tiles 32x32"]) {
  gpuTest(
    `attention: ${variant}, groups of heads and chunks of tokens give the same bits as all at once`,
    async (gpu) => {
      await checkCuts(gpu, variant);
    },
  );
}

gpuTest(
  "attention: 4,096 tokens in one sequence, the first of them as by themselves where the rest weighs nothing",
  async (gpu) => {
    const few = { ...dropped, heads: 1, headSize: 4, lengths: [32], longest: 4096, relativeIndex: longIndex };
    const x = randomInputs({ ...few, lengths: [4096] }, 17, {});
    const columns = few.headSize;
    // Later keys are far below the first 32 for every query.
    const query = Float64Array.from(x.query, (value, i) => i % columns === 0 ? 40 : value);
    const key = Float64Array.from(x.key, (value, i) => i % columns === 0 ? (i < 32 * columns ? 40 : -40) : value);
    const first = (values: ArrayLike<number>) => Float32Array.from(values).subarray(0, 32 * columns);
    const whole = await runAttention(gpu, { ...few, lengths: [4096] }, { ...x, query, key });
    const inputs = { query: first(query), key: first(key), value: first(x.value), dContext: first(x.dContext) };
    const alone = await runAttention(gpu, few, inputs);
    for (const name of ["context", "dQuery"]) assert.deepEqual(first(whole[name]), first(alone[name]), name);
  },
);

gpuTest("attention: without a dropout uniform as with rate 0", async (gpu) => {
  const x = randomInputs(base, 8, { rows: 16 });
  assert.deepEqual(await runAttention(gpu, base, x, { evaluation: true }), await runAttention(gpu, base, x));
});

gpuTest("attention: tiles on hardware; on software windows where whole sequences fit them, else rows", (gpu) => {
  const chosen = (kind: Gpu["kind"], headSize: number, longestCapacity: number, dtype: DType) => {
    const tokens = { uniform: uniform(gpu, "tokens", [0]), capacity: 4096, count: () => 0 };
    const sizes = { heads: 2, headSize, relativeRows: 16, tokens, longestCapacity, scale: 1, site: 0 };
    const shape = { ...sizes, direction: "forward", dtype, pairs: { weights: dtype, dScores: dtype } } as const;
    return variantsFor({ ...gpu, kind }, ATTENTION, shape)[0].name;
  };
  assert.equal(chosen("hardware", 64, 512, "f32"), "tiles 32x32");
  assert.equal(chosen("hardware", 512, 512, "f32"), "rows");
  assert.equal(chosen("software", 64, 128, "f32"), "windows");
  assert.equal(chosen("software", 64, 256, "f32"), "rows");
  assert.equal(chosen("software", 64, 256, "f16"), "windows");
  return Promise.resolve();
});

gpuTest("attention: a head that fits no binding is refused", async (gpu) => {
  const x = randomInputs(base, 5, { rows: 16 });
  await assert.rejects(runAttention(gpu, base, x, { maxBindingBytes: 1024 }), { kind: "memory" });
});

interface Fixture {
  heads: number;
  headSize: number;
  length: number;
  bucketSize: number;
  maxRelativePositions: number;
  inputs: AttentionArrays & { dContext: number[] };
  outputs: Record<string, number[]>;
}
const fixtures: Fixture[] = JSON.parse(
  Deno.readTextFileSync(new URL("../fixtures/nn/attention.json", import.meta.url)),
);

for (const { inputs, outputs, ...fixture } of fixtures) {
  for (const variant of VARIANTS) {
    gpuTest(`attention: ${variant} agrees with transformers, position_buckets ${fixture.bucketSize}`, async (gpu) => {
      const { heads, headSize, length } = fixture;
      const relativeIndex = relativeIndexTable(20, fixture);
      const shape = { heads, headSize, lengths: [length], longest: 20, relativeIndex, dropout: NO_DROPOUT };
      const actual = await runAttention(gpu, shape, inputs, { variant });
      assert.deepEqual(Object.keys(actual).sort(), [...Object.keys(outputs), "logSumExp"].sort());
      for (const [name, values] of Object.entries(outputs)) {
        assertClose(actual[name], values, { atol: 3e-6, rtol: 1e-5 }, name);
      }
    });
  }
}

Deno.test("attention reference: its backward is the derivative of its forward", () => {
  const shape = { ...base, heads: 2, headSize: 3, lengths: [1, 6], dropout: { ...DROPOUT, rate: 0.3 } };
  const x = randomInputs(shape, 3, { rows: 16 });
  const gradients = attentionBackwardReference(shape, x, x.dContext);
  const loss = (inputs: AttentionArrays) =>
    attentionForwardReference(shape, inputs).context.reduce((sum, value, i) => sum + value * x.dContext[i], 0);
  const step = 1e-5;
  for (const name of ["query", "key", "value", "positionKey", "positionQuery"] as const) {
    const numeric = Array.from(x[name]!, (_, i) => {
      const moved = (by: number) => loss({ ...x, [name]: Float64Array.from(x[name]!, (v, k) => k === i ? v + by : v) });
      return (moved(step) - moved(-step)) / (2 * step);
    });
    const analytic = gradients[`d${name[0].toUpperCase()}${name.slice(1)}` as keyof typeof gradients];
    assertClose(analytic, numeric, { atol: 1e-8, rtol: 1e-6 }, name);
  }
});

const example = { shape: { ...dropped, heads: 2, lengths: [9, 33] }, tables: { rows: 16 } };
const check = (variant: string) => (gpu: Gpu) => checkAgainstReference(gpu, example, variant);
const checkLarge = (gpu: Gpu) => checkLargeScores(gpu, 4, "rows");
negativeControl("lib/attention.wgsl", "exp(softmax.highest - peak)", "vec4(1.0)", check("rows"));
negativeControl("lib/attention.wgsl", "scores += position.c2p", "scores -= position.c2p", check("windows"));
negativeControl("lib/attention.wgsl", "scores += terms", "scores -= terms", check("tiles 32x32"));
negativeControl(
  "lib/attention.wgsl",
  "exp(scores - known.highest) * known.share",
  "exp(scores - (known.highest - log(known.share)))",
  checkLarge,
);
negativeControl(
  "lib/attention.wgsl",
  "first / CHUNK == chunk",
  "first / CHUNK <= chunk",
  (gpu) => checkCuts(gpu, "rows"),
);
negativeControl("lib/attention_dot.wgsl", "fma(${ROW}${R}_${B}", "fma(-${ROW}${R}_${B}", check("rows"));
negativeControl("lib/attention_stage.wgsl", "i % QUADS);", "0u);", check("tiles 32x32"));
negativeControl("lib/attention_tile_dot.wgsl", "fma(a${R}", "fma(-a${R}", check("tiles 32x32"));
negativeControl("attention_rows.wgsl", "fma(vec4(pairs.d_scores", "fma(vec4(-pairs.d_scores", check("windows"));
negativeControl("attention_tiles.wgsl", "fma(vec4(ds${R}", "fma(vec4(-ds${R}", check("tiles 32x32"));
negativeControl("attention_tiles.wgsl", "${2 ** STEP}u", "${3 ** STEP}u", check(SUBGROUPS));
negativeControl("lib/attention.wgsl", "bucket != before.bucket)", "bucket > before.bucket)", check("rows"));
negativeControl("attention_mask.wgsl", "vec4(1u, 2u, 4u, 8u)", "vec4(1u, 2u, 4u, 4u)", check("rows"));
negativeControl("attention_buckets.wgsl", "bucket.xyz), d_scores", "bucket.xyz), -d_scores", check("tiles 32x32"));
negativeControl("attention_heads.wgsl", "id.y * RESULT_HEAD", "id.y", check("windows"));
