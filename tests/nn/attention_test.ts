import { strict as assert } from "node:assert";
import type { Gpu } from "../../src/gpu/device.ts";
import { relativeIndexTable } from "../../src/nn/relative_position.ts";
import {
  type AttentionArrays,
  attentionBackwardReference,
  type AttentionCase,
  attentionForwardReference,
} from "../../src/bench/reference/attention.ts";
import { randomInputs, runAttention } from "../support/attention.ts";
import { assertClose } from "../support/close.ts";
import { gpuTest, negativeControl } from "../support/gpu.ts";

const DROPOUT = { rate: 0.1, key: [7, 9] as [number, number], step: 3, site: 5 };
const NO_DROPOUT = { ...DROPOUT, rate: 0 };
const VARIANTS = ["invocation", "tiled"] as const;

/** Buckets of 8 whose logarithmic part begins at distance 4, for sequences of at most 40 tokens. */
const logarithmic = relativeIndexTable(40, { bucketSize: 8, maxRelativePositions: 32 });
/** Distances clipped to ±5. */
const linear = relativeIndexTable(40, { bucketSize: -1, maxRelativePositions: 5 });
const UNEVEN = [1, 7, 33];

const base = { heads: 3, headSize: 6, lengths: UNEVEN, longest: 40, relativeIndex: logarithmic, dropout: NO_DROPOUT };

interface Example {
  shape: AttentionCase;
  tables: { rows?: number; c2p?: boolean; p2c?: boolean; scale?: number };
  /** Compiling for a software adapter takes seconds: not every example tells something about every variant. */
  variants?: readonly (typeof VARIANTS[number])[];
  seeds?: readonly number[];
}

const dropped = { ...base, dropout: DROPOUT };
const EXAMPLES: Record<string, Example> = {
  "one token": { shape: { ...base, lengths: [1] }, tables: { rows: 16 } },
  "log buckets": { shape: base, tables: { rows: 16 } },
  "log buckets, dropout": { shape: dropped, tables: { rows: 16 } },
  "large scores": { shape: base, tables: { rows: 16, scale: 4 } },
  "no tables, dropout": { shape: dropped, tables: {} },
  "linear distances": {
    shape: { ...dropped, headSize: 5, relativeIndex: linear, lengths: [40, 2, 19, 1, 1, 8] },
    tables: { rows: 10 },
    variants: ["invocation"],
  },
  "only c2p": { shape: dropped, tables: { rows: 16, p2c: false }, variants: ["invocation"] },
  "only p2c": { shape: dropped, tables: { rows: 16, c2p: false } },
  "head size 8, linear distances": {
    shape: { ...dropped, heads: 4, headSize: 8, relativeIndex: linear },
    tables: { rows: 10 },
    variants: ["invocation"],
  },
  "head size 36": { shape: { ...dropped, heads: 1, headSize: 36 }, tables: { rows: 16 }, variants: ["tiled"] },
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
    seeds: [11],
  },
  "head size 64, windows": {
    shape: { ...dropped, heads: 1, headSize: 64, lengths: [39, 2, 33] },
    tables: { rows: 16 },
    variants: ["invocation"],
  },
  "several windows of tokens": {
    shape: { ...dropped, heads: 1, headSize: 16, lengths: Array.from({ length: 56 }, (_, i) => 1 + i * 17 % 40) },
    tables: { rows: 16 },
    variants: ["invocation"],
  },
};

async function checkAgainstReference(
  gpu: Gpu,
  { shape, tables, seeds = [11, 42] }: Example,
  variant: typeof VARIANTS[number],
) {
  for (const seed of seeds) {
    const x = randomInputs(shape, seed, tables);
    const actual = await runAttention(gpu, shape, x, { variant });
    const expected: Record<string, Float64Array> = {
      ...attentionForwardReference(shape, x),
      ...attentionBackwardReference(shape, x, x.dContext),
    };
    for (const [name, values] of Object.entries(actual)) {
      const size = Math.max(1e-3, ...expected[name].map(Math.abs));
      assertClose(values, expected[name], { atol: 4e-6 * size, rtol: 2e-5 }, `${variant} ${name}, seed ${seed}`);
    }
  }
}

