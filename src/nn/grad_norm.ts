/** The norm of all gradients together and the factor that clips it, as torch.nn.utils.clip_grad_norm_. */
import { linearGrid } from "../gpu/program.ts";
import { elements, type Tensor } from "../gpu/tensor.ts";
import type { Plan } from "./plan.ts";

/** Elements of a workgroup of the `sums` kernel, and the partial sums it writes. */
const WORKGROUP_ELEMENTS = 16384;
const WORKGROUP_PARTIALS = 64;

/** Few enough for one invocation to add up. */
const LAST_LEVEL = 256;

const workgroupsFor = (count: number) => Math.ceil(count / WORKGROUP_ELEMENTS);

/**
 * Writes `norm` f32 [2]: the L2 norm over the gradients of all chunks, and min(1, maxNorm / (norm + 1e-6)), or 1 where
 * maxNorm ≤ 0. `parameters`: a uniform whose first f32 is maxNorm. The order of summation depends on the sizes of the chunks only.
 */
export function gradNorm(
  plan: Plan,
  { gradientChunks, norm, parameters }: { gradientChunks: readonly Tensor[]; norm: Tensor; parameters: Tensor },
): void {
  const sum = (values: Tensor, partials: Tensor, begin: number, square: boolean) => {
    const count = elements(values.shape);
    plan.dispatch({
      kernel: "grad_norm",
      entry: "sums",
      constants: { SQUARE: +square, ELEMENTS: count, BEGIN: begin },
      bindings: { values, partials },
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
    constants: { SQUARE: 0, ELEMENTS: level.shape[0], BEGIN: 0 },
    bindings: { values: level, maxNorm: parameters, norm },
    grid: () => [1],
  });
}

/**
 * log[slot] = (lossSum[0], norm[0], learning rate, 0): the device keeps a row per step until the host reads many at
 * once, because reading waits for the queue. `log` f32 [capacity, 4]; `slot`: a uniform u32; `optimizer`: the uniform
 * of `adamw`, which knows the learning rate.
 */
export function recordStep(
  plan: Plan,
  { lossSum, norm, optimizer, log, slot }: {
    lossSum: Tensor;
    norm: Tensor;
    optimizer: Tensor;
    log: Tensor;
    slot: Tensor;
  },
): void {
  plan.dispatch({
    kernel: "step_log",
    entry: "record",
    bindings: { lossSum, norm, optimizer, log, slot },
    grid: () => [1],
  });
}
