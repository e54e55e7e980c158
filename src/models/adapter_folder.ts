/** The folders of adapters as `peft` writes and reads them: adapter_config.json, adapter_model.safetensors. */
import { join } from "node:path";
import { EntailError } from "../errors.ts";
import { ADAPTER_CONFIG, adapterFile, openTensorFile } from "../formats/checkpoint_tensors.ts";
import { readJson } from "../formats/json.ts";
import type { TensorSource } from "../formats/tensor_source.ts";
import { type Adapter, loraA, loraB } from "./adapter.ts";
import { familyOf } from "./registry.ts";
import type { ModelConfig } from "./model_config.ts";

/** What stands before a parameter's name. */
const PREFIX = "base_model.model.";

/** Key in the header of the tensors: how many bits the weights of the base had in training. */
const BASE_BITS = "base_bits";

/** What an adapter_config.json says. */
export interface AdapterConfig {
  readonly base: { readonly name: string; readonly revision: string | null };
  /** What an adapter of this rank is multiplied with. */
  scaleOf(rank: number): number;
}

/** Values with which a key leaves the weights at W + s·B·A; every other value of theirs means something else. */
const PLAIN: Readonly<Record<string, readonly unknown[]>> = {
  peft_type: ["LORA"],
  bias: [undefined, "none"],
  use_dora: [undefined, null, false],
  fan_in_fan_out: [undefined, null, false],
  init_lora_weights: [undefined, null, true, false, "gaussian", "orthogonal", "eva"],
};

/** Keys that must be empty for the same reason. */
const EMPTY = ["alpha_pattern", "layer_replication", "alora_invocation_tokens", "trainable_token_indices"];

/** Data error for what is not the plain LoRA of linear layers. */
export async function readAdapterConfig(folder: string): Promise<AdapterConfig> {
  const file = join(folder, ADAPTER_CONFIG);
  const json = await readJson(file);
  const fail = (message: string): never => {
    throw new EntailError("data", `${file}: ${message}`);
  };
  if (typeof json !== "object" || json === null || Array.isArray(json)) return fail("expected an object");
  const object = json as Record<string, unknown>;
  for (const [key, values] of Object.entries(PLAIN)) {
    if (!values.includes(object[key])) fail(`${key}: ${JSON.stringify(object[key])} is not supported, only plain LoRA`);
  }
  for (const key of EMPTY) {
    if (Object.keys(object[key] ?? {}).length > 0) fail(`${key}: is not supported, only plain LoRA`);
  }
  const { lora_alpha: alpha, use_rslora: rootScale, base_model_name_or_path: name, revision } = object;
  if (typeof alpha !== "number" || !Number.isFinite(alpha)) return fail("lora_alpha: must be a number");
  if (typeof name !== "string" || name === "") {
    return fail("base_model_name_or_path: must name the model it belongs to");
  }
  return {
    base: { name, revision: typeof revision === "string" ? revision : null },
    scaleOf: (rank) => alpha / (rootScale ? Math.sqrt(rank) : rank),
  };
}

/** The object to save as adapter_config.json. */
export function writeAdapterConfig(config: ModelConfig, { rank, alpha, dropout, targets, base }: Adapter) {
  const { projections, ownHead } = familyOf(config);
  return {
    peft_type: "LORA",
    task_type: "SEQ_CLS",
    base_model_name_or_path: base.name,
    revision: base.revision,
    r: rank,
    lora_alpha: alpha,
    lora_dropout: dropout,
    target_modules: [...Object.values(projections), ...(targets === "qkvd" ? ["attention.output.dense"] : [])],
    modules_to_save: [...new Set([ownHead.dense, ownHead.classifier].map((layer) => layer.replace(/\.\w+$/, "")))],
    bias: "none",
    fan_in_fan_out: false,
    use_rslora: false,
    use_dora: false,
    init_lora_weights: true,
    inference_mode: true,
  };
}

/** The name of a parameter's tensor, and the header of the file of an adapter that was trained so. */
export const storedName = (parameter: string): string => PREFIX + parameter;
export const adapterHeader = ({ bits }: Adapter): Record<string, string> =>
  bits === "none" ? {} : { [BASE_BITS]: bits };

/** A layer's adapter on the host: A [rank, in], B [out, rank] and what their product is multiplied with. */
export interface LoraFactors {
  readonly a: Float32Array;
  readonly b: Float32Array;
  readonly rank: number;
  readonly scale: number;
}

/** An adapter's tensors. `close` must be called. */
export interface AdapterTensors {
  readonly source: TensorSource;
  /** Stored names of whole parameters, such as the head's, by parameter. */
  readonly own: ReadonlyMap<string, string>;
  /** Shapes of A and B by layer. */
  readonly layers: ReadonlyMap<string, { a: readonly number[]; b: readonly number[] }>;
  readonly bits: Adapter["bits"];
  factorsOf(layer: string): Promise<LoraFactors>;
  close(): void;
}

/** Opens the tensors of an adapter's folder. Data error, naming file and tensor, for what is no LoRA of linear layers. */
export async function openAdapterTensors(folder: string): Promise<AdapterTensors> {
  const { scaleOf } = await readAdapterConfig(folder);
  const source = await openTensorFile(await adapterFile(folder));
  try {
    const own = new Map<string, string>();
    const layers = new Map<string, { a: readonly number[]; b: readonly number[] }>();
    for (const [stored, { shape }] of source.tensors) {
      const name = stored.replace(PREFIX, "").replace(/\.modules_to_save\b/, "");
      const fail = (message: string): never => {
        throw new EntailError("data", `${source.fileOf(stored)}: tensor "${stored}": ${message}`);
      };
      if (!stored.startsWith(PREFIX)) fail(`expected a name that begins with "${PREFIX}"`);
      const [, layer, which] = /^(.*)\.(lora_\w+)\b/.exec(name) ?? [];
      if (layer === undefined) {
        own.set(name, stored);
        continue;
      }
      if (name !== loraA(layer) && name !== loraB(layer)) fail(`${which} is not supported, only plain LoRA`);
      if (name !== loraA(layer)) continue;
      const b = source.tensors.get(storedName(loraB(layer)))?.shape;
      if (b === undefined) return fail("there is no lora_B to it");
      if (shape.length !== 2 || b.length !== 2 || b[1] !== shape[0]) fail("lora_A and lora_B do not fit each other");
      layers.set(layer, { a: shape, b });
    }
    const bits = source.metadata[BASE_BITS];
    return {
      source,
      own,
      layers,
      bits: bits === "8bit" || bits === "4bit" ? bits : "none",
      async factorsOf(layer) {
        const [a, b] = [loraA(layer), loraB(layer)].map(storedName);
        const { a: [rank] } = layers.get(layer)!;
        return { a: await source.readTensor(a), b: await source.readTensor(b), rank, scale: scaleOf(rank) };
      },
      close: () => source.close(),
    };
  } catch (error) {
    source.close();
    throw error;
  }
}
