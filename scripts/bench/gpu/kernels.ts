/** Kernels in each of their variants, compared with float64 before they are timed; other runtimes' products; the tests. */
import type { BenchType, KernelResult } from "../../../src/bench/bench_kernel.ts";
import { forecastKernel } from "../../../src/bench/forecast/forecast.ts";
import { output, type Part, type Row } from "../parts.ts";
import type { Placed } from "../peers/contestant.ts";
import { type Backend, DENO, ENTAIL, entailOn, script, type Setup, tests } from "./setup.ts";

/** One kernel at one shape in one type: all of its variants that `bench kernels` knows there. */
function kernelPart(
  { card }: Setup,
  backend: Backend,
  kernel: string,
  [m, n, k]: readonly number[],
  dtype: BenchType,
): Part {
  const shape = `${m}x${n}x${k}`;
  return {
    name: `kernel ${kernel} ${shape} ${dtype} ${backend.name}`,
    limitSeconds: 30,
    async measure(limitMs) {
      const asked = ["--kernel", kernel, "--shape", shape, "--dtype", dtype, `gpu.backend=${backend.name}`];
      const text = await output([...ENTAIL, "bench", "kernels", "--json", ...asked], limitMs);
      const results: KernelResult[] = JSON.parse(text).results;
      return await Promise.all(results.map(async ({ variant, ms, gflops, gbps, roof }) => ({
        what: `${kernel}, ${m} × ${n} × ${k}`,
        by: `${entailOn(backend)}, ${variant}, ${dtype}`,
        ms,
        predicted: card && await forecastKernel(card, { kernel, shape: { m, n, k }, dtype, variant }, backend),
        note: `${(100 * roof).toFixed(0)} % of the roof`,
        rate: `${(gflops / 1000).toPrecision(3)} TFLOP/s, ${gbps.toPrecision(3)} GB/s`,
      })));
    },
  };
}

const PRODUCTS = ["matmul", "matmul_input_gradient", "matmul_weight_gradient"];
const ATTENTION = ["attention", "attention_backward"];

/** Products and attention at the model's sizes, the goals' own shape first. */
export function mainKernels(setup: Setup, backend: Backend, types: readonly BenchType[]): Part[] {
  const { model: { hidden_size: hidden, intermediate_size: wide }, batchSize, maxLength, small } = setup;
  const tokens = batchSize * maxLength;
  const parts = (kernels: readonly string[], shape: readonly number[]) =>
    kernels.flatMap((kernel) => types.map((type) => kernelPart(setup, backend, kernel, shape, type)));
  return [
    ...parts(["matmul"], small ? [32, 64, 32] : [8192, 3072, 768]),
    ...parts(ATTENTION, [tokens, hidden, maxLength]),
    ...parts(PRODUCTS, [tokens, hidden, hidden]),
    ...parts(PRODUCTS, [tokens, wide, hidden]),
  ];
}

export function otherKernels(setup: Setup, backend: Backend): Part[] {
  const { model: { hidden_size: hidden, intermediate_size: wide }, batchSize, maxLength } = setup;
  const tokens = batchSize * maxLength;
  const rows = ["layer_norm", "layer_norm_backward", "embedding_backward", "dropout", "adamw"];
  return [
    ...rows.map((kernel) => kernelPart(setup, backend, kernel, [tokens, hidden, 1], "f16")),
    kernelPart(setup, backend, "gelu_backward", [tokens, wide, 1], "f16"),
    kernelPart(setup, backend, "grad_norm", [tokens, hidden, 1], "f32"),
  ];
}

interface Compared {
  what: string;
  floatingPointOperations: number;
  placed: Placed[];
  ratios: Record<string, number>;
}

/** Products beside other runtimes', which are downloaded. */
export const peersPart = ({ small, python, batchSize, maxLength }: Setup): Part => ({
  name: "products beside others",
  limitSeconds: 150,
  async measure(limitMs) {
    const sizes = small ? ["--small", "--rounds", "1"] : ["--rows", `${batchSize * maxLength}`, "--rounds", "3"];
    const args = [...DENO, script("compare.ts"), "--json", "--only", "products", "--python", python, ...sizes];
    const { products, absent }: { products: Compared[]; absent: Record<string, string> } = JSON.parse(
      await output(args, limitMs),
    );
    return [
      ...products.flatMap(({ what, floatingPointOperations, placed, ratios }) =>
        placed.map(({ name, ms, error }): Row => ({
          what,
          by: name,
          ms: ms ?? undefined,
          rate: ms ? `${(floatingPointOperations / ms / 1e9).toPrecision(3)} TFLOP/s` : undefined,
          note: error ? `failed: ${error}` : `${ratios[name]?.toFixed(2)} × entail's time`,
        }))
      ),
      ...Object.entries(absent).map(([name, error]): Row => ({ what: "products", by: name, note: `failed: ${error}` })),
    ];
  },
});

/** The tests of kernels and of what runs them: every variant, with odd sizes. */
export const testsPart = ({ small }: Setup, backend: Backend): Part => ({
  name: `tests ${backend.name}`,
  limitSeconds: 240,
  async measure(limitMs) {
    const paths = (small ? ["gpu/kernel_test.ts"] : ["nn", "gpu", "tuning"]).map(tests);
    const text = await output([...ENTAIL, "test", "--quiet", ...paths], limitMs, { ENTAIL_BACKEND: backend.name });
    return [{ what: "tests of kernels on this adapter", by: entailOn(backend), note: text.trim().split("\n").at(-1) }];
  },
});