for (const variant of VARIANTS) {
  for (const [name, example] of Object.entries(EXAMPLES)) {
    if (example.variants?.includes(variant) === false) continue;
    gpuTest(`attention: ${variant} agrees with the float64 reference: ${name}`, async (gpu) => {
      await checkAgainstReference(gpu, example, variant);
    });
  }

  gpuTest(`attention: ${variant} gives the same bits again, whatever the capacity`, async (gpu) => {
    const x = randomInputs(dropped, 5, { rows: 16 });
    const first = await runAttention(gpu, dropped, x, { variant });
    assert.deepEqual(await runAttention(gpu, dropped, x, { variant, capacity: 100 }), first);
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
async function checkLargeScores(gpu: Gpu, headSize: number, variant: typeof VARIANTS[number]) {
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

  const wild = await runAttention(gpu, shape, randomInputs(shape, 14, { rows: 16, scale: 600 }), { variant });
  for (const [output, values] of Object.entries(wild)) assert.ok(values.every(Number.isFinite), output);
}

for (const headSize of [4, 6]) {
  for (const variant of VARIANTS) {
    gpuTest(`attention: ${variant}, head size ${headSize}, is right at scores of 1e5`, async (gpu) => {
      await checkLargeScores(gpu, headSize, variant);
    });
  }
}

/** All heads at once, two at a time, and chunks of 40 tokens of one head. */
async function checkCuts(gpu: Gpu, variant: typeof VARIANTS[number]) {
  const shape = { ...dropped, lengths: [33, 7, 20, 40, 1, 12, 39, 40, 5] };
  const x = randomInputs(shape, 5, { rows: 16 });
  const whole = await runAttention(gpu, shape, x, { variant });
  const pairsOfHead = 2 * 4 * 197 * 40;
  for (const limits of [{ maxBindingBytes: pairsOfHead }, { workspaceBytes: 2 * pairsOfHead }, { workspaceBytes: 1 }]) {
    assert.deepEqual(await runAttention(gpu, shape, x, { variant, ...limits }), whole, JSON.stringify(limits));
  }
}

for (const variant of VARIANTS) {
  gpuTest(
    `attention: ${variant}, groups of heads and chunks of tokens give the same bits as all at once`,
    async (gpu) => {
      await checkCuts(gpu, variant);
    },
  );
}

gpuTest("attention: without a dropout uniform as with rate 0", async (gpu) => {
  const x = randomInputs(base, 8, { rows: 16 });
  assert.deepEqual(await runAttention(gpu, base, x, { evaluation: true }), await runAttention(gpu, base, x));
});

gpuTest("attention: with and without uniform windows, nearly the same", async (gpu) => {
  const shape = { ...dropped, headSize: 4 };
  const x = randomInputs(shape, 21, { rows: 16 });
  const windows = await runAttention(gpu, shape, x);
  const perHead = 4 * 41 * 40; // bytes of the largest transient of a head without them
  const storage = await runAttention(gpu, shape, x, { maxBindingBytes: perHead });
  for (const [name, values] of Object.entries(windows)) {
    assertClose(values, storage[name], { atol: 1e-5, rtol: 1e-5 }, name);
  }
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

/** A head size that vec4 does not fit: no uniform windows. */
const storage = { shape: { ...dropped, heads: 2, lengths: [9, 33] }, tables: { rows: 16 } };
const windows = { ...storage, shape: { ...storage.shape, headSize: 4 } };
const checks = {
  invocation: (gpu: Gpu) => checkAgainstReference(gpu, storage, "invocation"),
  tiled: (gpu: Gpu) => checkAgainstReference(gpu, storage, "tiled"),
  uniform: (gpu: Gpu) => checkAgainstReference(gpu, windows, "invocation"),
};
negativeControl("attention_invocation.wgsl", "(highest${R} - peak${R})", "(0.0)", checks.invocation);
negativeControl(
  "attention_invocation.wgsl",
  "fma(Block(ds${R}), k${B}",
  "fma(Block(-ds${R}), k${B}",
  checks.invocation,
);
negativeControl("attention_position.wgsl", "token < end", "token + 1u < end", checks.invocation);
negativeControl("attention_mask.wgsl", "vec4(1u, 2u, 4u, 8u)", "vec4(1u, 2u, 4u, 4u)", checks.invocation);
negativeControl("attention_tiled.wgsl", "score += p2c[", "score -= p2c[", checks.tiled);
negativeControl("attention_buckets.wgsl", "bucket != before", "bucket > before", checks.tiled);
negativeControl("attention_uniform.wgsl", "score${R} - highest${R}", "score${R} + highest${R}", checks.uniform);
negativeControl("attention_heads.wgsl", "result[(id.x * HEADS", "result[(id.x + HEADS", checks.uniform);
negativeControl("lib/attention_position_terms.wgsl", "score${R} += c2p${R}", "score${R} -= c2p${R}", checks.uniform);
for (const [file, headSize] of [["attention_uniform.wgsl", 4], ["attention_invocation.wgsl", 6]] as const) {
  const check = (gpu: Gpu) => checkLargeScores(gpu, headSize, "invocation");
  negativeControl(file, "select(0.0, keep * p${R}, kept${R})", "factor${R} * p${R}", check);
  negativeControl(
    file,
    "exp(score${R} - highest${R}) * share${R}",
    "exp(score${R} - (highest${R} - log(share${R})))",
    check,
  );
}
negativeControl("lib/attention.wgsl", "first / ${CHUNK}u == chunk", "first / ${CHUNK}u <= chunk", (gpu) => {
  return checkCuts(gpu, "invocation");
});
