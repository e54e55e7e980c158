/** Collecting the parameters of a model with their shapes, in the order in which they are added. */
import type { ParameterSpec } from "../nn/parameters.ts";

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
  /** A linear layer's `.weight` [out, in] and `.bias` [out]. */
  linear(name: string, outFeatures: number, inFeatures: number): void;
  /** A LayerNorm's `.weight` and `.bias`, which have no weight decay. */
  layerNorm(name: string, size: number, traits?: Pick<ParameterTraits, "used">): void;
}

/** `trainable` by name; the weights of `products` are multiplied in half precision where they can be. */
export function collectParameters(
  { trainable, products }: { trainable: (name: string) => boolean; products: (name: string) => boolean },
): ParameterCollector {
  const specs: ParameterSpec[] = [];
  const add: ParameterCollector["add"] = (name, shape, { decay = true, used = true, product = false } = {}) => {
    specs.push({ name, shape, decay, trainable: used && trainable(name), product });
  };
  return {
    specs,
    add,
    linear(name, outFeatures, inFeatures) {
      add(`${name}.weight`, [outFeatures, inFeatures], { product: products(name) });
      add(`${name}.bias`, [outFeatures], { decay: false });
    },
    layerNorm(name, size, { used = true } = {}) {
      add(`${name}.weight`, [size], { decay: false, used });
      add(`${name}.bias`, [size], { decay: false, used });
    },
  };
}
