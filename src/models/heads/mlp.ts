/** `mlp1` and `mlp2`: the first token through one or two dense layers with GELU and dropout. */
import type { Tensor } from "../../gpu/tensor.ts";
import type { Scope } from "../scope.ts";
import { classify } from "./classify.ts";
import { dense } from "./dense.ts";
import { drop } from "./drop.ts";
import type { Head, Stage } from "./head.ts";
import { pool } from "./pool.ts";

const CLASSIFIER = "classifier";

const layerName = (layer: number): string => `mlp.${layer}`;

const names = (layers: number): string[] => Array.from({ length: layers }, (_, layer) => layerName(layer));

/** The dense layers with the dropout between them; the last one's is the classifier's. */
function denseLayers(scope: Scope, layers: number, x: Tensor): Stage[] {
  const stages: Stage[] = [];
  for (const name of names(layers)) {
    if (stages.length > 0) stages.push(drop(scope, "classifier", stages.at(-1)!.y, "pooler"));
    const { hiddenSize: outFeatures } = scope.config;
    stages.push(dense(scope, name, stages.at(-1)?.y ?? x, { outFeatures, activation: "gelu" }));
  }
  return stages;
}

export const mlpHead = (layers: 1 | 2): Head => ({
  describe: () =>
    `the first token through ${layers === 1 ? "a dense layer" : "two dense layers"} with GELU and dropout`,
  isStock: false,
  parameters(parameters, { labels, hiddenSize }) {
    for (const name of names(layers)) parameters.linear(name, hiddenSize, hiddenSize);
    parameters.linear(CLASSIFIER, labels.length, hiddenSize);
  },
  forward(scope, hiddenStates) {
    const first = pool(scope, "first", hiddenStates);
    const stages = denseLayers(scope, layers, first.y);
    const classified = classify(scope, CLASSIFIER, stages.at(-1)!.y);
    return {
      logits: classified.y,
      backward(scope, dLogits, { frozenEncoder }) {
        const dFeatures = classified.backward(scope, dLogits);
        const dFirst = stages.reduceRight((dy, stage) => stage.backward(scope, dy), dFeatures);
        return frozenEncoder ? null : first.backward(scope, dFirst);
      },
    };
  },
});
