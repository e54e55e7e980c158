/** The norm of all gradients together, the factor that clips it, and whether the step is skipped. */
import { linearGrid } from "../gpu/program.ts";
import { elements, type Tensor } from "../gpu/tensor.ts";
import type { Plan } from "./plan.ts";
import type { UpdateTensors } from "./scaler.ts";

/** Quads of a workgroup of the `sums` kernel, and the partial sums it writes. */
const WORKGROUP_QUADS = 4096;
const WORKGROUP_PARTIALS = 64;

/** Few enough for one invocation to add up. */
const LAST_LEVEL = 256;

const workgroupsFor = (count: number) => Math.ceil(count / 4 / WORKGROUP_QUADS);

/**
 * Writes `update` for chunks of gradients, multiples of 4 elements, that are multiplied by the loss scale: the L2 norm over
 * all of them, min(1, maxNorm / (norm + 1e-6)) as torch.nn.utils.clip_grad_norm_, or 1 where maxNorm ≤ 0, and the bias
 * correction of the update. In fp16 a norm that is not finite skips the step, and the scale adapts. `maxNorm`: a uniform f32.
 * The order of summation depends on the sizes of the chunks only.
 */
export function gradNorm(
  plan: Plan,
  { gradientChunks, maxNorm, scaler, update, corrections }: UpdateTensors & {
    gradientChunks: readonly Tensor[];
    maxNorm: Tensor;
  },
): void {
  const sum = (values: Tensor, partials: Tensor, begin: number, square: boolean) => {
    const count = elements(values.shape);
    plan.dispatch({
      kernel: "grad_norm",
      entry: "sums",
      constants: { SQUARE: +square, QUADS: count / 4, BEGIN: begin },
      bindings: square ? { values, partials, scaler } : { values, partials },
      grid: () => linearGrid(workgroupsFor(count)),
      label: `squares of ${values.label}`,
    });
  };
  const counts = gradientChunks.map(({ shape }) => workgroupsFor(elements(shape)) * WORKGROUP_PARTIALS);
  let level = plan.transient("squares", [counts.reduce((total, count) => total + count, 0)]);
  let begin = 0;
  gradientChunks.forEach((chunk, i) => {
    sum(chunk, level, begin, true);
    begin += counts[i];
  });
  while (level.shape[0] > LAST_LEVEL) {
    const next = plan.transient("sums of squares", [workgroupsFor(level.shape[0]) * WORKGROUP_PARTIALS]);
    sum(level, next, 0, false);
    level = next;
  }
  plan.dispatch({
    kernel: "grad_norm",
    entry: "finish",
    constants: { SQUARE: 0, QUADS: level.shape[0] / 4, BEGIN: 0, DYNAMIC: +(plan.precision === "fp16") },
    bindings: { values: level, maxNorm, scaler, update, corrections },
    grid: () => [1],
  });
}

/** Words of a row of the step log: loss, norm, learning rate, loss scale, whether the step was skipped. */
export const LOG_WORDS = 5;

/**
 * Writes row `slot` of the log: the device keeps a row per step until the host reads many at once, because reading waits
 * for the queue. `log` f32 [capacity, LOG_WORDS]; `slot`: a uniform u32; `optimizer`: the uniform of `adamw`, which knows
 * the learning rate.
 */
export function recordStep(
  plan: Plan,
  bindings: { lossSum: Tensor; update: Tensor; optimizer: Tensor; log: Tensor; slot: Tensor },
): void {
  plan.dispatch({ kernel: "step_log", entry: "record", bindings, grid: () => [1] });
}
