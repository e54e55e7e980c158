/**
 * Everything that is worth knowing of a machine with a GPU, in one call:
 *
 *     deno run -A scripts/bench/gpu.ts [--python PYTHON] [--minutes 9.5] [--output outputs/gpu] [--only TEXT] [--small]
 *
 * Training steps of DeBERTa-v3-base's shape from random weights (24 × 512 tokens; fp32, fp16, bf16, and with tuned
 * kernels), with memory and the share of time that the device works; every kernel at that model's sizes in each of its
 * variants, compared with float64 before it is timed, as a share of the roof that this adapter shows; other runtimes'
 * products; PyTorch beside them, where --python (default: python3) has it; the tests of kernels.
 * The most important comes first, nothing is downloaded but other runtimes (without a network their rows say so), and
 * OUTPUT/gpu.json and gpu.md are written anew after every part. --only takes parts with this text in their name;
 * --small tries everything with tiny sizes. After --minutes everything is over, whatever is still missing.
 *
 * An NVIDIA card that has nothing to do lowers its clock within seconds: where there is CUDA, this process keeps a
 * context of it open, which keeps the clock up, and the clock is read all along.
 */
import { parseArgs } from "node:util";
import type { KernelResult } from "../../src/bench/bench_kernel.ts";
import { median } from "../../src/tuning/median.ts";
import type { StepResult } from "../../src/bench/step.ts";
import { VERSION } from "../../src/version.ts";
import { markdown, output, type Part, type Report, type Row, runParts } from "./parts.ts";
import { type Placed, startContestant } from "./peers/contestant.ts";
import type { Prepared, StepJob, Timing } from "./peers/job.ts";

const { values: options } = parseArgs({
  args: Deno.args,
  options: {
    python: { type: "string", default: "python3" },
    minutes: { type: "string", default: "9.5" },
    output: { type: "string", default: "outputs/gpu" },
    only: { type: "string", default: "" },
    small: { type: "boolean", default: false },
  },
});
const { small, python } = options;

const ROOT = new URL("../../", import.meta.url).pathname;
const DENO = [Deno.execPath(), "run", "-A", "--quiet", "--no-check", "--config", `${ROOT}deno.json`];
const ENTAIL = [...DENO, "--frozen", `${ROOT}src/cli/main.ts`];

const SIZES = small
  ? { vocab_size: 200, hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 64 }
  : { vocab_size: 128100, hidden_size: 768, num_hidden_layers: 12, num_attention_heads: 12, intermediate_size: 3072 };
/** Hugging Face's config.json of DeBERTa-v3-base. */
const ARCHITECTURE = {
  ...SIZES,
  max_position_embeddings: 512,
  type_vocab_size: 0,
  relative_attention: true,
  max_relative_positions: -1,
  position_buckets: small ? 8 : 256,
  norm_rel_ebd: "layer_norm",
  share_att_key: true,
  pos_att_type: ["p2c", "c2p"],
  position_biased_input: false,
};
const [batchSize, maxLength] = small ? [2, 16] : [24, 512];
const tokens = batchSize * maxLength;
const WHAT = `step, ${batchSize} × ${maxLength}`;

const gigabytes = (bytes?: number): string | undefined => bytes && `${(bytes / 1e9).toPrecision(3)} GB` || undefined;
const samples = (ms: number): string => `${(batchSize / ms * 1000).toPrecision(3)} samples/s`;

/** Entail's training step; with `tune`, by the variants of kernels that gpu.tune finds. */
function stepPart(precision: string, tune?: "quick"): Part {
  const overrides = [
    "model=deberta_nli",
    "model.model_name=null",
    `model.architecture=${JSON.stringify(ARCHITECTURE).replaceAll('"', "")}`,
    `training.batch_size=${batchSize}`,
    `data.max_length=${maxLength}`,
    `training.optimization.precision=${precision}`,
    `gpu.tune=${tune ?? "off"}`,
  ];
  return {
    name: `step ${precision}${tune ? ", tuned" : ""}`,
    limitSeconds: tune ? 120 : 90,
    async measure(limitMs) {
      const text = await output([...ENTAIL, "bench", "step", "--json", ...overrides], limitMs);
      const step: StepResult = JSON.parse(text).results[0];
      return [{
        what: WHAT,
        by: `entail ${step.precision}${tune ? `, gpu.tune=${tune}` : ""}`,
        ms: step.ms,
        rate: samples(step.ms),
        memory: gigabytes(step.peak_bytes),
        note: [
          step.precision === precision ? "" : `asked for ${precision}`,
          step.busy === null ? "" : `busy ${(step.busy * 100).toFixed(0)} %`,
          ...step.profile.slice(0, 4).map(({ kernel, ms }) => `${kernel} ${ms.toPrecision(3)}`),
        ].filter((text) => text).join(", "),
      }];
    },
  };
}

