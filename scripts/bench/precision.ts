/**
 * Training in half precision beside fp32: the losses of 300 optimizer steps on the demo data with three seeds in each
 * precision, and the mean F1 of its five folds. Writes precision.svg beside this file.
 *
 *     deno run -A scripts/bench/precision.ts [--steps 300] [--seeds 1,2,3] [--no-folds] [--matrices]
 *
 * --matrices: instead, fp16 with products on tensor cores, emulated where the adapter has none, beside fp32, with four
 * pairs a step because that takes long; no folds and no picture.
 */
import { parseArgs } from "node:util";
import { composeConfig } from "../../src/config/config.ts";
import { type Gpu, openGpu } from "../../src/gpu/device.ts";
import { withMatrices } from "../../src/gpu/emulation.ts";
import { renderSvg } from "../../src/report/chart.ts";
import { cartesian } from "../../src/report/chart_style.ts";
import { crossValidate } from "../../src/training/cross_validation.ts";
import { silentReporter } from "../../src/training/reporter.ts";

/** Steps over which a drawn and a compared loss is the mean. */
const SMOOTHING = 25;

const { values: options } = parseArgs({
  options: {
    steps: { type: "string", default: "300" },
    seeds: { type: "string", default: "1,2,3" },
    folds: { type: "boolean", default: true },
    matrices: { type: "boolean", default: false },
  },
  allowNegative: true,
});
const seeds = options.seeds.split(",").map(Number);
const work = Deno.makeTempDirSync({ prefix: "entail-precision-" });
const gpu = await openGpu();

interface Contestant {
  name: string;
  colour: string;
  gpu: Gpu;
  overrides: string[];
}

const storing = (precision: string) => `training.optimization.precision=${precision}`;
const few = options.matrices ? ["training.batch_size=4"] : [];
const fp32: Contestant = { name: "fp32", colour: "#5470c6", gpu, overrides: [storing("fp32"), ...few] };
const fp16: Contestant = { name: "fp16", colour: "#d1495b", gpu, overrides: [storing("fp16"), ...few] };
const bf16: Contestant = { name: "bf16", colour: "#3a9a6b", gpu, overrides: [storing("bf16")] };
const contestants = options.matrices
  ? [fp32, { ...fp16, name: "fp16 on matrices", gpu: withMatrices(gpu) }]
  : [fp32, fp16, bf16];

interface StepLine {
  step?: number;
  loss?: number | null;
  skipped?: boolean;
}

/** Trains in a folder of its own; returns the folder, and what `train` would have summarised. */
async function train({ gpu, overrides }: Contestant, more: string[], fold?: number) {
  const folder = Deno.makeTempDirSync({ dir: work });
  const config = composeConfig(["mlflow.enable=false", `output_dir=${folder}`, ...overrides, ...more]);
  return { folder, summary: await crossValidate(gpu, config, { fold, reporter: silentReporter }) };
}

/** Smoothed losses by step, and how many steps were skipped. */
async function losses(contestant: Contestant, seed: number): Promise<{ curve: number[]; skipped: number }> {
  const { folder } = await train(contestant, [
    `seed=${seed}`,
    "kfold.n_splits=5",
    "training.num_epochs=100",
    `training.max_steps=${options.steps}`,
    "training.early_stopping_patience=null",
  ], 0);
  const lines = Deno.readTextFileSync(`${folder}/fold_0/metrics.jsonl`).trim().split("\n").map((line) =>
    JSON.parse(line) as StepLine
  ).filter(({ step }) => step !== undefined);
  const values = lines.map(({ loss }) => loss).filter((loss) => typeof loss === "number");
  const curve = values.slice(SMOOTHING - 1).map((_, at) =>
    values.slice(at, at + SMOOTHING).reduce((sum, loss) => sum + loss, 0) / SMOOTHING
  );
  return { curve, skipped: lines.filter(({ skipped }) => skipped).length };
}

/** Root of the mean square of the differences. */
function distance(a: readonly number[], b: readonly number[]): number {
  const count = Math.min(a.length, b.length);
  return Math.sqrt(a.slice(0, count).reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0) / count);
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const runsOf = new Map<Contestant, { curve: number[]; skipped: number }[]>();
for (const contestant of contestants) {
  const runs = [];
  for (const seed of seeds) {
    runs.push(await losses(contestant, seed));
    console.error(`${contestant.name}, seed ${seed}: last ${runs.at(-1)!.curve.at(-1)?.toFixed(4)}`);
  }
  runsOf.set(contestant, runs);
}

const ofSeeds = runsOf.get(fp32)!.map(({ curve }) => curve);
const spread = mean(ofSeeds.flatMap((a, i) => ofSeeds.slice(i + 1).map((b) => distance(a, b))));
const rows = contestants.map((contestant) => {
  const runs = runsOf.get(contestant)!;
  return {
    precision: contestant.name,
    // Of the curve from that of fp32 with the same seed, in units of the distance between two seeds.
    distance: mean(runs.map(({ curve }, i) => distance(curve, ofSeeds[i]))) / spread,
    skipped: runs.map(({ skipped }) => skipped),
    last: mean(runs.map(({ curve }) => curve.at(-1)!)),
    f1: null as number | null,
  };
});
if (options.folds && !options.matrices) {
  for (const [i, contestant] of contestants.entries()) {
    rows[i].f1 = (await train(contestant, [])).summary.mean.f1;
    console.error(`${contestant.name}: F1 ${rows[i].f1}`);
  }
}
gpu.close();
Deno.removeSync(work, { recursive: true });

if (!options.matrices) {
  const option = {
    ...cartesian("optimizer step", `loss, mean of ${SMOOTHING} steps`, contestants),
    series: contestants.flatMap((contestant) =>
      runsOf.get(contestant)!.map(({ curve }) => ({
        name: contestant.name,
        type: "line" as const,
        showSymbol: false,
        lineStyle: { color: contestant.colour, width: 1.5, opacity: 0.8 },
        data: curve.map((loss, at) => [at + SMOOTHING, loss]),
      }))
    ),
  };
  const svg = renderSvg({ name: "precision", option, size: { width: 960, height: 360 } });
  Deno.writeTextFileSync(new URL("precision.svg", import.meta.url), svg);
}
console.log(JSON.stringify({ steps: Number(options.steps), seeds, spread, rows }, null, 2));
