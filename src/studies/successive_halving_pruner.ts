import { EntailError } from "../errors.ts";
import { type Direction, type FrozenTrial, lastStep } from "./frozen_trial.ts";
import { KEEP, PRUNE, type Pruner, type PruningContext, type PruningDecision } from "./pruner.ts";

/** What a `SuccessiveHalvingPruner` goes by. */
export interface SuccessiveHalvingPrunerOptions {
  /** Steps before the first rung; "auto" (default) takes a hundredth of the longest COMPLETE trial. */
  minResource?: number | "auto";
  /** One of so many trials goes on at each rung (4). */
  reductionFactor?: number;
  /** Leaves out so many of the first rungs (0). */
  minEarlyStoppingRate?: number;
  /** The first so many trials at every rung are pruned (0). */
  bootstrapCount?: number;
}

/** The attribute that a trial's value at rung k is stored under. */
export function completedRungKey(rung: number): string {
  return `completed_rung_${rung}`;
}

/** Whether `value` is among the best 1/`reductionFactor` of `competing`, which includes it; ties pass. */
function promotable(value: number, competing: number[], reductionFactor: number, direction: Direction): boolean {
  const index = Math.max(Math.floor(competing.length / reductionFactor) - 1, 0);
  competing.sort((a, b) => a - b);
  return direction === "maximize" ? value >= competing[competing.length - 1 - index] : value <= competing[index];
}

/** Largest step of any COMPLETE trial, or null when none has reported. */
export function longestCompleteStep(trials: readonly FrozenTrial[]): number | null {
  let longest: number | null = null;
  for (const trial of trials) {
    const step = trial.state === "COMPLETE" ? lastStep(trial) : null;
    if (step !== null && (longest === null || step > longest)) longest = step;
  }
  return longest;
}

/**
 * Asynchronous successive halving (Li et al. 2018, arXiv:1810.05934), Optuna's `SuccessiveHalvingPruner`: rung k is at
 * step minResource · reductionFactor^(minEarlyStoppingRate + k). At a rung a trial's value is stored as the system
 * attribute `completed_rung_k`, and the trial goes on if it is among the best of all that have reached the rung.
 */
export class SuccessiveHalvingPruner implements Pruner {
  #minResource: number | null;
  readonly #reductionFactor: number;
  readonly #minEarlyStoppingRate: number;
  readonly #bootstrapCount: number;

  /** Usage error for options that contradict each other. */
  constructor(options: SuccessiveHalvingPrunerOptions = {}) {
    const { minResource = "auto", reductionFactor = 4, minEarlyStoppingRate = 0, bootstrapCount = 0 } = options;
    const fail = (rule: string): never => {
      throw new EntailError("usage", `SuccessiveHalvingPruner: ${rule}`);
    };
    if (minResource !== "auto" && !(minResource >= 1)) fail("minResource must be at least 1, or auto");
    if (!(reductionFactor >= 2)) fail("reductionFactor must be at least 2");
    if (!(minEarlyStoppingRate >= 0)) fail("minEarlyStoppingRate must be at least 0");
    if (!(bootstrapCount >= 0)) fail("bootstrapCount must be at least 0");
    if (bootstrapCount > 0 && minResource === "auto") fail("bootstrapCount needs a minResource");
    this.#minResource = minResource === "auto" ? null : minResource;
    this.#reductionFactor = reductionFactor;
    this.#minEarlyStoppingRate = minEarlyStoppingRate;
    this.#bootstrapCount = bootstrapCount;
  }

  /** Whether a trial is to end, by what it and the others have reported. */
  decide({ trial, trials, direction }: PruningContext): PruningDecision {
    const step = lastStep(trial);
    if (step === null) return KEEP;
    if (this.#minResource === null) {
      const longest = longestCompleteStep(trials);
      if (longest === null) return KEEP;
      this.#minResource = Math.max(Math.floor(longest / 100), 1);
    }
    const value = trial.intermediateValues.get(step)!;
    const systemAttrs: Record<string, number> = {};
    let rung = 0;
    while (completedRungKey(rung) in trial.systemAttrs) rung++;
    for (;; rung++) {
      const promotionStep = this.#minResource * this.#reductionFactor ** (this.#minEarlyStoppingRate + rung);
      if (step < promotionStep) return { prune: false, systemAttrs };
      if (Number.isNaN(value)) return { ...PRUNE, systemAttrs };
      const key = completedRungKey(rung);
      systemAttrs[key] = value;
      const competing = [value];
      for (const other of trials) {
        if (other.trialId !== trial.trialId && key in other.systemAttrs) competing.push(Number(other.systemAttrs[key]));
      }
      if (
        competing.length <= this.#bootstrapCount ||
        !promotable(value, competing, this.#reductionFactor, direction)
      ) return { prune: true, systemAttrs };
    }
  }
}
