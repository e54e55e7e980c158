/** `pooler_linear`: the head of the family's `…ForSequenceClassification`, a dense layer over the first token. */
import { familyOf } from "../registry.ts";
import { classify } from "./classify.ts";
import { dense } from "./dense.ts";
import { drop } from "./drop.ts";
import type { Head } from "./head.ts";
import { pool } from "./pool.ts";

const ACTIVATION_NAMES = { gelu: "GELU", tanh: "tanh" };

export const poolerLinear: Head = {
  describe: (config) =>
    `the first token through a dense layer with ${ACTIVATION_NAMES[familyOf(config).ownHead.activation]}`,
  isStock: true,
  parameters(parameters, config) {
    const { ownHead } = familyOf(config);
    parameters.linear(ownHead.dense, config.hiddenSize, config.hiddenSize);
    parameters.linear(ownHead.classifier, config.labels.length, config.hiddenSize);
  },
  forward(scope, hiddenStates) {
    const { ownHead } = familyOf(scope.config);
    const first = pool(scope, "first", hiddenStates);
    const dropped = ownHead.inputDropout && drop(scope, "pooler", first.y);
    const features = dense(scope, ownHead.dense, (dropped ?? first).y, {
      outFeatures: scope.config.hiddenSize,
      activation: ownHead.activation,
    });
    const classified = classify(scope, ownHead.classifier, features.y);
    return {
      logits: classified.y,
      backward(scope, dLogits, { frozenEncoder }) {
        let dx = features.backward(scope, classified.backward(scope, dLogits));
        if (dropped) dx = dropped.backward(scope, dx);
        return frozenEncoder ? null : first.backward(scope, dx);
      },
    };
  },
};
