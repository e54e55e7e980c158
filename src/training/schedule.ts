/** Learning-rate schedules, as `transformers.get_scheduler` defines them. */
export type SchedulerType = "linear" | "cosine" | "cosine_with_restarts" | "constant";

export interface Schedule {
  type: SchedulerType;
  /** Peak learning rate. */
  learningRate: number;
  /** Fraction of the steps that warm up; the warm-up is `int(totalSteps * warmupRatio)` steps long. */
  warmupRatio: number;
  totalSteps: number;
}

/**
 * The learning rate of the update after `done` finished ones (0 for the first update). `constant` has a warm-up too,
 * transformers' `constant_with_warmup`; `cosine_with_restarts` runs one cycle, transformers' default.
 */
export function learningRateAt({ type, learningRate, warmupRatio, totalSteps }: Schedule, done: number): number {
  const warmup = Math.trunc(totalSteps * warmupRatio);
  if (done < warmup) return learningRate * (done / Math.max(1, warmup));
  if (type === "constant") return learningRate;
  const left = Math.max(1, totalSteps - warmup);
  const progress = (done - warmup) / left;
  switch (type) {
    case "linear":
      return learningRate * Math.max(0, (totalSteps - done) / left);
    case "cosine":
      return learningRate * Math.max(0, 0.5 * (1 + Math.cos(Math.PI * 0.5 * 2 * progress)));
    case "cosine_with_restarts":
      return progress >= 1 ? 0 : learningRate * Math.max(0, 0.5 * (1 + Math.cos(Math.PI * (progress % 1))));
  }
}
