/** Collecting the parameters of a model with their shapes, in the order in which they are added. */
import type { Held, ParameterSpec } from "../nn/parameters.ts";
import { type Adapter, isLoraParameter, isTarget, loraA, loraB } from "./adapter.ts";

/** What AdamW and products make of a parameter. */
export interface ParameterTraits {
  /** Weight decay applies to it. */
  decay?: boolean;
  /** The model reads it; PyTorch leaves the gradient of what it never reads empty, and AdamW then passes over it. */
  used?: boolean;
  /** It is the weight of products over tokens. */
  product?: boolean;
}

export interface ParameterCollector {
  readonly specs: ParameterSpec[];
  add(name: string, shape: readonly number[], traits?: ParameterTraits): void;
  /** A linear layer's `.weight` [out, in] and `.bias` [out], and its adapter where it has one. */
  linear(name: string, outFeatures: number, inFeatures: number): void;
  /** A LayerNorm's `.weight` and `.bias`, which have no weight decay. */
  layerNorm(name: string, size: number, traits?: Pick<ParameterTraits, "used">): void;
}

/**
 * `trainable` by name; the weights of `products` are multiplied in half precision where they can be. With an adapter those
 * are frozen and held as it says, and its targets get parameters of their own.
 */
export function collectParameters({ trainable, products, adapter }: {
  trainable: (name: string) => boolean;
  products: (name: string) => boolean;
  adapter?: Adapter;
}): ParameterCollector {
  const specs: ParameterSpec[] = [];
  const frozen: Held | undefined = adapter && (adapter.bits === "none" ? "compute" : adapter.bits);
  const add: ParameterCollector["add"] = (name, shape, { decay = true, used = true, product = false } = {}) => {
    const held = product && !isLoraParameter(name) ? frozen : undefined;
    specs.push({ name, shape, decay, trainable: used && trainable(name), product, held });
  };
  return {
    specs,
    add,
    linear(name, outFeatures, inFeatures) {
      const product = products(name);
      add(`${name}.weight`, [outFeatures, inFeatures], { product });
      add(`${name}.bias`, [outFeatures], { decay: false });
      if (!product || !adapter || !isTarget(name, adapter)) return;
      add(loraA(name), [adapter.rank, inFeatures], { product });
      add(loraB(name), [outFeatures, adapter.rank], { product });
    },
    layerNorm(name, size, { used = true } = {}) {
      add(`${name}.weight`, [size], { decay: false, used });
      add(`${name}.bias`, [size], { decay: false, used });
    },
  };
}
