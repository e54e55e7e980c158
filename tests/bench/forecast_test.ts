import assert from "node:assert/strict";
import { cardOf, CARDS, paperGpu } from "../../src/bench/forecast/card.ts";
import { forecastKernel, forecastStep } from "../../src/bench/forecast/forecast.ts";
import { MEASURED } from "../../src/bench/forecast/measured.ts";
import { timeOf } from "../../src/bench/forecast/time.ts";
import { type Piece, workOf } from "../../src/bench/forecast/work.ts";
import { elements } from "../../src/gpu/tensor.ts";
import { configFromArchitecture } from "../../src/models/config_json.ts";
import { KERNEL_BENCHES } from "../../src/bench/kernels.ts";
import { modelParameters } from "../../src/models/parameters.ts";
import { planSession } from "../../src/training/session.ts";

const [H100] = CARDS;
const SIZES = {
  vocab_size: 500,
  hidden_size: 128,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 256,
};
const RELATIVE = {
  ...{ relative_attention: true, position_buckets: 16, norm_rel_ebd: "layer_norm", share_att_key: true },
  ...{ pos_att_type: ["p2c", "c2p"], position_biased_input: false },
};
const model = (architecture: Readonly<Record<string, unknown>>) =>
  configFromArchitecture({ ...SIZES, ...architecture }, { numLabels: 2, classifierHead: "pooler_linear" });
const deberta = model(RELATIVE);
const bert = model({ model_type: "bert" });
const LENGTHS = [96, 64, 32];
const TOKENS = 192;

async function piecesOf(config: typeof deberta): Promise<Piece[]> {
  const { gpu } = paperGpu(H100, { matrices: false });
  const capacity = { tokens: TOKENS, sequences: LENGTHS.length, longest: 96 };
  const training = { capacity, lossKind: "cross_entropy", freezeEncoder: false } as const;
  const { programs } = await planSession(gpu, config, { inference: capacity, training }, (resource) => resource);
  const batch = { tokens: TOKENS, sequences: LENGTHS.length, longest: 96, uniqueIds: 100, lengths: LENGTHS };
  return programs.slice(0, -1).flatMap((program) => workOf(program, batch));
}

const flopsOf = (pieces: readonly Piece[]): number => pieces.reduce((sum, { work: { flops = 0 } }) => sum + flops, 0);

Deno.test("workOf: operations of products and attention are those of the model's formulas", async () => {
  const pieces = await piecesOf(bert);
  const { hidden_size: hidden, intermediate_size: wide, num_hidden_layers: layers } = SIZES;
  // Forward, gradient of the input, gradient of the weights; the pooler and the classifier see a token a sequence.
  const weights = layers * (4 * hidden ** 2 + 2 * hidden * wide);
  const head = hidden ** 2 + 2 * hidden;
  const products = pieces.filter(({ kernel }) => kernel.startsWith("product_"));
  assert.equal(flopsOf(products), 3 * 2 * (TOKENS * weights + LENGTHS.length * head));
  const pairs = LENGTHS.reduce((sum, length) => sum + length ** 2, 0);
  const of = (entry: string) => flopsOf(pieces.filter(({ kernel }) => kernel === `attention_tiles.${entry}`));
  assert.equal(of("forward"), layers * 2 * 2 * pairs * hidden);
  assert.equal(of("backward_query"), layers * 2 * 3 * pairs * hidden);
  assert.equal(of("backward_key"), layers * 2 * 2 * pairs * hidden);
});

Deno.test("workOf: bytes of what has no products are those of its tensors", async () => {
  const pieces = [...await piecesOf(bert), ...await piecesOf(deberta)];
  const bytesOf = (name: string) =>
    pieces.filter(({ kernel }) => kernel === name).map(({ work }) => work.bytes).toSorted((a, b) => a - b);
  const near = (actual: number, expected: number) =>
    assert.ok(actual >= expected && actual < expected * 1.1, `${actual}, not ${expected}`);
  // Values and moments read and written, gradients read.
  const all = [bert, deberta].flatMap((config) => modelParameters(config));
  const parameters = all.filter(({ trainable }) => trainable).reduce((sum, { shape }) => sum + elements(shape), 0);
  near(bytesOf("adamw.step").reduce((sum, bytes) => sum + bytes), 28 * parameters);
  // The table of words is not read whole; DeBERTa has no other.
  near(bytesOf("embedding.forward")[0], 4 * TOKENS * SIZES.hidden_size * 3);
});

