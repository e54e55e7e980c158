/**
 * Entail beside other runtimes, on the same adapter in one run; they take turns, and what counts are the ratios:
 *
 *     deno run -A scripts/bench/compare.ts [--json] [--only products|encoder|step] [--python PYTHON] [--rounds N]
 *         [--rows N] [--small]
 *
 * products  the three products that training a linear layer needs, in three shapes of DeBERTa-v3-base with --rows rows,
 *           beside jax-js, TensorFlow.js and ONNX Runtime Web: sampled outputs are compared with float64 sums before
 *           anything is timed. Timed by the device's clock; operands and results stay on it.
 * encoder   logits of a batch, beside ONNX Runtime Web and PyTorch, whose model the others read, and whose logits they
 *           must match. By the host's clock, until the logits are read.
 * step      an optimizer step (forward, backward, clipping, AdamW; dropout 0.1), beside PyTorch. By the host's clock.
 *
 * Entail takes part a second time on Dawn, where that is installed (./entail info gpu.backend=dawn says how).
 *
 * --python names an interpreter with torch and transformers, and onnx for ONNX Runtime's encoder; with it PyTorch takes
 * part in the products too, on CUDA where it has it. --small tries everything with tiny sizes.
 */
import { parseArgs } from "node:util";
import { compare } from "../../src/tuning/compare.ts";
import { printTable } from "../../src/cli/terminal.ts";
import { type Contestant, type Placed, race, startContestant } from "./peers/contestant.ts";
import { operandsOf, operandValues, OPERATIONS, type ProductJob } from "./peers/job.ts";

const PARTS = ["products", "encoder", "step"] as const;

const { values: options } = parseArgs({
  args: Deno.args,
  options: {
    json: { type: "boolean", default: false },
    only: { type: "string" },
    python: { type: "string" },
    rounds: { type: "string", default: "5" },
    rows: { type: "string", default: "1024" },
    small: { type: "boolean", default: false },
  },
});
const small = options.small;
const rounds = Number(options.rounds);
const rows = small ? 64 : Number(options.rows);
const parts = PARTS.filter((part) => options.only === undefined || options.only === part);
if (parts.length === 0 || !(rounds >= 1) || !(rows >= 1)) {
  console.error(`error: --only is one of ${PARTS.join(", ")}, --rounds and --rows are at least 1`);
  Deno.exit(2);
}

/** In and out features. */
const SHAPES = small ? [[32, 48]] : [[768, 768], [768, 3072], [3072, 768]];

const deberta = (sizes: Record<string, number>) => ({
  model_type: "deberta-v2",
  max_position_embeddings: 512,
  type_vocab_size: 0,
  relative_attention: true,
  max_relative_positions: -1,
  norm_rel_ebd: "layer_norm",
  share_att_key: true,
  pos_att_type: ["p2c", "c2p"],
  position_biased_input: false,
  ...sizes,
});

const DEMO = deberta({
  vocab_size: 1002,
  hidden_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  intermediate_size: 128,
  position_buckets: 32,
});
const MIDDLING = deberta({
  vocab_size: 1002,
  hidden_size: 384,
  num_hidden_layers: 6,
  num_attention_heads: 12,
  intermediate_size: 1536,
  position_buckets: 256,
});
const MODELS = small ? [{ model: "the demo's model", architecture: DEMO, batchSize: 2, maxLength: 16 }] : [
  { model: "the demo's model", architecture: DEMO, batchSize: 16, maxLength: 256 },
  { model: "384 × 6 layers", architecture: MIDDLING, batchSize: 8, maxLength: 128 },
];

/** A computation may take as long as the slowest step on a software adapter. */
const LIMIT_MS = 10 * 60_000;
const TURN_MS = small ? 1 : 2000;
const PRODUCT_TURN_MS = small ? 1 : 100;

interface Row {
  what: string;
  floatingPointOperations?: number;
  placed: Placed[];
}

/** Who did not take part, and why. */
const absent = new Map<string, string>();

const NAMES: Record<string, string> = {
  "entail.ts": "entail",
  "entail.ts dawn": "entail on Dawn",
  "jax_js.ts": "jax-js",
  "tfjs.ts": "tfjs-webgpu",
  "onnxruntime_web.ts": "ONNX Runtime Web",
  "pytorch.py": "PyTorch",
};

/** Those that start; the others are reported with their reason. */
async function start(files: readonly string[]): Promise<Contestant[]> {
  const started: Contestant[] = [];
  for (const file of files) {
    if (file.endsWith(".py") && options.python === undefined) {
      absent.set("PyTorch", "needs --python");
      continue;
    }
    try {
      started.push(await startContestant(file, LIMIT_MS, options.python));
    } catch (error) {
      absent.set(NAMES[file], (error as Error).message);
    }
  }
  return started;
}

