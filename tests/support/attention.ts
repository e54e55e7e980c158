/** Running the attention layer on arrays, and comparing it with its reference, for its tests. */
import type { Gpu } from "../../src/gpu/device.ts";
import type { Tensor } from "../../src/gpu/tensor.ts";
import { attentionBackward, attentionForward } from "../../src/nn/attention.ts";
import { type DType, isHalf, narrow, widen } from "../../src/gpu/dtype.ts";
import { createPlan, type Precision, storageOf } from "../../src/nn/plan.ts";
import {
  type AttentionArrays,
  attentionBackwardReference,
  type AttentionCase,
  attentionForwardReference,
} from "../../src/bench/reference/attention.ts";
import type { Tolerance } from "../../src/tuning/compare.ts";
import { assertClose, randomArray } from "./close.ts";
import { download, dropoutUniform, runPlan, testRows, upload } from "./gpu.ts";

export const tokensOf = ({ lengths }: AttentionCase): number => lengths.reduce((sum, length) => sum + length, 0);

/** Random inputs and gradient of the context; tables of `rows` rows where asked for. */
export function randomInputs(
  shape: AttentionCase,
  seed: number,
  { rows = 0, c2p = true, p2c = true, scale = 1 } = {},
): AttentionArrays & { dContext: Float32Array } {
  const hidden = shape.heads * shape.headSize;
  const size = tokensOf(shape) * hidden;
  return {
    query: randomArray(size, seed, scale),
    key: randomArray(size, seed + 1, scale),
    value: randomArray(size, seed + 2),
    positionKey: rows && c2p ? randomArray(rows * hidden, seed + 3, scale) : undefined,
    positionQuery: rows && p2c ? randomArray(rows * hidden, seed + 4, scale) : undefined,
    dContext: randomArray(size, seed + 5),
  };
}

/** The inputs as tensors of this type hold them. */
export function roundedInputs<T extends AttentionArrays>(x: T, dtype: DType): T {
  if (!isHalf(dtype)) return x;
  const rounded = (values: ArrayLike<number>) => widen(narrow(Float32Array.from(values), dtype), dtype);
  return Object.fromEntries(Object.entries(x).map(([name, values]) => [name, values && rounded(values)])) as T;
}

interface Options {
  variant?: string;
  precision?: Precision;
  /** Without a dropout uniform at all, as in evaluation. */
  evaluation?: boolean;
  /** Tokens that fit the plan: at least those of the batch. */
  capacity?: number;
  /** Replace the device's, to force groups of heads and chunks of tokens. */
  maxBindingBytes?: number;
  workspaceBytes?: number;
}

/** Everything the layer writes, by name; canaries are checked. */
export async function runAttention(
  gpu: Gpu,
  shape: AttentionCase,
  x: AttentionArrays & { dContext: ArrayLike<number> },
  { variant, precision = "fp32", evaluation = false, capacity, ...limits }: Options = {},
): Promise<Record<string, Float32Array>> {
  const { heads, headSize, lengths, longest, relativeIndex, dropout } = shape;
  const hidden = heads * headSize;
  const tokens = tokensOf(shape);
  const dtype = storageOf(precision, headSize);
  const floats = (label: string, data: ArrayLike<number>) =>
    upload(gpu, label, [data.length / hidden, hidden], Float32Array.from(data), dtype);
  const output = (label: string, rows: number) => upload(gpu, label, [rows, hidden], undefined, dtype);
  const offsets = new Uint32Array(lengths.length + 1);
  lengths.forEach((length, i) => offsets[i + 1] = offsets[i] + length);
  const tableRows = ((x.positionKey ?? x.positionQuery)?.length ?? 0) / hidden;
  const outputs: Record<string, Tensor> = {
    context: await output("context", tokens),
    maxAndSum: await upload(gpu, "maximum and sum", [tokens, 2 * heads]),
    dQuery: await output("d query", tokens),
    dKey: await output("d key", tokens),
    dValue: await output("d value", tokens),
    ...(x.positionKey && { dPositionKey: await output("d position key", tableRows) }),
    ...(x.positionQuery && { dPositionQuery: await output("d position query", tableRows) }),
  };
  const inputs = {
    query: await floats("query", x.query),
    key: await floats("key", x.key),
    value: await floats("value", x.value),
    positionKey: x.positionKey && await floats("position key", x.positionKey),
    positionQuery: x.positionQuery && await floats("position query", x.positionQuery),
    relativeIndex: await upload(gpu, "relative index", [2 * longest - 1], Uint32Array.from(relativeIndex)),
    offsets: await upload(gpu, "offsets", [offsets.length], offsets),
    dropout: evaluation ? undefined : dropoutUniform(gpu, dropout.rate, dropout.key, dropout.step),
    context: outputs.context,
    maxAndSum: outputs.maxAndSum,
    dContext: await floats("d context", x.dContext),
  };
  const rows = testRows(gpu, tokens);
  const sizes = {
    heads,
    headSize,
    relativeRows: tableRows,
    tokens: { ...rows, capacity: capacity ?? tokens },
    longestCapacity: longest,
    scale: 1 / Math.sqrt(headSize * (1 + Number(!!inputs.positionKey) + Number(!!inputs.positionQuery))),
    site: dropout.site,
  };
  const limited = { ...gpu, ...limits };
  const plan = createPlan(limited, "attention", { precision, prefer: variant ? { attention: variant } : {} });
  attentionForward(plan, inputs, sizes);
  const { dQuery, dKey, dValue, dPositionKey, dPositionQuery } = outputs;
  attentionBackward(plan, { ...inputs, dQuery, dKey, dValue, dPositionKey, dPositionQuery }, sizes);
  if (variant) {
    const chosen = [...plan.choices.values()].filter(({ operation }) => operation === "attention");
    if (!chosen.some((choice) => choice.variant === variant)) throw new Error(`${variant} does not suit this shape`);
  }
  await runPlan(gpu, plan, { tokens, sequences: lengths.length, longest: Math.max(...lengths) });
  const results: Record<string, Float32Array> = {};
  for (const [name, tensor] of Object.entries(outputs)) results[name] = await download(gpu, tensor);
  const { maxAndSum, ...rest } = results;
  for (const tensor of [...Object.values(inputs), ...Object.values(outputs)]) tensor?.buffer?.destroy();
  const logSumExp = Float32Array.from(
    { length: tokens * heads },
    (_, i) => maxAndSum[2 * i] + Math.log(maxAndSum[2 * i + 1]),
  );
  return { ...rest, logSumExp };
}

