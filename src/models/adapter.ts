/** LoRA adapters beside the linear layers of a frozen encoder: which layers have one, and what its parameters are called. */
import type { QuantizedBits } from "../nn/quantize.ts";

/** The folder of an adapter, and that of the model which it belongs to. */
export interface AdapterFolder {
  readonly adapter: string;
  readonly base: string;
}

/** Where weights lie: a Hugging Face folder, or an adapter's with that of its base. */
export type WeightsFolder = string | AdapterFolder;

export interface Adapter {
  readonly rank: number;
  readonly alpha: number;
  /** Of the layer's input, on its way to the adapter only. */
  readonly dropout: number;
  /** The projections of query, key and value; or the dense layer behind attention too. */
  readonly targets: "qkv" | "qkvd";
  /** How the weights of the encoder's linear layers are held in training; none: as products read them. */
  readonly bits: QuantizedBits | "none";
  /** What is saved: the whole model with the adapters added to its weights, or the adapters and the head alone. */
  readonly save: "merged" | "adapter";
  readonly base: BaseModel;
}

/** The model that an adapter belongs to: where it lies, and what others find it by. */
export interface BaseModel {
  readonly weights: WeightsFolder;
  /** The whole path of a folder, or a hub id with its revision. */
  readonly name: string;
  readonly revision: string | null;
}

/** What A and B together are multiplied with. */
export const adapterScale = ({ alpha, rank }: Pick<Adapter, "alpha" | "rank">): number => alpha / rank;

const PROJECTION = /\.attention\.self\.(query|key|value)(_proj)?$/;
const DENSE = /\.attention\.output\.dense$/;

/** Whether a linear layer of an encoder gets an adapter. */
export const isTarget = (name: string, { targets }: Pick<Adapter, "targets">): boolean =>
  PROJECTION.test(name) || targets === "qkvd" && DENSE.test(name);

/** Parameters of a layer's adapter, below the layer's name as in `peft`: A [rank, in] and B [out, rank]. */
export const loraA = (layer: string): string => `${layer}.lora_A.weight`;
export const loraB = (layer: string): string => `${layer}.lora_B.weight`;

/** The layer whose A this is. */
export const layerOfA = (name: string): string | undefined => /^(.*)\.lora_A\.weight$/.exec(name)?.[1];

const LORA = /\.lora_[AB]\.weight$/;

export const isLoraParameter = (name: string): boolean => LORA.test(name);
