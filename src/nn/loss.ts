/**
 * Classification losses with their gradients. With p the probability of the true class, softmax of two logits or
 * sigmoid of one:
 *
 * - ce, bce: −log p. They differ in nothing here: the softmax of two logits is the sigmoid of their difference.
 * - weighted_bce: the same, times `positiveWeight` where the true class is positive.
 * - focal: α_y (1 − p)^γ · −log p. Lin et al., "Focal Loss for Dense Object Detection", 2017.
 *
 * A model with two labels that is trained with bce sees the difference of its logits as the one logit.
 */
import type { Tensor } from "../gpu/tensor.ts";
import type { Plan, Rows } from "./plan.ts";

export type LossKind = "ce" | "bce" | "weighted_bce" | "focal";

const KINDS: Readonly<Record<LossKind, number>> = { ce: 0, bce: 0, weighted_bce: 1, focal: 2 };

export interface LossParameters {
  /** Factor of every sequence's loss: 1 / (sequences · micro-batches) for a mean of means. */
  scale: number;
  gamma?: number;
  /** α of the two classes; 1 leaves α out. */
  alphaPositive?: number;
  alphaNegative?: number;
  positiveWeight?: number;
}

/** The words of the `parameters` uniform. */
export function lossUniform(
  { scale, gamma = 0, alphaPositive = 1, alphaNegative = 1, positiveWeight = 1 }: LossParameters,
): Float32Array<ArrayBuffer> {
  return Float32Array.of(scale, gamma, alphaPositive, alphaNegative, positiveWeight, 0, 0, 0);
}

/**
 * Writes dLogits [sequences, numLabels], multiplied by the loss scale in `scaler` (see scaler.ts), and adds the scaled loss of the batch to `lossSum` [1], in the order of the
 * sequences. `labels` u32 [sequences], 0 or 1; `parameters`: a uniform that holds `lossUniform(…)`.
 */
export function lossForwardBackward(
  plan: Plan,
  { logits, labels, parameters, scaler, dLogits, lossSum }: {
    logits: Tensor;
    labels: Tensor;
    parameters: Tensor;
    scaler: Tensor;
    dLogits: Tensor;
    lossSum: Tensor;
  },
  { sequences, numLabels, kind }: { sequences: Rows; numLabels: 1 | 2; kind: LossKind },
): void {
  const losses = plan.transient("losses", [sequences.capacity]);
  const constants = { KIND: KINDS[kind], LABELS: numLabels };
  const rows = sequences.uniform;
  plan.dispatch({
    kernel: "loss",
    entry: "per_sequence",
    constants,
    bindings: { rows, parameters, scaler, logits, labels, dLogits, losses },
    grid: (sizes) => [Math.ceil(sequences.count(sizes) / 32)],
  });
  plan.dispatch({
    kernel: "loss",
    entry: "add_losses",
    constants,
    bindings: { rows, losses, lossSum },
    grid: () => [1],
  });
}