/** Compares with float64 sums at places all over the result. */
function productSample(job: ProductJob) {
  const { a, b, transposeA, transposeB, m, n, k } = operandsOf(job);
  const [left, right] = [operandValues("a", a), operandValues("b", b)];
  const at = Array.from({ length: 240 }, (_, i) => Math.floor(m * n * ((i * 0.6180339887) % 1)));
  at[0] = m * n - 1;
  const expected = at.map((place) => {
    const [row, column] = [Math.floor(place / n), place % n];
    let sum = 0;
    for (let i = 0; i < k; i++) {
      sum += left[transposeA ? i * m + row : row * k + i] * right[transposeB ? column * k + i : i * n + column];
    }
    return sum;
  });
  return { at, check: checkAgainst(expected, 2e-7 * k) };
}

const checkAgainst = (expected: readonly number[], atol: number) => (values: readonly number[], name: string) => {
  const { off, worst } = compare(values, expected, { atol, rtol: 1e-4 });
  if (off === 0 && values.length === expected.length) return;
  throw new Error(`${name} is wrong: ${values[worst]}, expected ${expected[worst]} (${off} of ${expected.length})`);
};

async function products(): Promise<Row[]> {
  const contestants = await start([
    "entail.ts",
    "entail.ts dawn",
    "jax_js.ts",
    "tfjs.ts",
    "onnxruntime_web.ts",
    "pytorch.py",
  ]);
  const results: Row[] = [];
  for (const [inFeatures, outFeatures] of SHAPES) {
    for (const operation of OPERATIONS) {
      const job: ProductJob = { kind: "product", operation, rows, inFeatures, outFeatures };
      const placed = await race(contestants, { job, rounds, turnMs: PRODUCT_TURN_MS, sample: productSample(job) });
      const what = `${operation}, ${rows} × ${inFeatures} → ${outFeatures}`;
      results.push({ what, floatingPointOperations: 2 * rows * inFeatures * outFeatures, placed });
    }
  }
  contestants.forEach(({ stop }) => stop());
  return results;
}

async function encoder(): Promise<Row[]> {
  const contestants = await start(["pytorch.py", "entail.ts", "entail.ts dawn", "onnxruntime_web.ts"]);
  const [pytorch] = contestants;
  const results: Row[] = [];
  for (const { model, ...sizes } of MODELS) {
    if (pytorch?.name.startsWith("PyTorch") !== true) break; // nobody else makes the model
    const folder = await Deno.makeTempDir();
    const job = { kind: "forward" as const, folder, ...sizes };
    const at = Array.from({ length: sizes.batchSize * 2 }, (_, i) => i);
    try {
      await pytorch.ask({ prepare: job }); // writes the model
      const sample = { at, check: checkAgainst(await pytorch.ask<number[]>({ sample: at }), 1e-4) };
      const placed = await race(contestants, { job, rounds, turnMs: TURN_MS, sample });
      results.push({ what: `${model}, ${sizes.batchSize} × ${sizes.maxLength}`, placed });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }
  contestants.forEach(({ stop }) => stop());
  return results;
}

async function steps(): Promise<Row[]> {
  const contestants = await start(["entail.ts", "entail.ts dawn", "pytorch.py"]);
  const results: Row[] = [];
  for (const { model, ...sizes } of MODELS) {
    const job = { kind: "step" as const, precision: "fp32", ...sizes };
    const placed = await race(contestants, { job, rounds, turnMs: TURN_MS });
    results.push({ what: `${model}, ${sizes.batchSize} × ${sizes.maxLength}`, placed });
  }
  contestants.forEach(({ stop }) => stop());
  return results;
}

/** How many times as long the others take. */
function ratios({ placed }: Row): Record<string, number> {
  const ours = placed.find(({ name }) => name === "entail")?.ms;
  if (!ours) return {};
  return Object.fromEntries(placed.filter(({ ms }) => ms !== null).map(({ name, ms }) => [name, ms! / ours]));
}

function print(title: string, results: readonly Row[]): void {
  const rows = results.flatMap((row) => {
    const of = ratios(row);
    return row.placed.map(({ name, device, ms, error }, i) => [
      i ? "" : row.what,
      name,
      error ?? ms!.toPrecision(4),
      ms && row.floatingPointOperations ? (row.floatingPointOperations / ms / 1e6).toFixed(2) : "",
      name in of ? of[name].toFixed(2) : "",
      device ?? "",
    ]);
  });
  printTable([title, "by", "ms", "GFLOP/s", "its time / entail's", "on"], rows);
}

const measure = { products, encoder, step: steps };
const results: Partial<Record<typeof PARTS[number], Row[]>> = {};
for (const part of parts) {
  results[part] = await measure[part]();
  if (!options.json && results[part].length > 0) print(part, results[part]);
}
if (options.json) {
  const withRatios = Object.entries(results).map(([part, row]) => [
    part,
    row.map((of) => ({ ...of, ratios: ratios(of) })),
  ]);
  const described = { deno: Deno.version.deno, rounds, ...Object.fromEntries(withRatios) };
  console.log(JSON.stringify({ ...described, absent: Object.fromEntries(absent) }, null, 2));
} else {
  for (const [name, error] of absent) console.log(`${name} did not take part: ${error}`);
}
