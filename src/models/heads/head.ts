/** What a classification head is. A head is one file in this folder and a line in registry.ts. */
import type { Tensor } from "../../gpu/tensor.ts";
import type { ParameterCollector } from "../collector.ts";
import type { ModelConfig } from "../model_config.ts";
import type { Scope, TrainingScope } from "../scope.ts";

export interface Head {
  /** What it makes of the hidden states before it classifies, for the model card. */
  describe(config: ModelConfig): string;
  /** Whether it is that of transformers' `…ForSequenceClassification`; the others need the modelling file. */
  readonly isStock: boolean;
  /** Adds its parameters in transformers' order. */
  parameters(parameters: ParameterCollector, config: ModelConfig): void;
  /** Logits [sequences, labels] of the last hidden states [tokens, hidden]; beyond those, all is f32. */
  forward(scope: Scope, hiddenStates: Tensor): HeadPass;
}

export interface HeadPass {
  readonly logits: Tensor;
  /** Adds to the head's gradients; returns the gradient of the hidden states, or null when the encoder is frozen. */
  backward(scope: TrainingScope, dLogits: Tensor, options: { frozenEncoder: boolean }): Tensor | null;
}

/** A stage of a head: its output [sequences, features] and its backward. */
export interface Stage {
  readonly y: Tensor;
  /** Adds to the gradients of its parameters; returns the gradient of its input. */
  backward(scope: TrainingScope, dy: Tensor): Tensor;
}
