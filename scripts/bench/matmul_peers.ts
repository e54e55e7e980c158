// deno-lint-ignore-file no-import-prefix -- the peers are only compared with, they are no dependencies
/**
 * One matrix product, 1024×768×768 in fp32, beside other WebGPU runtimes on the same adapter in one process:
 *
 *     deno run -A scripts/bench/matmul_peers.ts [--json] [--rounds=N]
 *
 * Every runtime computes y [1024, 768] = x [1024, 768] · W; ours takes W as [out, in], as checkpoints hold it. The
 * runtimes take turns within each round, and a time is from submission to the end of the queue's work, so that no one
 * depends on another's profiler; the median and the best of the rounds are printed, and for ours also the GPU's own time.
 */
import Table from "cli-table3";
import { parseArgs } from "node:util";
import { openGpu } from "../../src/gpu/device.ts";
import { preparePrograms } from "../../src/gpu/program.ts";
import { createTensor, readTensor, writeTensor } from "../../src/gpu/tensor.ts";
import { linearForward } from "../../src/nn/linear.ts";
import { createPlan, fixedRows } from "../../src/nn/plan.ts";

const { values: options } = parseArgs({
  args: Deno.args,
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "7" } },
});
const ROUNDS = Number(options.rounds);
const [ROWS, OUT, IN] = [1024, 768, 768];
const OPERATIONS = 2 * ROWS * OUT * IN;

interface Contestant {
  name: string;
  /** Computes once; resolves when the result is complete on the device. */
  run(): Promise<void>;
  result(): Promise<ArrayLike<number>>;
}

const x = Float32Array.from({ length: ROWS * IN }, (_, i) => Math.sin(i * 0.7));
const weight = Float32Array.from({ length: OUT * IN }, (_, i) => Math.cos(i * 0.3)); // [out, in]
const transposed = new Float32Array(IN * OUT);
for (let o = 0; o < OUT; o++) for (let i = 0; i < IN; i++) transposed[i * OUT + o] = weight[o * IN + i];

const gpu = await openGpu();

async function entail(): Promise<Contestant & { gpuMilliseconds(): Promise<number> }> {
  const [xTensor, weightTensor, y] = await Promise.all([
    createTensor(gpu, "x", [ROWS, IN]),
    createTensor(gpu, "weight", [OUT, IN]),
    createTensor(gpu, "y", [ROWS, OUT]),
  ]);
  writeTensor(gpu, xTensor, x);
  writeTensor(gpu, weightTensor, weight);
  const plan = createPlan(gpu, "matmul");
  const rows = fixedRows(gpu, "rows", ROWS);
  linearForward(plan, { x: xTensor, weight: weightTensor, y }, { rows, inFeatures: IN, outFeatures: OUT });
  const { executables: [executable] } = await preparePrograms(gpu, "matmul", [plan]);
  const sizes = { tokens: ROWS, sequences: 1, longest: ROWS, uniqueIds: 1 };
  return {
    name: "entail",
    async run() {
      executable.run(sizes);
      await gpu.device.queue.onSubmittedWorkDone();
    },
    result: () => readTensor(gpu, y),
    async gpuMilliseconds() {
      const times = await executable.profile(sizes);
      return times.reduce((sum, { nanoseconds }) => sum + nanoseconds, 0) / 1e6;
    },
  };
}

async function tfjs(): Promise<Contestant> {
  const tf = await import("npm:@tensorflow/tfjs-core@4.22.0");
  await import("npm:@tensorflow/tfjs-backend-webgpu@4.22.0"); // registers itself
  await tf.setBackend("webgpu");
  if (tf.getBackend() !== "webgpu") throw new Error(`tfjs chose ${tf.getBackend()}`);
  const a = tf.tensor2d(x, [ROWS, IN]);
  const b = tf.tensor2d(transposed, [IN, OUT]);
  return {
    name: "tfjs-webgpu 4.22.0",
    async run() {
      const c = tf.matMul(a, b);
      // Reading a few of its outputs is the only wait that covers what tfjs records lazily.
      const corner = tf.slice(c, [0, 0], [1, 4]);
      await corner.data();
      corner.dispose();
      c.dispose();
    },
    result: () => tf.matMul(a, b).data() as Promise<Float32Array>,
  };
}

async function jaxJs(): Promise<Contestant> {
  const { init, numpy, defaultDevice, blockUntilReady } = await import("npm:@jax-js/jax@0.1.25");
  await init("webgpu");
  defaultDevice("webgpu");
  const a = numpy.array(x, { shape: [ROWS, IN] });
  const b = numpy.array(transposed, { shape: [IN, OUT] });
  await blockUntilReady([a, b]);
  return {
    name: "jax-js 0.1.25",
    async run() {
      const c = numpy.matmul(a.ref, b.ref);
      await blockUntilReady(c);
      c.dispose();
    },
    result: async () => await numpy.matmul(a.ref, b.ref).data() as Float32Array,
  };
}

/** Compares 200 outputs with float64 sums. */
function check(name: string, result: ArrayLike<number>): void {
  for (let sample = 0; sample < 200; sample++) {
    const at = (sample * 7919 * 31) % (ROWS * OUT);
    const [row, column] = [Math.floor(at / OUT), at % OUT];
    let sum = 0;
    for (let i = 0; i < IN; i++) sum += x[row * IN + i] * weight[column * IN + i];
    if (!(Math.abs(result[at] - sum) < 1e-3)) throw new Error(`${name}: ${result[at]} at ${at}, expected ${sum}`);
  }
}

const ours = await entail();
const contestants: Contestant[] = [ours, await tfjs(), await jaxJs()];
for (const contestant of contestants) {
  check(
    contestant.name,
    await contestant.result().then(async (first) => {
      if (contestant !== ours) return first;
      await ours.run();
      return await ours.result();
    }),
  );
}

const times = contestants.map((): number[] => []);
const gpuTimes: number[] = [];
for (let round = -1; round < ROUNDS; round++) {
  for (const [index, contestant] of contestants.entries()) {
    const begin = performance.now();
    await contestant.run();
    if (round >= 0) times[index].push(performance.now() - begin);
  }
  if (round >= 0 && gpu.hasTimestamps) gpuTimes.push(await ours.gpuMilliseconds());
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];
const rate = (milliseconds: number) => OPERATIONS / milliseconds / 1e6;
const results = contestants.map(({ name }, index) => ({
  name,
  ms: median(times[index]),
  best_ms: Math.min(...times[index]),
  gflops: rate(median(times[index])),
}));
if (gpuTimes.length) {
  const ms = median(gpuTimes);
  results.push({ name: "entail, GPU timestamps", ms, best_ms: Math.min(...gpuTimes), gflops: rate(ms) });
}

if (options.json) {
  console.log(
    JSON.stringify({ adapter: gpu.name, deno: Deno.version.deno, shape: { m: ROWS, n: OUT, k: IN }, results }),
  );
} else {
  const table = new Table({ head: ["fp32 1024×768×768", "median ms", "best ms", "GFLOP/s", "ours is × as fast"] });
  for (const { name, ms, best_ms, gflops } of results) {
    table.push([name, ms.toFixed(1), best_ms.toFixed(1), gflops.toFixed(2), (ms / results[0].ms).toFixed(2)]);
  }
  console.log(`${gpu.name}, Deno ${Deno.version.deno}, ${ROUNDS} rounds\n${table}`);
}
gpu.close();
Deno.exit(0);
