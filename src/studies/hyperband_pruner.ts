import { crc32 } from "node:zlib";
import { EntailError } from "../errors.ts";
import { KEEP, type Pruner, type PruningContext, type PruningDecision } from "./pruner.ts";
import { longestCompleteStep, SuccessiveHalvingPruner } from "./successive_halving_pruner.ts";

/** What a `HyperbandPruner` goes by. */
export interface HyperbandPrunerOptions {
  /** Steps before the first rung of the first bracket (1). */
  minResource?: number;
  /** Steps of a full trial; "auto" (default) takes one more than the largest step of the COMPLETE trials, once there is one. */
  maxResource?: number | "auto";
  /** One of so many trials goes on at each rung (3). */
  reductionFactor?: number;
  /** The first so many trials at every rung of a bracket are pruned (0); not with "auto". */
  bootstrapCount?: number;
}

/** The number of trials per round of each bracket: bracket i has ceil(B·η^s/(s+1)) of them, s = B−1−i. */
export function bracketBudgets(minResource: number, maxResource: number, reductionFactor: number): number[] {
  // The quotient of logarithms rounds down at exact powers (243 = 3⁵ has 5 brackets, not 6), as it does in Optuna.
  const brackets = Math.floor(Math.log(maxResource / minResource) / Math.log(reductionFactor)) + 1;
  return Array.from({ length: brackets }, (_, i) => {
    const s = brackets - 1 - i;
    return Math.ceil((brackets * reductionFactor ** s) / (s + 1));
  });
}

/** The bracket of a trial: a hash of the study's name and the trial's number, in proportion to the budgets. */
export function bracketOf(studyName: string, trialNumber: number, budgets: readonly number[]): number {
  let n = crc32(`${studyName}_${trialNumber}`) % budgets.reduce((sum, budget) => sum + budget, 0);
  let bracket = 0;
  while (n >= budgets[bracket]) n -= budgets[bracket++];
  return bracket;
}

/**
 * Hyperband (Li et al. 2018, JMLR 18-185) as Optuna's `HyperbandPruner`: several asynchronous successive halvings of
 * different eagerness side by side, each over the trials that a hash assigns to it. Steps are counted from 1 to match
 * minResource 1. With "auto" nothing is pruned until a trial that has reported is COMPLETE; the resource is then fixed
 * for this object.
 */
export class HyperbandPruner implements Pruner {
  readonly #options: Required<HyperbandPrunerOptions>;
  #budgets: number[] = [];
  #halvings: SuccessiveHalvingPruner[] = [];
  #brackets: { studyName: string; byNumber: number[] } | null = null;

  /** Usage error for options that contradict each other. */
  constructor(options: HyperbandPrunerOptions = {}) {
    const { minResource = 1, maxResource = "auto", reductionFactor = 3, bootstrapCount = 0 } = options;
    if (maxResource !== "auto" && !(Number.isInteger(maxResource) && maxResource >= minResource)) {
      throw new EntailError(
        "usage",
        `HyperbandPruner: maxResource must be a whole number of at least minResource, or auto, got ${maxResource}`,
      );
    }
    if (bootstrapCount > 0 && maxResource === "auto") {
      throw new EntailError("usage", "HyperbandPruner: bootstrapCount needs a maxResource that is not auto");
    }
    // Checks the other options at once instead of at the first report.
    new SuccessiveHalvingPruner({ minResource, reductionFactor, bootstrapCount });
    this.#options = { minResource, maxResource, reductionFactor, bootstrapCount };
  }

  /** Whether a trial is to end, by what it and the others have reported. */
  decide(context: PruningContext): PruningDecision {
    if (this.#halvings.length === 0) this.#initialise(context);
    if (this.#halvings.length === 0) return KEEP;
    const { trials, trial, studyName } = context;
    const bracket = this.#bracket(studyName, trial.number);
    const rivals = trials.filter((other) => this.#bracket(studyName, other.number) === bracket);
    return this.#halvings[bracket].decide({ ...context, trials: rivals });
  }

  #initialise({ trials }: PruningContext): void {
    const { minResource, reductionFactor, bootstrapCount } = this.#options;
    let { maxResource } = this.#options;
    if (maxResource === "auto") {
      const longest = longestCompleteStep(trials);
      if (longest === null) return;
      maxResource = longest + 1;
    }
    this.#budgets = bracketBudgets(minResource, maxResource, reductionFactor);
    this.#halvings = this.#budgets.map((_, i) => {
      return new SuccessiveHalvingPruner({ minResource, reductionFactor, minEarlyStoppingRate: i, bootstrapCount });
    });
  }

  #bracket(studyName: string, trialNumber: number): number {
    if (this.#brackets?.studyName !== studyName) this.#brackets = { studyName, byNumber: [] };
    return this.#brackets.byNumber[trialNumber] ??= bracketOf(studyName, trialNumber, this.#budgets);
  }
}
