/** What every part of the model needs to append its dispatches, and the linear layer by parameter name. */
import type { Tensor } from "../gpu/tensor.ts";
import type { DeviceBatch } from "../nn/batch.ts";
import type { LayerNormKept } from "../nn/layer_norm.ts";
import { linearBackwardInput, linearBackwardWeight, linearForward } from "../nn/linear.ts";
import { loraBackward, loraForward } from "../nn/lora.ts";
import type { ParameterStore } from "../nn/parameters.ts";
import type { Plan, Rows } from "../nn/plan.ts";
import { dequantize } from "../nn/quantize.ts";
import { loraA, loraB } from "./adapter.ts";
import type { ModelConfig } from "./model_config.ts";

/** Dropout uniforms by what they are applied to (kernels/lib/dropout.wgsl). */
export interface DropoutUniforms {
  readonly hidden: Tensor;
  readonly attention: Tensor;
  readonly pooler: Tensor;
  readonly classifier: Tensor;
}

export interface Scope<Config extends ModelConfig = ModelConfig> {
  readonly plan: Plan;
  readonly config: Config;
  readonly parameters: ParameterStore;
  readonly batch: DeviceBatch;
  /** Null where no backward follows: then nothing is dropped and no activation kept. */
  readonly dropout: DropoutUniforms | null;
  /** What the inputs of adapters are multiplied with: their scale and, where dropped, what is dropped. */
  readonly adapter?: Tensor;
  /** Whether a layer keeps its input alone, and the backward computes the rest of what it needs once more. */
  readonly recompute?: boolean;
}

/** A scope whose forward kept what the backward needs. */
export interface TrainingScope<Config extends ModelConfig = ModelConfig> extends Scope<Config> {
  readonly dropout: DropoutUniforms;
}

/**
 * Dropout sites: each draws from its own Philox counters. 0 is the embedding; a layer has its position table, its
 * attention probabilities, its attention output and its feed-forward output; the head comes last, behind it
 * what only DeBERTa has, and far behind that adapters by the number of their first parameter, where a table of positions that
 * goes through a layer of the tokens has masks of its own.
 */
export const dropoutSite = {
  embedding: 0,
  position: (layer: number) => 1 + 4 * layer,
  attention: (layer: number) => 2 + 4 * layer,
  attentionOutput: (layer: number) => 3 + 4 * layer,
  output: (layer: number) => 4 + 4 * layer,
  pooler: (layers: number) => 1 + 4 * layers,
  classifier: (layers: number) => 2 + 4 * layers,
  convolution: (layers: number) => 3 + 4 * layers,
  adapter: (parameter: number, isTable: boolean) => 2 ** 16 + 2 * parameter + (isTable ? 1 : 0),
};

interface LinearSizes {
  rows: Rows;
  inFeatures: number;
  outFeatures: number;
}

interface LinearOptions extends LinearSizes {
  activation?: "gelu" | "tanh";
  preActivation?: Tensor;
  /** Stored as activations are, unless given. */
  y?: Tensor;
}

/** A layer's weight for a product: as it is held, or expanded from its codes for this product alone. */
export function weightOf({ plan, parameters }: Scope, name: string): Tensor {
  const codes = parameters.quantized(name);
  if (!codes) return parameters.compute(name);
  const weight = plan.activation(`${name} expanded`, codes.shape);
  dequantize(plan, codes, weight);
  return weight;
}

/** The adapter of a layer, for rows of tokens or of a table; null where it has none. */
function adapterOf({ parameters, batch, adapter: factor }: Scope, layer: string, sizes: LinearSizes) {
  const index = parameters.specs.findIndex(({ name }) => name === loraA(layer));
  if (index < 0) return null;
  const site = dropoutSite.adapter(index, sizes.rows !== batch.tokens);
  const rank = parameters.specs[index].shape[0];
  return {
    tensors: { a: parameters.compute(loraA(layer)), b: parameters.compute(loraB(layer)), factor: factor! },
    sizes: { ...sizes, rank, site, label: `${layer} adapter` },
  };
}

/**
 * y = act(x·Wᵀ + b) with the parameters `<name>.weight` and `<name>.bias`, and what its adapter adds, which no layer with an
 * activation has; y is [rows, outFeatures].
 */
export function linear(scope: Scope, name: string, x: Tensor, options: LinearOptions): Tensor {
  const { plan, parameters } = scope;
  const { rows, inFeatures, outFeatures, activation, preActivation } = options;
  const { y = plan.activation(`${name} output`, [rows.capacity, outFeatures]) } = options;
  linearForward(
    plan,
    { x, weight: weightOf(scope, `${name}.weight`), bias: parameters.value(`${name}.bias`), y, preActivation },
    { rows, inFeatures, outFeatures, activation, label: name },
  );
  const adapter = adapterOf(scope, name, { rows, inFeatures, outFeatures });
  if (adapter) loraForward(plan, { x, y, ...adapter.tensors }, adapter.sizes);
  return y;
}

/**
 * Backward of `linear` without its activation: adds to the gradients of weight and bias, or of the adapter, where they are
 * trained and, where `dx` is given, writes (or with `accumulate` adds) dx = dy·W. Where x is the GELU of `preActivation`, dx
 * is the gradient of that, and x need not have been kept: it is written again on the way.
 */
export function linearBackward(
  scope: Scope,
  name: string,
  { x, dy, dx, preActivation, accumulate = false }: {
    x: Tensor;
    dy: Tensor;
    dx?: Tensor;
    preActivation?: Tensor;
    accumulate?: boolean;
  },
  sizes: LinearSizes,
): void {
  const { plan, parameters } = scope;
  const isTrained = parameters.isTrainable(`${name}.weight`);
  if (dx) {
    const weight = weightOf(scope, `${name}.weight`);
    const again = preActivation && { preActivation, x: isTrained ? x : undefined };
    linearBackwardInput(plan, { dy, weight, dx, ...again }, { ...sizes, accumulate, label: `${name} dX` });
  }
  if (isTrained) {
    const dWeight = parameters.gradient(`${name}.weight`);
    linearBackwardWeight(plan, { dy, x, dWeight, dBias: parameters.gradient(`${name}.bias`) }, {
      ...sizes,
      label: `${name} dW`,
    });
  }
  const adapter = adapterOf(scope, name, sizes);
  if (!adapter) return;
  const [dA, dB] = [parameters.gradient(loraA(name)), parameters.gradient(loraB(name))];
  loraBackward(plan, { x, dy, dx, dA, dB, ...adapter.tensors }, adapter.sizes);
}

/** The gradients of a LayerNorm's weight and bias; none where they are frozen. */
export function normGradients({ parameters }: Scope, name: string): { dWeight?: Tensor; dBias?: Tensor } {
  if (!parameters.isTrainable(`${name}.weight`)) return {};
  return { dWeight: parameters.gradient(`${name}.weight`), dBias: parameters.gradient(`${name}.bias`) };
}

/** Room for what a LayerNorm keeps for its backward. */
export function normKept(plan: Plan, name: string, rows: number, columns: number): LayerNormKept {
  return {
    normalised: plan.activation(`${name} normalised`, [rows, columns]),
    rstd: plan.transient(`${name} rstd`, [rows]),
  };
}
