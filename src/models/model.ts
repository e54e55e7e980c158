/** The whole cross-encoder: an encoder of some family, and a head on its last hidden states. */
import type { Gpu } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Encoder, EncoderPass } from "./family.ts";
import type { HeadPass } from "./heads/head.ts";
import { headOf } from "./heads/registry.ts";
import { classifierDropout, type ModelConfig } from "./model_config.ts";
import { familyOf } from "./registry.ts";
import type { DropoutUniforms, Scope, TrainingScope } from "./scope.ts";

/** The encoder on a device. `longest` is that of the capacity of the batches: kernels index by it. */
export const createEncoder = (gpu: Gpu, config: ModelConfig, longest: number): Promise<Encoder> =>
  familyOf(config).createEncoder(gpu, config, longest);

/** Tokens of a sequence at most; Infinity where nothing limits them. */
export const longestSequence = (config: ModelConfig): number => familyOf(config).longestSequence(config);

/** A model's own dropout rates, by what they apply to. */
export const dropoutRates = (config: ModelConfig): Record<keyof DropoutUniforms, number> => ({
  hidden: config.hiddenDropoutProb,
  attention: config.attentionProbsDropoutProb,
  pooler: familyOf(config).ownHead.inputDropout?.(config) ?? 0,
  classifier: classifierDropout(config),
});

/** A forward pass of the whole model, and what its backward needs. */
export interface ModelPass {
  readonly logits: Tensor;
  readonly encoder: EncoderPass;
  readonly head: HeadPass;
}

/** Logits [sequences, labels] of the scope's batch. */
export function modelForward(scope: Scope, encoder: Encoder): ModelPass {
  const pass = encoder.forward(scope);
  const head = headOf(scope.config).forward(scope, pass.hiddenStates);
  return { logits: head.logits, encoder: pass, head };
}

/** Adds the gradient of every trainable parameter, given that of the logits. */
export function modelBackward(
  scope: TrainingScope,
  dLogits: Tensor,
  { encoder, head }: ModelPass,
  options: { frozenEncoder: boolean },
): void {
  const dHiddenStates = head.backward(scope, dLogits, options);
  if (dHiddenStates) encoder.backward(scope, dHiddenStates);
}
