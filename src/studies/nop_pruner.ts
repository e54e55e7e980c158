import { KEEP, type Pruner, type PruningDecision } from "./pruner.ts";

/** Never prunes. */
export class NopPruner implements Pruner {
  /** Always to go on. */
  decide(): PruningDecision {
    return KEEP;
  }
}
