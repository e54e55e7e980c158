/** What every part of the model needs to append its dispatches, and the linear layer by parameter name. */
import type { Tensor } from "../gpu/tensor.ts";
import type { DeviceBatch } from "../nn/batch.ts";
import type { LayerNormKept } from "../nn/layer_norm.ts";
import { linearBackwardInput, linearBackwardWeight, linearForward } from "../nn/linear.ts";
import type { ParameterStore } from "../nn/parameters.ts";
import type { Plan, Rows } from "../nn/plan.ts";
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
}

/** A scope whose forward kept what the backward needs. */
export interface TrainingScope<Config extends ModelConfig = ModelConfig> extends Scope<Config> {
  readonly dropout: DropoutUniforms;
}

/**
 * Dropout sites: each draws from its own Philox counters. 0 is the embedding; a layer has its position table, its
 * attention probabilities, its attention output and its feed-forward output; the head comes last, and behind it
 * what only DeBERTa has.
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
};

interface LinearOptions {
  rows: Rows;
  inFeatures: number;
  outFeatures: number;
  activation?: "gelu" | "tanh";
  preActivation?: Tensor;
  /** Stored as activations are, unless given. */
  y?: Tensor;
}

/** y = act(x·Wᵀ + b) with the parameters `<name>.weight` and `<name>.bias`; y is [rows, outFeatures]. */
export function linear({ plan, parameters }: Scope, name: string, x: Tensor, options: LinearOptions): Tensor {
  const { rows, inFeatures, outFeatures, activation, preActivation } = options;
  const { y = plan.activation(`${name} output`, [rows.capacity, outFeatures]) } = options;
  linearForward(
    plan,
    { x, weight: parameters.compute(`${name}.weight`), bias: parameters.value(`${name}.bias`), y, preActivation },
    { rows, inFeatures, outFeatures, activation, label: name },
  );
  return y;
}

/**
 * Backward of `linear` without its activation: adds to the gradients of weight and bias where they are trained and, where
 * `dx` is given, writes (or with `accumulate` adds) dx = dy·W, times the derivative of the GELU that made x where its input is given.
 */
export function linearBackward(
  { plan, parameters }: Scope,
  name: string,
  { x, dy, dx, preActivation, accumulate = false }: {
    x: Tensor;
    dy: Tensor;
    dx?: Tensor;
    preActivation?: Tensor;
    accumulate?: boolean;
  },
  sizes: { rows: Rows; inFeatures: number; outFeatures: number },
): void {
  if (parameters.isTrainable(`${name}.weight`)) {
    const dWeight = parameters.gradient(`${name}.weight`);
    linearBackwardWeight(plan, { dy, x, dWeight, dBias: parameters.gradient(`${name}.bias`) }, {
      ...sizes,
      label: `${name} dW`,
    });
  }
  if (!dx) return;
  const weight = parameters.compute(`${name}.weight`);
  linearBackwardInput(plan, { dy, weight, dx, preActivation }, { ...sizes, accumulate, label: `${name} dX` });
}

/** Room for what a LayerNorm keeps for its backward. */
export function normKept(plan: Plan, name: string, rows: number, columns: number): LayerNormKept {
  return {
    normalised: plan.activation(`${name} normalised`, [rows, columns]),
    rstd: plan.transient(`${name} rstd`, [rows]),
  };
}