export interface AttentionExample {
  shape: AttentionCase;
  tables: { rows?: number; c2p?: boolean; p2c?: boolean; scale?: number };
  seeds?: readonly number[];
}

/**
 * Half: what is stored is rounded to `unit`, and gradients are sums over what was rounded before, kept probabilities,
 * dScores and the context; the position terms are added to gradients that were. Matrices round probabilities for the
 * context as well.
 */
function toleranceOf(name: string, precision: Precision, variant: string): Tolerance {
  const unit = { fp32: 0, fp16: 2 ** -11, bf16: 2 ** -8 }[name === "logSumExp" ? "fp32" : precision];
  const sums = name === "context" && !variant.startsWith("matrices") ? 0 : 2 * unit;
  return { atol: 4e-6 + sums, rtol: 2e-5 + unit };
}

/**
 * What a gradient that is 0 in theory is the difference of: a sequence of one token has the dScore dContext·value −
 * dContext·context, two equal sums that may be rounded in different orders.
 */
function cancelledTerms(
  { heads, headSize }: AttentionCase,
  x: AttentionArrays & { dContext: ArrayLike<number> },
): number {
  const dots = Array.from(
    { length: heads },
    (_, head) =>
      Array.from(
        { length: headSize },
        (_, i) => Math.abs(x.dContext[head * headSize + i] * x.value[head * headSize + i]),
      )
        .reduce((sum, term) => sum + term),
  );
  const factors = [x.query, x.key, x.positionKey ?? [], x.positionQuery ?? []].flatMap((values) => Array.from(values));
  return Math.max(...dots) * Math.max(...factors.map(Math.abs)) / Math.sqrt(headSize);
}

/** Both directions by a variant, every seed. */
export async function checkAgainstReference(
  gpu: Gpu,
  { shape, tables, seeds = [11, 42] }: AttentionExample,
  variant: string,
  precision: Precision = "fp32",
) {
  for (const seed of seeds) {
    const x = roundedInputs(randomInputs(shape, seed, tables), storageOf(precision, shape.headSize));
    const actual = await runAttention(gpu, shape, x, { variant, precision });
    const expected: Record<string, Float64Array> = {
      ...attentionForwardReference(shape, x),
      ...attentionBackwardReference(shape, x, x.dContext),
    };
    for (const [name, values] of Object.entries(actual)) {
      const size = Math.max(...expected[name].map(Math.abs)) || cancelledTerms(shape, x);
      const { atol, rtol } = toleranceOf(name, precision, variant);
      assertClose(values, expected[name], { atol: atol * size, rtol }, `${variant} ${name}, seed ${seed}`);
    }
  }
}