const STEPS_TIMED = small ? 1 : 10;

const pytorchPart: Part = {
  name: "step PyTorch",
  limitSeconds: 120,
  async measure(limitMs) {
    const pytorch = await startContestant("pytorch.py", limitMs, python);
    const timer = setTimeout(pytorch.stop, limitMs);
    const rows: Row[] = [];
    for (const precision of ["fp32", "tf32", "bf16", "fp16"]) {
      const job: StepJob = { kind: "step", precision, architecture: ARCHITECTURE, batchSize, maxLength };
      const row = { what: WHAT, by: `${pytorch.name} ${precision}` };
      try {
        const { device } = await pytorch.ask<Prepared>({ prepare: job });
        await pytorch.ask<Timing>({ time: 3 });
        const times: Timing[] = [];
        for (let turn = 0; turn < 3; turn++) times.push(await pytorch.ask<Timing>({ time: STEPS_TIMED }));
        const ms = median(times.map(({ ms }) => ms));
        rows.push({ ...row, ms, rate: samples(ms), memory: gigabytes(times[0].peak_bytes), note: device });
      } catch (error) {
        rows.push({ ...row, note: `failed: ${(error as Error).message}` });
      }
    }
    clearTimeout(timer);
    pytorch.stop();
    return rows;
  },
};

/** One kernel at one shape in one type: all of its variants that `bench kernels` knows here. */
function kernelPart(kernel: string, [m, n, k]: readonly number[], dtype: "f32" | "f16" | "bf16" = "f32"): Part {
  const shape = `${m}x${n}x${k}`;
  return {
    name: `kernel ${kernel} ${shape} ${dtype}`,
    limitSeconds: 30,
    async measure(limitMs) {
      const args = ["bench", "kernels", "--json", "--kernel", kernel, "--shape", shape, "--dtype", dtype];
      const results: KernelResult[] = JSON.parse(await output([...ENTAIL, ...args], limitMs)).results;
      return results.map(({ variant, ms, gflops, gbps, roof }) => ({
        what: `${kernel}, ${m} × ${n} × ${k}`,
        by: `entail ${variant}, ${dtype}`,
        ms,
        note: `${(100 * roof).toFixed(0)} % of the roof`,
        rate: `${(gflops / 1000).toPrecision(3)} TFLOP/s, ${gbps.toPrecision(3)} GB/s`,
      }));
    },
  };
}

const { hidden_size: hidden, intermediate_size: wide } = SIZES;
const PRODUCTS = ["matmul", "matmul_input_gradient", "matmul_weight_gradient"];
const ATTENTION = ["attention", "attention_backward"];
const TYPES = ["f32", "f16"] as const;
const kernelParts: Part[] = [
  ...TYPES.flatMap((type) => PRODUCTS.map((kernel) => kernelPart(kernel, [tokens, hidden, hidden], type))),
  ...TYPES.flatMap((type) => ATTENTION.map((kernel) => kernelPart(kernel, [tokens, hidden, maxLength], type))),
  ...[[wide, hidden], [hidden, wide]].flatMap((layer) =>
    PRODUCTS.map((kernel) => kernelPart(kernel, [tokens, ...layer], "f16"))
  ),
  ...["layer_norm", "layer_norm_backward", "embedding_backward", "dropout", "adamw"].map((kernel) =>
    kernelPart(kernel, [tokens, hidden, 1], "f16")
  ),
  kernelPart("gelu_backward", [tokens, wide, 1], "f16"),
  kernelPart("grad_norm", [tokens, hidden, 1]),
];

const peersPart: Part = {
  name: "products beside others",
  limitSeconds: 200,
  async measure(limitMs) {
    const sizes = small ? ["--small", "--rounds", "1"] : ["--rows", `${tokens}`, "--rounds", "3"];
    const args = [...DENO, `${ROOT}scripts/bench/compare.ts`, "--json", "--only", "products", "--python", python];
    const { products, absent } = JSON.parse(await output([...args, ...sizes], limitMs));
    return [
      ...products.flatMap((
        row: { what: string; floatingPointOperations: number; placed: Placed[]; ratios: Record<string, number> },
      ) =>
        row.placed.map(({ name, ms, error }): Row => ({
          what: row.what,
          by: name,
          ms: ms ?? undefined,
          rate: ms ? `${(row.floatingPointOperations / ms / 1e9).toPrecision(3)} TFLOP/s` : undefined,
          note: error ? `failed: ${error}` : `${row.ratios[name]?.toFixed(2)} × entail's time`,
        }))
      ),
      ...Object.entries(absent).map(([name, error]): Row => ({ what: "products", by: name, note: `failed: ${error}` })),
    ];
  },
};

