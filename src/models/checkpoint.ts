/** Hugging Face folders: reading a model's configuration and parameters, writing them so that transformers loads them. */
import { join } from "node:path";
import { EntailError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic_write.ts";
import { ADAPTER_CONFIG, ADAPTER_FILES, ADAPTER_MODEL_CONFIG, isAdapterFolder } from "../formats/checkpoint_tensors.ts";
import { readJson } from "../formats/json.ts";
import { openSafetensors, type TensorEntry, writeSafetensors } from "../formats/safetensors.ts";
import type { TensorWindow } from "../formats/tensor_source.ts";
import { elements } from "../gpu/tensor.ts";
import { isQuantized, type ParameterRole, type ParameterSpec, type ParameterStore } from "../nn/parameters.ts";
import { type Adapter, adapterScale, isLoraParameter, layerOfA, loraB, type WeightsFolder } from "./adapter.ts";
import {
  adapterHeader,
  type LoraFactors,
  openAdapterTensors,
  storedName,
  writeAdapterConfig,
} from "./adapter_folder.ts";
import { MODELLING_FILE, parseConfig, writeConfig } from "./config_json.ts";
import { headOf } from "./heads/registry.ts";
import { type ModelConfig, withLabels } from "./model_config.ts";
import { initialPieces } from "./initialise.ts";
import { modelCard } from "./model_card.ts";
import { openParameters, withAdapter } from "./parameter_source.ts";
import { maskedLmParameters, modelParameters } from "./parameters.ts";
import { familyOf } from "./registry.ts";
import { saveTokenizer } from "./tokenizer_files.ts";

/** Elements that travel between file and device at a time. */
const PIECE = 1 << 22;

const CONFIG_FILE = "config.json";
const WEIGHTS_FILE = "model.safetensors";

/**
 * Reads `config.json` of a Hugging Face folder, for a task with `numLabels` if given; an adapter that does not say what its
 * model is has that of its base, with as many labels as its own head. Data error where it is missing or not a supported
 * model.
 */
export async function readModelConfig(
  from: WeightsFolder,
  task: { numLabels?: number } = {},
): Promise<ModelConfig> {
  const read = async (file: string) => parseConfig(await readJson(file), file, task);
  if (typeof from === "string") return await read(join(from, CONFIG_FILE));
  const file = join(from.adapter, ADAPTER_MODEL_CONFIG);
  if (await Deno.stat(file).then(() => true, () => false)) return await read(file);
  const config = await readModelConfig(from.base, task);
  const { own, source, close } = await openAdapterTensors(from.adapter);
  close();
  const stored = own.get(`${familyOf(config).ownHead.classifier}.weight`);
  const count = stored === undefined ? config.labels.length : source.tensors.get(stored)!.shape[0];
  return withLabels(config, count);
}

/**
 * Checks, without loading, that a folder has every encoder tensor in the right shape, and a head if it must be trained:
 * errors should come before hours of preparation, not after. Returns the names of the head's parameters that it lacks.
 */
export async function checkWeights(
  config: ModelConfig,
  from: WeightsFolder,
  { trained = false }: { trained?: boolean } = {},
): Promise<readonly string[]> {
  const source = await openParameters(config, modelParameters(config), from, { trained });
  source.close();
  if (trained) requireNone(source.initialised, from);
  return source.initialised;
}

function requireNone(initialised: readonly string[], from: WeightsFolder): void {
  if (initialised.length === 0) return;
  const folder = typeof from === "string" ? from : from.adapter;
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
  const { initialised, close } = await openParameters(config, maskedLmParameters(config), folder);
  close();
  if (initialised.length > 0) {
    throw new EntailError(
      "data",
      `${folder}: has no masked language model head (no ${initialised[0]}); name the folder of a …ForMaskedLM model`,
    );
  }
}

/**
 * Uploads the parameters of a Hugging Face folder. A head that the folder lacks, or has for other labels, is initialised
 * from `seed`, as adapters to be trained are; without a `seed` that is a data error. Returns the names of the head's
 * initialised parameters.
 */
export async function loadWeights(
  parameters: ParameterStore,
  config: ModelConfig,
  from: WeightsFolder,
  seed?: number,
): Promise<readonly string[]> {
  const trained = seed === undefined;
  const source = await openParameters(config, parameters.specs, from, { trained });
  try {
    if (trained) requireNone(source.initialised, from);
    for (const spec of parameters.specs) {
      const place = source.placeOf(spec.name);
      if (place) await uploadTensor(parameters, spec, "value", place, (window) => source.read(spec.name, window));
      else initialiseParameter(parameters, spec, config, seed!);
    }
    return source.initialised;
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
  { name, shape, held }: ParameterSpec,
  role: ParameterRole,
  place: { file: string; tensor: string },
  read: (window: TensorWindow) => Promise<Float32Array>,
): Promise<void> {
  const total = elements(shape);
  const piece = isQuantized(held) ? total : PIECE;
  for (let offset = 0; offset < total; offset += piece) {
    const values = await read({ offsetElements: offset, countElements: Math.min(piece, total - offset) });
    requireFinite(values, place.file, place.tensor);
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
 * model card and, for a head that transformers does not have, the file that computes it. Adapters are added to the weights,
 * or take their place as `peft` reads them. `metadata` goes into the header of the weights' file, see `readMarker`;
 * `metrics`, those of the validation, into the card.
 */
export async function saveModel(
  parameters: ParameterStore,
  config: ModelConfig,
  tokenizerFolder: string,
  folder: string,
  metadata: Readonly<Record<string, string>> = {},
  metrics: Readonly<Record<string, number>> = {},
): Promise<void> {
  const configFile = config.adapter?.save === "adapter" ? ADAPTER_MODEL_CONFIG : CONFIG_FILE;
  await writeFileAtomic(join(folder, configFile), JSON.stringify(writeConfig(config), null, 2) + "\n");
  await saveTokenizer(config, tokenizerFolder, folder);
  if (!headOf(config).isStock) {
    const code = await Deno.readFile(new URL(`./${MODELLING_FILE}`, import.meta.url));
    await writeFileAtomic(join(folder, MODELLING_FILE), code);
  }
  const plain = modelParameters({ ...config, adapter: undefined });
  await writeFileAtomic(join(folder, "README.md"), modelCard(config, plain, metrics));
  const { adapter } = config;
  const header = { format: "pt", ...metadata };
  if (!adapter) {
    const tensors = await entries(parameters, parameters.specs, "value");
    await writeSafetensors(join(folder, WEIGHTS_FILE), tensors, header);
  } else if (adapter.save === "merged") {
    await saveMerged(parameters, config, adapter, (tensors) => {
      return writeSafetensors(join(folder, WEIGHTS_FILE), tensors, header);
    });
  } else {
    const json = JSON.stringify(writeAdapterConfig(config, adapter), null, 2);
    await writeFileAtomic(join(folder, ADAPTER_CONFIG), json + "\n");
    const tensors = await entries(parameters, trained(parameters), "value", storedName);
    await writeSafetensors(join(folder, ADAPTER_FILES[0]), tensors, { ...header, ...adapterHeader(adapter) });
  }
}

const trained = ({ specs }: ParameterStore): ParameterSpec[] => specs.filter(({ trainable }) => trainable);

/** The whole model: what is frozen from the base's files, as products read it, with the adapters added; the rest as trained. */
async function saveMerged(
  parameters: ParameterStore,
  config: ModelConfig,
  { bits, base, ...adapter }: Adapter,
  write: (tensors: readonly TensorEntry[]) => Promise<void>,
): Promise<void> {
  const plain = modelParameters({ ...config, adapter: undefined });
  const frozen = plain.filter(({ name }) => !parameters.isTrainable(name));
  const factors = new Map<string, LoraFactors>();
  for (const { name, shape: [rank] } of trained(parameters)) {
    const layer = layerOfA(name);
    if (layer === undefined) continue;
    const [a, b] = [await parameters.read(name, "value"), await parameters.read(loraB(layer), "value")];
    factors.set(layer, { a, b, rank, scale: adapterScale(adapter) });
  }
  const source = withAdapter(await openParameters(config, frozen, base.weights), frozen, { bits, factors });
  try {
    await write(plain.map(({ name, shape }) => ({
      name,
      shape,
      dtype: "F32",
      async read(emit) {
        if (parameters.isTrainable(name)) return emit(await parameters.read(name, "value"));
        const total = elements(shape);
        for (let offset = 0; offset < total; offset += PIECE) {
          emit(await source.read(name, { offsetElements: offset, countElements: Math.min(PIECE, total - offset) }));
        }
      },
    })));
  } finally {
    source.close();
  }
}

/** What `saveModel` recorded in the header of the file of a folder's weights. Data error where the file is missing. */
export async function readMarker(folder: string): Promise<Record<string, string>> {
  const file = await isAdapterFolder(folder) ? ADAPTER_FILES[0] : WEIGHTS_FILE;
  const source = await openSafetensors(join(folder, file));
  source.close();
  return source.metadata;
}

/** The file of both moments: `<parameter>.exp_avg` and `.exp_avg_sq`, torch.optim.AdamW's names. */
const MOMENTS = { exp_avg: "firstMoment", exp_avg_sq: "secondMoment" } as const;
export const OPTIMIZER_FILE = "optimizer.safetensors";

/** With adapters the values too, as `<parameter>.value`: merged weights do not say what was trained. */
const rolesOf = ({ specs }: ParameterStore): Readonly<Record<string, ParameterRole>> =>
  specs.some(({ name }) => isLoraParameter(name)) ? { ...MOMENTS, value: "value" } : MOMENTS;

/** Writes AdamW's moments of the trainable parameters into `folder`. */
export async function saveMoments(parameters: ParameterStore, folder: string): Promise<void> {
  const moments: TensorEntry[] = [];
  for (const [suffix, role] of Object.entries(rolesOf(parameters))) {
    moments.push(...await entries(parameters, trained(parameters), role, (name) => `${name}.${suffix}`));
  }
  await writeSafetensors(join(folder, OPTIMIZER_FILE), moments);
}

/** Uploads what `saveMoments` wrote into `folder`. Data error where a tensor is missing or of another shape. */
export async function loadMoments(parameters: ParameterStore, folder: string): Promise<void> {
  const file = join(folder, OPTIMIZER_FILE);
  const source = await openSafetensors(file);
  try {
    for (const spec of trained(parameters)) {
      const { name, shape } = spec;
      for (const [suffix, role] of Object.entries(rolesOf(parameters))) {
        const stored = source.tensors.get(`${name}.${suffix}`);
        if (!stored || elements(stored.shape) !== elements(shape)) {
          throw new EntailError(
            "data",
            `${file}: ${name}.${suffix} is missing or has another shape; start anew without resume`,
          );
        }
        const tensor = `${name}.${suffix}`;
        await uploadTensor(parameters, spec, role, { file, tensor }, (window) => source.readTensor(tensor, window));
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
