import { EntailError } from "../errors.ts";
import type { Pruner, PruningContext, PruningDecision } from "./pruner.ts";

/**
 * Lets a study's first `count` trials run to their end and otherwise decides as `pruner` does. What that pruner wants stored
 * (a rung's value) is stored for the first trials too, so that later ones compete with them.
 */
export class KeepFirstTrialsPruner implements Pruner {
  readonly #pruner: Pruner;
  readonly #count: number;

  constructor(pruner: Pruner, count: number) {
    if (!(count >= 0)) throw new EntailError("usage", `KeepFirstTrialsPruner: count must be at least 0, got ${count}`);
    this.#pruner = pruner;
    this.#count = count;
  }

  decide(context: PruningContext): PruningDecision {
    const decision = this.#pruner.decide(context);
    return context.trial.number < this.#count ? { ...decision, prune: false } : decision;
  }
}
