/** Heads that classify pooled hidden states without a layer between: `linear`, `mean_pooling` and `max_pooling`. */
import type { PoolKind } from "../../nn/pooling.ts";
import { classify } from "./classify.ts";
import type { Head } from "./head.ts";
import { pool } from "./pool.ts";

const CLASSIFIER = "classifier";

export const pooledHead = (kind: PoolKind, description: string): Head => ({
  describe: () => description,
  isStock: false,
  parameters: (parameters, { labels, hiddenSize }) => parameters.linear(CLASSIFIER, labels.length, hiddenSize),
  forward(scope, hiddenStates) {
    const pooled = pool(scope, kind, hiddenStates);
    const classified = classify(scope, CLASSIFIER, pooled.y);
    return {
      logits: classified.y,
      backward(scope, dLogits, { frozenEncoder }) {
        const dPooled = classified.backward(scope, dLogits);
        return frozenEncoder ? null : pooled.backward(scope, dPooled);
      },
    };
  },
});
