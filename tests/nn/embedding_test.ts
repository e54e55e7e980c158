import assert from "node:assert/strict";
import type { Gpu } from "../../src/gpu/device.ts";
import { embeddingBackward, embeddingForward } from "../../src/nn/embedding.ts";
import { createPlan, type Precision, storageOf } from "../../src/nn/plan.ts";
import { centralDifferences, dot } from "../reference/central_differences.ts";
import { embeddingBackwardReference, type EmbeddingInput, embeddingReference } from "../reference/embedding.ts";
import { assertClose, randomArray } from "../support/close.ts";
import { dropoutFactors } from "../support/dropout.ts";
import { download, dropoutUniform, gpuTest, negativeControl, runPlan, testRows, upload } from "../support/gpu.ts";
import { rounded, UNIT_ROUNDOFF } from "../support/half.ts";

const EPS = 1e-7;
const KEY: [number, number] = [5, 9];
const STEP = 2;
const SITE = 3;
const VOCABULARY = 23;
const POSITIONS = 70;
const TYPES = 2;

interface Case {
  lengths: number[];
  columns: number;
  rate?: number;
  /** With position and type tables. */
  tables?: boolean;
  /** Position of a sequence's first token. */
  begin?: number;
  seed?: number;
  /** Of `ROW`. */
  variant: string;
  /** How y, x̂, dy and dz are stored. */
  precision?: Precision;
}

const typeOf = ({ precision = "fp32", columns }: Omit<Case, "variant">) => storageOf(precision, columns);

function inputs(options: Omit<Case, "variant">) {
  const { lengths, columns, rate = 0, tables = false, begin = 0, seed = 1 } = options;
  const positions = lengths.flatMap((length) => Array.from({ length }, (_, i) => i));
  const count = positions.length;
  // Few distinct ids, among them the first and the last row of each shard, and a frequent one.
  const ids = Array.from(randomArray(count, seed + 9), (value, i) => i % 3 ? Math.floor((value + 1) * 11.5) : 8);
  const types = Array.from(randomArray(count, seed + 10), (value) => +(value > 0));
  const input: EmbeddingInput = {
    ids,
    positions: positions.map((position) => position + begin),
    types,
    word: randomArray(VOCABULARY * columns, seed),
    position: randomArray(tables ? POSITIONS * columns : 0, seed + 1),
    type: randomArray(tables ? TYPES * columns : 0, seed + 2),
    weight: randomArray(columns, seed + 3),
    bias: randomArray(columns, seed + 4),
    factors: dropoutFactors({ rate, key: KEY, step: STEP, site: SITE }, count, columns),
    columns,
    eps: EPS,
  };
  return { input, dy: rounded(randomArray(count * columns, seed + 5), typeOf(options)) };
}

async function run(gpu: Gpu, options: Case) {
  const { lengths, columns, rate, tables, variant, precision } = options;
  const { input, dy } = inputs(options);
  const count = input.ids.length;
  const order = input.positions.length ? Array.from({ length: count }, (_, i) => i) : [];
  order.sort((a, b) => input.ids[a] - input.ids[b] || a - b);
  const starts = order.flatMap((token, i) => i === 0 || input.ids[token] !== input.ids[order[i - 1]] ? [i] : []);
  const offsets = lengths.reduce((ends, length) => [...ends, ends.at(-1)! + length], [0]);

  const floats = (label: string, data?: ArrayLike<number>, shape = [data?.length ?? 0]) =>
    upload(gpu, label, shape, data && Float32Array.from(data));
  const words = (label: string, data: ArrayLike<number>) => upload(gpu, label, [data.length], Uint32Array.from(data));
  const ones = (size: number) => new Float32Array(size).fill(1);
  const shards = async (label: string, data: ArrayLike<number>) =>
    await Promise.all([[0, 8], [8, 1], [9, VOCABULARY - 9]].map(async ([rowBegin, rows]) => ({
      tensor: await floats(label, Array.from(data).slice(rowBegin * columns, (rowBegin + rows) * columns)),
      rowBegin,
      rows,
    })));

  const matrix = (label: string, data?: Float32Array) => upload(gpu, label, [count, columns], data, typeOf(options));
  const plan = createPlan(gpu, "embedding test", { precision, prefer: { row: variant } });
  const dropout = rate === undefined ? undefined : dropoutUniform(gpu, rate, KEY, STEP);
  const kept = {
    normalised: await matrix("normalised"),
    rstd: await upload(gpu, "rstd", [count]),
  };
  const weight = await floats("weight", input.weight);
  const position = await words("position", Array.from(input.positions, (position) => position - (options.begin ?? 0)));
  const typeIds = await words("type ids", input.types);
  const out = {
    y: await matrix("y"),
    dWeight: await floats("dWeight", ones(columns)),
    dBias: await floats("dBias", ones(columns)),
    ...tables && {
      dPosition: await floats("dPosition", ones(POSITIONS * columns), [POSITIONS, columns]),
      dType: await floats("dType", ones(TYPES * columns), [TYPES, columns]),
    },
  };
  const wordGradientShards = await shards("dWord", ones(VOCABULARY * columns));
  const sizes = { rows: testRows(gpu, count), columns, eps: EPS, site: SITE, firstPosition: options.begin };
  embeddingForward(plan, {
    ids: await words("ids", input.ids),
    wordShards: await shards("word", input.word),
    ...tables && {
      positions: { position, table: await floats("position table", input.position) },
      types: { typeIds, table: await floats("type table", input.type) },
    },
    weight,
    bias: await floats("bias", input.bias),
    dropout,
    y: out.y,
    kept,
  }, sizes);
  embeddingBackward(plan, {
    dy: await matrix("dy", dy),
    weight,
    kept,
    dropout,
    sortedIds: await words("sorted ids", starts.map((at) => input.ids[order[at]])),
    segmentStart: await words("segment start", [...starts, count]),
    tokenOrder: await words("token order", order),
    wordGradientShards,
    positions: out.dPosition && { offsets: await words("offsets", offsets), dTable: out.dPosition },
    types: out.dType && { typeIds, dTable: out.dType },
    dWeight: out.dWeight,
    dBias: out.dBias,
  }, { ...sizes, uniqueRows: testRows(gpu, starts.length), sequences: testRows(gpu, lengths.length) });
  await runPlan(gpu, plan);
  const dWord = (await Promise.all(wordGradientShards.map(({ tensor }) => download(gpu, tensor))))
    .flatMap((part) => Array.from(part));
  const result: Record<string, ArrayLike<number>> = { dWord };
  for (const [name, tensor] of Object.entries({ ...out, ...kept })) result[name] = await download(gpu, tensor);
  return { input, dy, result };
}