const testsPart: Part = {
  name: "tests of kernels",
  limitSeconds: 300,
  async measure(limitMs) {
    const paths = small ? ["tests/gpu/kernel_test.ts"] : ["tests/nn", "tests/gpu", "tests/tuning"];
    const text = await output([...ENTAIL, "test", "--quiet", ...paths.map((path) => `${ROOT}${path}`)], limitMs);
    return [{ what: "tests of kernels on this adapter", by: "entail", note: text.trim().split("\n").at(-1) }];
  },
};

/** The most important first. */
const PARTS: readonly Part[] = [
  stepPart("fp32"),
  stepPart("fp16"),
  pytorchPart,
  stepPart("fp16", "quick"),
  ...kernelParts,
  peersPart,
  stepPart("bf16"),
  stepPart("fp32", "quick"),
  testsPart,
];

/** Keeps a CUDA context open until this process ends; false where there is no CUDA. */
function holdClock(): boolean {
  try {
    const cuda = Deno.dlopen("libcuda.so.1", {
      cuInit: { parameters: ["u32"], result: "i32" },
      cuDeviceGet: { parameters: ["buffer", "i32"], result: "i32" },
      cuDevicePrimaryCtxRetain: { parameters: ["buffer", "i32"], result: "i32" },
    });
    const device = new Int32Array(1);
    const context = new BigUint64Array(1);
    const { cuInit, cuDeviceGet, cuDevicePrimaryCtxRetain } = cuda.symbols;
    return cuInit(0) === 0 && cuDeviceGet(device, 0) === 0 && cuDevicePrimaryCtxRetain(context, device[0]) === 0;
  } catch {
    return false;
  }
}

const smi = (what: string): Promise<string | null> =>
  output(["nvidia-smi", `--query-gpu=${what}`, "--format=csv,noheader,nounits", "--id=0"], 5000).then(
    (text) => text.trim(),
    () => null,
  );

/** The part, with a note of the clock that the card had meanwhile (the median of readings) where it can be read. */
function withClock(part: Part): Part {
  return {
    ...part,
    async measure(limitMs) {
      const readings: number[] = [];
      const read = async () => {
        const text = await smi("clocks.sm");
        if (text && Number(text) > 0) readings.push(Number(text));
      };
      const timer = setInterval(read, 1500);
      try {
        const rows = await part.measure(limitMs);
        const clock = readings.length ? `SM ${median(readings)} MHz` : "";
        return rows.map((row) => ({ ...row, note: [row.note, clock].filter((text) => text).join(", ") }));
      } finally {
        clearInterval(timer);
      }
    },
  };
}

const clockHeld = holdClock();
const machine = {
  date: new Date().toISOString(),
  entail: VERSION,
  deno: Deno.version.deno,
  adapter: await output([...ENTAIL, "info", "--json"], 60_000).then(
    (text) => JSON.parse(text).adapter,
    (error: Error) => ({ name: "no adapter", error: error.message }),
  ),
  nvidia: await smi("name,driver_version,memory.total,clocks.max.sm"),
  clock_held: clockHeld,
};
const title = `${machine.adapter.name}, entail ${VERSION}, Deno ${machine.deno}, ${machine.date}` +
  (machine.nvidia ? `; ${machine.nvidia}` : "") + (clockHeld ? "; clock held up by an open CUDA context" : "");

await Deno.mkdir(options.output, { recursive: true });
async function write(parts: readonly Report[]): Promise<void> {
  await Deno.writeTextFile(`${options.output}/gpu.json`, `${JSON.stringify({ ...machine, parts }, null, 2)}\n`);
  await Deno.writeTextFile(`${options.output}/gpu.md`, `${title}\n\n${markdown(parts)}`);
  const { name, seconds, rows } = parts[parts.length - 1];
  const failures = rows.filter(({ note }) => note?.startsWith("failed")).length;
  console.error(`${name}: ${seconds.toFixed(1)} s${failures ? `, ${failures} failed` : ""}`);
}
const chosen = PARTS.filter(({ name }) => name.includes(options.only)).map(withClock);
const reports = await runParts(chosen, Number(options.minutes) * 60_000, write);
console.log(`${title}\n\n${markdown(reports)}`);
Deno.exit(0);
