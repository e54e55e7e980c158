/** Hugging Face folders: reading a model's configuration and parameters, writing them so that transformers loads them. */
import { join } from "node:path";
import { EntailError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic_write.ts";
import { openCheckpointTensors } from "../formats/checkpoint_tensors.ts";
import { readJson } from "../formats/json.ts";
import { openSafetensors, type TensorEntry, writeSafetensors } from "../formats/safetensors.ts";
import type { TensorSource } from "../formats/tensor_source.ts";
import { elements } from "../gpu/tensor.ts";
import type { ParameterRole, ParameterSpec, ParameterStore } from "../nn/parameters.ts";
import { MODELLING_FILE, parseConfig, writeConfig } from "./config_json.ts";
import { headOf } from "./heads/registry.ts";
import type { ModelConfig } from "./model_config.ts";
import { initialPieces } from "./initialise.ts";
import { modelCard } from "./model_card.ts";
import { maskedLmParameters, matchTensors, modelParameters } from "./parameters.ts";
import { saveTokenizer } from "./tokenizer_files.ts";

/** Elements that travel between file and device at a time. */
const PIECE = 1 << 22;

const WEIGHTS_FILE = "model.safetensors";

/** Reads `config.json` of a Hugging Face folder. Data error where it is missing or not a supported model. */
export async function readModelConfig(folder: string): Promise<ModelConfig> {
  const file = join(folder, "config.json");
  return parseConfig(await readJson(file), file);
}

/**
 * Checks, without loading, that a folder has every encoder tensor in the right shape, and a head if it must be trained:
 * errors should come before hours of preparation, not after.
 */
export async function checkWeights(
  config: ModelConfig,
  folder: string,
  { trained = false }: { trained?: boolean } = {},
): Promise<void> {
  const source = await openCheckpointTensors(folder);
  source.close();
  const { initialised } = matchTensors(config, modelParameters(config), shapesOf(source), folder);
  if (trained) requireNone(initialised, folder);
}

function requireNone(initialised: readonly string[], folder: string): void {
  if (initialised.length === 0) return;
  throw new EntailError(
    "data",
    `${folder}: no ${initialised[0]}: this is a model without a trained head, train it first`,
  );
}

/**
 * Checks, without loading, that a folder is a masked language model whose last weight is the table of word embeddings.
 * Data error where it is not.
 */
export async function checkMaskedLm(config: ModelConfig, folder: string): Promise<void> {
  if (config.other.tie_word_embeddings === false) {
    throw new EntailError("data", `${folder}: tie_word_embeddings: must be true (false is not supported yet)`);
  }
  const source = await openCheckpointTensors(folder);
  source.close();
  const { initialised } = matchTensors(config, maskedLmParameters(config), shapesOf(source), folder);
  if (initialised.length > 0) {
    throw new EntailError(
      "data",
      `${folder}: has no masked language model head (no ${initialised[0]}); name the folder of a …ForMaskedLM model`,
    );
  }
}

const shapesOf = ({ tensors }: TensorSource) => new Map([...tensors].map(([name, { shape }]) => [name, shape]));

/**
 * Uploads the parameters of a Hugging Face folder. A head that the folder lacks is initialised from `seed`; without a
 * `seed` that is a data error. Returns the names of the initialised parameters.
 */
export async function loadWeights(
  parameters: ParameterStore,
  config: ModelConfig,
  folder: string,
  seed?: number,
): Promise<readonly string[]> {
  const source = await openCheckpointTensors(folder);
  try {
    const { sources, initialised } = matchTensors(config, parameters.specs, shapesOf(source), folder);
    if (seed === undefined) requireNone(initialised, folder);
    for (const spec of parameters.specs) {
      const stored = sources.get(spec.name);
      if (stored) await uploadTensor(parameters, spec.name, "value", source, stored);
      else initialiseParameter(parameters, spec, config, seed!);
    }
    return initialised;
  } finally {
    source.close();
  }
}

/** Initialises every parameter as `transformers` does, from `seed`. */
export function initialiseWeights(parameters: ParameterStore, config: ModelConfig, seed: number): void {
  for (const spec of parameters.specs) initialiseParameter(parameters, spec, config, seed);
}

function initialiseParameter(parameters: ParameterStore, spec: ParameterSpec, config: ModelConfig, seed: number) {
  for (const { offset, values } of initialPieces(spec, config, seed)) {
    parameters.upload(spec.name, "value", values, offset);
  }
}

async function uploadTensor(
  parameters: ParameterStore,
  name: string,
  role: ParameterRole,
  source: TensorSource,
  stored: string,
): Promise<void> {
  const total = elements(source.tensors.get(stored)!.shape);
  for (let offset = 0; offset < total; offset += PIECE) {
    const values = await source.readTensor(stored, {
      offsetElements: offset,
      countElements: Math.min(PIECE, total - offset),
    });
    requireFinite(values, source.fileOf(stored), stored);
    parameters.upload(name, role, values, offset);
  }
}

/** Data error where a value is not a finite fp32 number, which would spread over every logit. */
function requireFinite(values: Float32Array, file: string, tensor: string): void {
  let sum = 0;
  // 0 for a finite number, else NaN: one check for all.
  for (let i = 0; i < values.length; i++) sum += values[i] - values[i];
  if (sum === 0) return;
  const value = values.find((each) => !Number.isFinite(each));
  throw new EntailError("data", `${file}: tensor "${tensor}": has a value that is not a finite fp32 number (${value})`);
}

/**
 * Writes a Hugging Face folder: config.json, model.safetensors (fp32, transformers' names), the tokenizer's files, a
 * model card and, for a head that transformers does not have, the file that computes it. `metadata` goes into the
 * header of model.safetensors, see `readMarker`; `metrics`, those of the validation, into the card.
 */
export async function saveModel(
  parameters: ParameterStore,
  config: ModelConfig,
  tokenizerFolder: string,
  folder: string,
  metadata: Readonly<Record<string, string>> = {},
  metrics: Readonly<Record<string, number>> = {},
): Promise<void> {
  await writeFileAtomic(join(folder, "config.json"), JSON.stringify(writeConfig(config), null, 2) + "\n");
  await saveTokenizer(config, tokenizerFolder, folder);
  if (!headOf(config).isStock) {
    const code = await Deno.readFile(new URL(`./${MODELLING_FILE}`, import.meta.url));
    await writeFileAtomic(join(folder, MODELLING_FILE), code);
  }
  await writeFileAtomic(join(folder, "README.md"), modelCard(config, parameters.specs, metrics));
  const tensors = await entries(parameters, parameters.specs, "value");
  await writeSafetensors(join(folder, WEIGHTS_FILE), tensors, { format: "pt", ...metadata });
}

/** What `saveModel` recorded in the header of a folder's model.safetensors. Data error where the file is missing. */
export async function readMarker(folder: string): Promise<Record<string, string>> {
  const source = await openSafetensors(join(folder, WEIGHTS_FILE));
  source.close();
  return source.metadata;
}

/** The file of both moments: `<parameter>.exp_avg` and `.exp_avg_sq`, torch.optim.AdamW's names. */
const MOMENTS = { exp_avg: "firstMoment", exp_avg_sq: "secondMoment" } as const;
export const OPTIMIZER_FILE = "optimizer.safetensors";

/** Writes AdamW's moments of the trainable parameters into `folder`. */
export async function saveMoments(parameters: ParameterStore, folder: string): Promise<void> {
  const trainable = parameters.specs.filter((spec) => spec.trainable);
  const moments: TensorEntry[] = [];
  for (const [suffix, role] of Object.entries(MOMENTS)) {
    moments.push(...await entries(parameters, trainable, role, (name) => `${name}.${suffix}`));
  }
  await writeSafetensors(join(folder, OPTIMIZER_FILE), moments);
}

/** Uploads AdamW's moments from `folder`. Data error where one is missing or of another shape. */
export async function loadMoments(parameters: ParameterStore, folder: string): Promise<void> {
  const file = join(folder, OPTIMIZER_FILE);
  const source = await openSafetensors(file);
  try {
    for (const { name, shape, trainable } of parameters.specs) {
      if (!trainable) continue;
      for (const [suffix, role] of Object.entries(MOMENTS)) {
        const stored = source.tensors.get(`${name}.${suffix}`);
        if (!stored || elements(stored.shape) !== elements(shape)) {
          throw new EntailError(
            "data",
            `${file}: ${name}.${suffix} is missing or has another shape; start anew without resume`,
          );
        }
        await uploadTensor(parameters, name, role, source, `${name}.${suffix}`);
      }
    }
  } finally {
    source.close();
  }
}

/** Roles up to this size are read at once, larger ones a tensor at a time. */
const READ_AT_ONCE = 256 << 20;

/** What `writeSafetensors` takes: the parameters of a role under the names that `rename` gives them. */
async function entries(
  parameters: ParameterStore,
  specs: readonly ParameterSpec[],
  role: ParameterRole,
  rename: (name: string) => string = (name) => name,
): Promise<TensorEntry[]> {
  const bytes = parameters.chunks.reduce((sum, chunk) => sum + chunk.elements * 4, 0);
  const atOnce = bytes <= READ_AT_ONCE ? await parameters.readAll(role) : undefined;
  return specs.map(({ name, shape }) => ({
    name: rename(name),
    shape,
    dtype: "F32",
    async read(emit) {
      if (atOnce) return atOnce(name).forEach(emit);
      const total = elements(shape);
      for (let offset = 0; offset < total; offset += PIECE) {
        emit(await parameters.read(name, role, offset, Math.min(PIECE, total - offset)));
      }
    },
  }));
}
