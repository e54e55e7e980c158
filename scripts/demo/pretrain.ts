/**
 * Pretrains the demo's checkpoint with this program, from random weights, on generated text: data/demo/model.
 *
 * Two runs of `train`, the second from the weights of the first. One-sentence posts teach within 20,000 short pairs
 * which expressions belong to which criterion; from there it is a small step to posts of up to six sentences in which
 * one decides. Both rates stay constant after a warm-up.
 *
 *   deno run -A scripts/demo/pretrain.ts [--work outputs/pretrain] [--output data/demo/model]
 */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { generatePretraining } from "./generate.ts";
import { groundtruthCsv } from "./tables.ts";
import { modelFiles } from "./tokenizer.ts";

/** A run: `pairs` pairs of posts of up to `sentences` sentences, in batches of 64. */
export type Stage = { pairs: number; seed: number; sentences: number; epochs: number; learningRate: number };

/** The recipe. A twentieth of each stage's posts is held out to see how far it got. */
export const STAGES: Stage[] = [
  { pairs: 21_000, seed: 1, sentences: 1, epochs: 1, learningRate: 2e-3 },
  { pairs: 81_000, seed: 2, sentences: 6, epochs: 1, learningRate: 2e-3 },
];

/** Seed of the initial weights and of the order of the pairs. */
export const WEIGHT_SEED = 1;

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));

/** The overrides of `train` for a stage; `from` is the checkpoint to go on from, or null for random weights. */
export function stageOverrides(
  stage: Stage,
  files: { text: string; output: string; start: string; from: string | null },
) {
  return [
    "data=demo",
    `data.groundtruth_csv=${files.text}`,
    "data.annotations_csv=null",
    ...(files.from === null ? ["model.model_name=null", `model.architecture=${architecture(files.start)}`] : [
      `model.model_name=${files.from}`,
    ]),
    "model.classifier_head=max_pooling",
    "model.loss_type=ce",
    "training.batch_size=64",
    "training.eval_batch_size=64",
    `training.num_epochs=${stage.epochs}`,
    `training.learning_rate=${stage.learningRate}`,
    "training.scheduler_type=constant",
    "training.warmup_ratio=0.1",
    "training.weight_decay=0.01",
    "training.max_grad_norm=1.0",
    "kfold.n_splits=20",
    "mlflow.enable=false",
    `seed=${WEIGHT_SEED}`,
    `output_dir=${files.output}`,
  ];
}

/** `model.architecture` in the grammar of overrides: config.json without what is entail's own. */
function architecture(folder: string): string {
  const { architectures: _, classifier_head: _head, id2label: _labels, label2id: _ids, ...config } = JSON.parse(
    modelFiles()["config.json"],
  );
  return `{${
    Object.entries({ ...config, tokenizer: folder }).map(([key, value]) =>
      `${key}:${Array.isArray(value) ? `[${value}]` : value}`
    ).join(",")
  }}`;
}

async function train(overrides: string[]): Promise<void> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", join(PROJECT, "src/cli/main.ts"), "train", "--fold", "0", ...overrides],
    cwd: PROJECT,
  });
  const { code } = await command.spawn().status;
  if (code !== 0) throw new Error(`train ended with status ${code}`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      work: { type: "string", default: join(PROJECT, "outputs/pretrain") },
      output: { type: "string", default: join(PROJECT, "data/demo/model") },
    },
  });
  const start = join(values.work, "start");
  mkdirSync(start, { recursive: true });
  const files = modelFiles();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(start, name), text);
  let from: string | null = null;
  for (const [index, stage] of STAGES.entries()) {
    const output = join(values.work, `stage_${index + 1}`);
    const text = join(values.work, `stage_${index + 1}.csv`);
    writeFileSync(text, groundtruthCsv(generatePretraining(stage.pairs, stage.seed, stage.sentences)));
    await train(stageOverrides(stage, { text, output, start, from }));
    from = join(output, "checkpoints/fold_0/last");
  }
  mkdirSync(values.output, { recursive: true });
  for (const name of ["config.json", "model.safetensors"]) copyFileSync(join(from!, name), join(values.output, name));
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
    writeFileSync(join(values.output, name), files[name]);
  }
}

if (import.meta.main) await main();
