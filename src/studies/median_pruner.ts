import { EntailError } from "../errors.ts";
import { lastStep } from "./frozen_trial.ts";
import { KEEP, PRUNE, type Pruner, type PruningContext, type PruningDecision } from "./pruner.ts";

/** What a `MedianPruner` goes by. */
export interface MedianPrunerOptions {
  /** No pruning until this many trials are COMPLETE (5). */
  nStartupTrials?: number;
  /** No pruning before this step (0). */
  nWarmupSteps?: number;
  /** Steps between two checks, counted from the warm-up (1). */
  intervalSteps?: number;
  /** No pruning at a step that fewer COMPLETE trials have reported (1). */
  nMinTrials?: number;
}

/**
 * The median of the numbers in `values`, NaN ignored; NaN when there is none. NumPy's `nanpercentile(…, 50)` to the last
 * operation: a value between x and y is found from y − x, so that an infinite neighbour makes NaN of it.
 */
function nanMedian(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  if (sorted.length === 0) return NaN;
  const below = (sorted.length - 1) >> 1;
  const x = sorted[below];
  const y = sorted[Math.min(below + 1, sorted.length - 1)];
  return sorted.length % 2 === 1 ? x + (y - x) * 0 : y - (y - x) * 0.5;
}

/**
 * Prunes a trial whose best value so far is strictly worse than the median, at its last reported step, of the trials that are
 * COMPLETE (Optuna's `MedianPruner`). A trial that has reported NaN only is pruned.
 */
export class MedianPruner implements Pruner {
  readonly #options: Required<MedianPrunerOptions>;

  /** Usage error for options that contradict each other. */
  constructor(options: MedianPrunerOptions = {}) {
    const { nStartupTrials = 5, nWarmupSteps = 0, intervalSteps = 1, nMinTrials = 1 } = options;
    if (nStartupTrials < 0 || nWarmupSteps < 0 || !(intervalSteps >= 1) || !(nMinTrials >= 1)) {
      throw new EntailError(
        "usage",
        "MedianPruner: nStartupTrials and nWarmupSteps must be at least 0, intervalSteps and nMinTrials at least 1",
      );
    }
    this.#options = { nStartupTrials, nWarmupSteps, intervalSteps, nMinTrials };
  }

  /** Whether a trial is to end, by what it and the others have reported. */
  decide({ trial, trials, direction }: PruningContext): PruningDecision {
    const { nStartupTrials, nWarmupSteps, intervalSteps, nMinTrials } = this.#options;
    const complete = trials.filter((other) => other.state === "COMPLETE");
    const step = lastStep(trial);
    if (complete.length === 0 || complete.length < nStartupTrials || step === null || step < nWarmupSteps) return KEEP;

    const intervalStart = nWarmupSteps + Math.floor((step - nWarmupSteps) / intervalSteps) * intervalSteps;
    for (const earlier of trial.intermediateValues.keys()) {
      if (earlier !== step && earlier >= intervalStart) return KEEP; // This interval has been checked already.
    }

    const own = [...trial.intermediateValues.values()].filter((value) => !Number.isNaN(value));
    if (own.length === 0) return PRUNE;
    const best = direction === "maximize" ? Math.max(...own) : Math.min(...own);
    const reported = complete.filter((other) => other.intermediateValues.has(step));
    if (reported.length < nMinTrials) return KEEP;
    const median = nanMedian(reported.map((other) => other.intermediateValues.get(step)!));
    const worse = direction === "maximize" ? best < median : best > median; // False for a NaN median.
    return worse ? PRUNE : KEEP;
  }
}
