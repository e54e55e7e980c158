/** How long the epochs of a fold's training are: each has its own length where it draws its own pairs. */

export interface EpochPlan {
  /** Batches of each epoch, the last of which `totalSteps` may cut short. */
  batches: readonly number[];
  /** Batches of an optimizer step, but for the last of an epoch. */
  accumulation: number;
  /** Micro-batches that each batch may be dealt into at most. */
  parts: number;
  /** Optimizer steps before each epoch, and before the one after the last. */
  stepsBefore: readonly number[];
  totalSteps: number;
}

/** As many epochs as `epochs` says, or as it takes to make `maxSteps` steps. */
export function planEpochs(
  batchesOf: (epoch: number) => number,
  { accumulation, parts = 1, epochs, maxSteps }: {
    accumulation: number;
    parts?: number;
    epochs: number;
    maxSteps: number | null;
  },
): EpochPlan {
  const batches: number[] = [];
  const stepsBefore = [0];
  for (let steps = 0; maxSteps === null ? batches.length < epochs : steps < maxSteps; stepsBefore.push(steps)) {
    const count = batchesOf(batches.length);
    batches.push(count);
    steps += Math.ceil(count / accumulation);
  }
  return { batches, accumulation, parts, stepsBefore, totalSteps: maxSteps ?? stepsBefore.at(-1)! };
}

export const stepsOf = ({ stepsBefore }: EpochPlan, epoch: number): number =>
  stepsBefore[epoch + 1] - stepsBefore[epoch];

/** The epochs, whole ones and a fraction, that end with the given number of steps, at least 1. */
export function epochsAfter(plan: EpochPlan, steps: number): number {
  const epoch = plan.stepsBefore.findLastIndex((before) => before < steps);
  const length = stepsOf(plan, epoch);
  return (epoch * length + steps - plan.stepsBefore[epoch]) / length;
}
