import { KEEP, type Pruner, type PruningDecision } from "./pruner.ts";

/** Never prunes. */
export class NopPruner implements Pruner {
  decide(): PruningDecision {
    return KEEP;
  }
}