async function check(gpu: Gpu, options: Case) {
  const { input, dy, result } = await run(gpu, options);
  const forward = embeddingReference(input);
  const gradients = embeddingBackwardReference(input, dy);
  const name = (field: string) => `${field} of ${JSON.stringify(options)}`;
  const unit = UNIT_ROUNDOFF[typeOf(options)];
  for (const field of ["y", "normalised", "rstd"] as const) {
    assertClose(result[field], forward[field], { atol: 5e-6 + unit ** 2, rtol: 1e-5 + unit }, name(field));
  }
  // x̂ and dz are read as they were stored, in sums over so many tokens.
  const sum = 2e-5 + 4 * unit * Math.sqrt(input.ids.length);
  for (const [field, values] of Object.entries(gradients)) {
    if (values.length === 0) continue;
    assertClose(result[field], values.map((value) => value + 1), { atol: sum, rtol: 1e-5 }, name(field));
  }
}

Deno.test("embeddingBackwardReference: agrees with central differences", () => {
  const { input, dy } = inputs({ lengths: [3, 4], columns: 3, rate: 0.2, tables: true });
  const gradients = embeddingBackwardReference(input, dy);
  const pairs = { word: "dWord", position: "dPosition", type: "dType", weight: "dWeight", bias: "dBias" } as const;
  for (const [name, gradient] of Object.entries(pairs)) {
    const loss = (at: Float64Array) => dot(embeddingReference({ ...input, [name]: at }).y, dy);
    const numeric = centralDifferences(loss, input[name as keyof typeof pairs]);
    assertClose(gradients[gradient], numeric, { atol: 1e-7, rtol: 1e-6 }, name);
  }
});

for (const variant of ["alone", "shared 64"]) {
  gpuTest(`embedding (${variant}): words alone agree with float64`, async (gpu) => {
    await check(gpu, { lengths: [1], columns: 30, variant });
    await check(gpu, { lengths: [37, 64], columns: 64, variant, rate: 0.1, seed: 20 });
  });

  gpuTest(`embedding (${variant}): all three tables agree with float64`, async (gpu) => {
    await check(gpu, { lengths: [5, 1, 70, 40], columns: 37, variant, tables: true, rate: 0.2, seed: 30 });
    await check(gpu, { lengths: [68, 11], columns: 256, variant, tables: true, begin: 2, seed: 40 });
  });

  for (const precision of ["fp16", "bf16"] as const) {
    gpuTest(
      `embedding (${variant}): agrees with float64 in ${precision} but for the rounding of what is stored`,
      async (gpu) => {
        await check(gpu, {
          lengths: [5, 1, 70, 40],
          columns: 60,
          variant,
          tables: true,
          rate: 0.2,
          seed: 50,
          precision,
        });
      },
    );
  }

  gpuTest(`embedding (${variant}): equal inputs give equal bits`, async (gpu) => {
    const options: Case = { lengths: [70, 70, 60], columns: 36, variant, tables: true, rate: 0.2 };
    const [first, second] = [await run(gpu, options), await run(gpu, options)];
    assert.deepEqual(first.result, second.result);
  });
}

const WHOLE: Case = { lengths: [5, 1, 70, 40], columns: 37, variant: "alone", tables: true, rate: 0.2 };
const checkWhole = (gpu: Gpu) => check(gpu, WHOLE);
negativeControl("embedding.wgsl", "z += load_type_table", "z -= load_type_table", checkWhole);
negativeControl("embedding.wgsl", "(d0 + d1) + (d2 + d3)", "(d0 + d1) + (d2 + d2)", checkWhole);
negativeControl(
  "embedding.wgsl",
  "place.row - FIRST_POSITION < end",
  "place.row - FIRST_POSITION + 1u < end",
  checkWhole,
);
negativeControl("embedding.wgsl", "kind == ${K}u", "kind >= ${K}u", checkWhole);
