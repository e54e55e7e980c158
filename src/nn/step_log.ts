/** Losses and norms stay on the device, a row per step, until the host reads many at once: reading waits for the queue. */
import type { Tensor } from "../gpu/tensor.ts";
import type { Plan } from "./plan.ts";

/** The words of the `entry` uniform of the next step. */
export function stepLogUniform(slot: number, learningRate: number): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(4);
  words[0] = slot;
  new Float32Array(words.buffer)[1] = learningRate;
  return words;
}

/** log[slot] = (lossSum[0], norm[0], learning rate, 0); `log` f32 [capacity, 4], `entry` holds `stepLogUniform(…)`. */
export function recordStep(
  plan: Plan,
  { lossSum, norm, entry, log }: { lossSum: Tensor; norm: Tensor; entry: Tensor; log: Tensor },
): void {
  plan.dispatch({
    kernel: "step_log",
    entry: "record",
    bindings: { lossSum, norm, entry, log },
    grid: () => [1],
  });
}
