/**
 * Pretrains the demo's checkpoint with this program, from random weights, on generated text: data/demo/model.
 *
 * Three runs of `train`, each from the weights of the one before. One-sentence posts teach within 20,000 short pairs
 * which expressions belong to which criterion; from there it is a small step to posts of up to six sentences in which
 * one decides. Both pool the maximum over all tokens: the first token alone, which `DebertaV2ForSequenceClassification`
 * takes, would learn that very slowly. The last run gives it one more layer, in which it gathers what the others found.
 * The rates stay constant after a warm-up.
 *
 *   deno run -A scripts/demo/pretrain.ts [--work outputs/pretrain] [--output data/demo/model]
 */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { readModelConfig } from "../../src/models/checkpoint.ts";
import { writeConfig } from "../../src/models/config_json.ts";
import { initialValues } from "../../src/models/initialise.ts";
import { modelParameters } from "../../src/models/parameters.ts";
import { openSafetensors, type TensorEntry, writeSafetensors } from "../../src/formats/safetensors.ts";
import { generatePretraining } from "./generate.ts";
import { groundtruthCsv } from "./tables.ts";
import { modelFiles } from "./tokenizer.ts";

/** A run: `pairs` pairs of posts of up to `sentences` sentences, in batches of 64. */
export type Stage = {
  pairs: number;
  seed: number;
  sentences: number;
  epochs: number;
  learningRate: number;
  head: string;
  layers: number;
};

/** The recipe. A twentieth of each stage's posts is held out to see how far it got. */
export const STAGES: Stage[] = [
  { pairs: 21_000, seed: 1, sentences: 1, epochs: 1, learningRate: 2e-3, head: "max_pooling", layers: 2 },
  { pairs: 81_000, seed: 2, sentences: 6, epochs: 1, learningRate: 2e-3, head: "max_pooling", layers: 2 },
  { pairs: 81_000, seed: 3, sentences: 6, epochs: 1, learningRate: 1e-3, head: "pooler_linear", layers: 3 },
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
    ...(files.from === null
      ? ["model.model_name=null", `model.architecture=${architecture(files.start, stage.layers)}`]
      : [
        `model.model_name=${files.from}`,
      ]),
    `model.classifier_head=${stage.head}`,
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
function architecture(folder: string, layers: number): string {
  const { architectures: _, classifier_head: _head, id2label: _labels, label2id: _ids, ...config } = JSON.parse(
    modelFiles()["config.json"],
  );
  return `{${
    Object.entries({ ...config, num_hidden_layers: layers, tokenizer: folder }).map(([key, value]) =>
      `${key}:${Array.isArray(value) ? `[${value}]` : value}`
    ).join(",")
  }}`;
}

/** The checkpoint `from` with so many layers; those that it lacks have initial weights. */
async function withLayers(from: string, layers: number, folder: string): Promise<string> {
  const stored = await readModelConfig(from);
  if (stored.numHiddenLayers === layers) return from;
  const config = { ...stored, numHiddenLayers: layers };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "config.json"), JSON.stringify(writeConfig(config)));
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) copyFileSync(join(from, name), join(folder, name));
  const weights = await openSafetensors(join(from, "model.safetensors"));
  const entries = modelParameters(config).map((spec): TensorEntry => ({
    name: spec.name,
    shape: spec.shape,
    dtype: "F32",
    async read(emit) {
      const known = weights.tensors.has(spec.name);
      emit(known ? await weights.readTensor(spec.name) : initialValues(spec, config, WEIGHT_SEED));
    },
  }));
  await writeSafetensors(join(folder, "model.safetensors"), entries);
  weights.close();
  return folder;
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
    if (from !== null) from = await withLayers(from, stage.layers, join(values.work, `start_${index + 1}`));
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
