/**
 * Training in half precision beside fp32: the losses of 300 optimizer steps on the demo data with three seeds in each
 * precision, and the mean F1 of its five folds. Writes precision.svg beside this file.
 *
 *     deno run -A scripts/bench/precision.ts [--steps 300] [--seeds 1,2,3] [--no-folds]
 */
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { renderSvg } from "../../src/report/chart.ts";
import { cartesian } from "../../src/report/chart_style.ts";

const PRECISIONS = ["fp32", "fp16", "bf16"] as const;
const COLOURS = { fp32: "#5470c6", fp16: "#d1495b", bf16: "#3a9a6b" };
/** Steps over which a drawn and a compared loss is the mean. */
const SMOOTHING = 25;

const { values: options } = parseArgs({
  options: {
    steps: { type: "string", default: "300" },
    seeds: { type: "string", default: "1,2,3" },
    folds: { type: "boolean", default: true },
  },
  allowNegative: true,
});
const seeds = options.seeds.split(",").map(Number);
const entail = fileURLToPath(new URL("../../entail", import.meta.url));
const work = Deno.makeTempDirSync({ prefix: "entail-precision-" });

interface StepLine {
  step?: number;
  loss?: number | null;
  skipped?: boolean;
}

/** Runs `./entail train` with these overrides in a folder of its own; returns the folder. */
async function train(name: string, overrides: string[]): Promise<string> {
  const folder = `${work}/${name}`;
  const { success, stderr } = await new Deno.Command(entail, {
    args: ["train", "--quiet", "mlflow.enable=false", `output_dir=${folder}`, ...overrides],
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`${name}: ${new TextDecoder().decode(stderr)}`);
  return folder;
}

/** Smoothed losses by step, and how many steps were skipped. */
async function losses(precision: string, seed: number): Promise<{ curve: number[]; skipped: number }> {
  const folder = await train(`${precision}-${seed}`, [
    "--fold",
    "0",
    `seed=${seed}`,
    "kfold.n_splits=5",
    "training.num_epochs=100",
    `training.max_steps=${options.steps}`,
    "training.early_stopping_patience=null",
    `training.optimization.precision=${precision}`,
  ]);
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

const curves = new Map<string, { curve: number[]; skipped: number }[]>();
for (const precision of PRECISIONS) {
  const runs = [];
  for (const seed of seeds) {
    runs.push(await losses(precision, seed));
    console.error(`${precision}, seed ${seed}: last ${runs.at(-1)!.curve.at(-1)?.toFixed(4)}`);
  }
  curves.set(precision, runs);
}

const fp32 = curves.get("fp32")!.map(({ curve }) => curve);
const spread = mean(fp32.flatMap((a, i) => fp32.slice(i + 1).map((b) => distance(a, b))));
const rows = PRECISIONS.map((precision) => {
  const runs = curves.get(precision)!;
  return {
    precision,
    // Of the curve from that of fp32 with the same seed, in units of the distance between two seeds.
    distance: mean(runs.map(({ curve }, i) => distance(curve, fp32[i]))) / spread,
    skipped: runs.map(({ skipped }) => skipped),
    last: mean(runs.map(({ curve }) => curve.at(-1)!)),
    f1: null as number | null,
  };
});
if (options.folds) {
  for (const row of rows) {
    const folder = await train(`folds-${row.precision}`, [`training.optimization.precision=${row.precision}`]);
    row.f1 = JSON.parse(Deno.readTextFileSync(`${folder}/summary.json`)).mean.f1;
    console.error(`${row.precision}: F1 ${row.f1}`);
  }
}
Deno.removeSync(work, { recursive: true });

const option = {
  ...cartesian(
    "optimizer step",
    `loss, mean of ${SMOOTHING} steps`,
    PRECISIONS.map((name) => ({
      name,
      colour: COLOURS[name],
    })),
  ),
  series: PRECISIONS.flatMap((name) =>
    curves.get(name)!.map(({ curve }) => ({
      name,
      type: "line" as const,
      showSymbol: false,
      lineStyle: { color: COLOURS[name], width: 1.5, opacity: 0.8 },
      data: curve.map((loss, at) => [at + SMOOTHING, loss]),
    }))
  ),
};
const svg = renderSvg({ name: "precision", option, size: { width: 960, height: 360 } });
Deno.writeTextFileSync(new URL("precision.svg", import.meta.url), svg);
console.log(JSON.stringify({ steps: Number(options.steps), seeds, spread, rows }, null, 2));