Deno.test("forecastStep: every dispatch has a time; what is less work is shorter, and memory is that of the plan", async () => {
  for (const config of [deberta, bert]) {
    for (const card of CARDS) {
      const step = (lengths: readonly number[], precision: "fp32" | "fp16", matrices: boolean) =>
        forecastStep(card, config, { lengths, precision, matrices });
      const whole = await step([512, 512, 512, 512], "fp32", false);
      const half = await step([512, 512, 512, 512], "fp16", false);
      const short = await step([512, 300, 200, 100], "fp32", false);
      const byMatrices = await step([512, 512, 512, 512], "fp16", true);
      for (const { ms, kernels, parts, dispatches } of [whole, half, short, byMatrices]) {
        assert.ok(Number.isFinite(ms) && ms > 0, `${ms}`);
        for (const list of [kernels, parts]) {
          assert.ok(Math.abs(list.reduce((sum, one) => sum + one.ms, 0) - ms) < 1e-9 * ms);
          assert.equal(list.reduce((sum, one) => sum + one.dispatches, 0), dispatches);
          assert.deepEqual(list, list.toSorted((a, b) => b.ms - a.ms));
        }
      }
      assert.ok(half.ms < whole.ms && short.ms < whole.ms && half.bytes < whole.bytes && short.bytes < whole.bytes);
      assert.ok(byMatrices.kernels.some(({ kernel }) => kernel === "product_matrices.product"));
    }
  }
});

Deno.test("timeOf: near what was measured, also where nothing was fitted", () => {
  const errors = MEASURED.filter(({ fitted }) => !fitted).map(({ what, ms, works }) => {
    const predicted = works.reduce((sum, work) => sum + timeOf(work, H100), 0);
    return { what, error: Math.abs(predicted / ms - 1) };
  }).sort((a, b) => a.error - b.error);
  const most = (share: number) => errors[Math.floor(share * (errors.length - 1))];
  assert.ok(most(0.5).error < 0.08, JSON.stringify(most(0.5)));
  assert.ok(most(0.9).error < 0.22, JSON.stringify(most(0.9)));
  for (const { what, ms, works, fitted } of MEASURED) {
    const predicted = works.reduce((sum, work) => sum + timeOf(work, H100), 0);
    if (fitted) assert.ok(Math.abs(predicted / ms - 1) < 0.07, `${what}: ${predicted}`);
  }
});

Deno.test("forecastKernel: every kernel of the benchmarks has a time; a product's is that of its variant", async () => {
  for (const [kernel, { takes = () => true }] of Object.entries(KERNEL_BENCHES)) {
    const shape = { m: 64, n: 64, k: 64 };
    if (!takes(shape)) continue;
    const ms = await forecastKernel(H100, { kernel, shape }, { matrices: false });
    assert.ok(Number.isFinite(ms) && ms > 0, kernel);
  }
  const shape = { m: 1024, n: 768, k: 768 };
  const by = (variant: string, matrices: boolean) =>
    forecastKernel(H100, { kernel: "matmul", shape, dtype: "f16", variant }, { matrices });
  assert.ok(await by("matrices 128x128x32", true) < await by("tiles 64x64x16", true));
  assert.equal(await by("tiles 64x64x16", false), await by("tiles 64x64x16", true));
});

Deno.test("cardOf: by the name that an adapter has", () => {
  assert.equal(cardOf("NVIDIA H100 80GB HBM3"), H100);
  assert.equal(cardOf("NVIDIA GeForce RTX 4090")?.name, "RTX 4090");
  assert.equal(cardOf("AMD Radeon RX 7900 XTX (RADV NAVI31)")?.name, "Radeon RX 7900 XTX");
  assert.equal(cardOf("llvmpipe (LLVM 15.0.6, 256 bits)"), undefined);
});
