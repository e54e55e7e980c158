/** `attention_pooling`: the mean over all tokens, weighted by the softmax of their products with a learnt query. */
import { attentionPoolBackward, attentionPoolForward } from "../../nn/attention_pooling.ts";
import { classify } from "./classify.ts";
import type { Head } from "./head.ts";

const QUERY = "attention_pooling.weight";
const CLASSIFIER = "classifier";

export const attentionPooling: Head = {
  describe: () => "the mean over all tokens, weighted by attention to a learnt query",
  isStock: false,
  parameters(parameters, { labels, hiddenSize }) {
    parameters.add(QUERY, [1, hiddenSize]);
    parameters.linear(CLASSIFIER, labels.length, hiddenSize);
  },
  forward(scope, hiddenStates) {
    const { plan, config: { hiddenSize: columns }, batch: { sequences, tokens, offsets }, parameters } = scope;
    const sizes = { tokens, sequences, columns };
    const tensors = {
      x: hiddenStates,
      query: parameters.value(QUERY),
      offsets,
      weights: plan.transient("pooling weights", [tokens.capacity]),
      pooled: plan.transient("pooled", [sequences.capacity, columns]),
    };
    attentionPoolForward(plan, tensors, sizes);
    const classified = classify(scope, CLASSIFIER, tensors.pooled);
    return {
      logits: classified.y,
      backward(scope, dLogits, { frozenEncoder }) {
        const dPooled = classified.backward(scope, dLogits);
        const { plan, batch: { sequenceOf }, parameters } = scope;
        const dx = frozenEncoder ? undefined : plan.activation("d hidden states", [tokens.capacity, columns]);
        const dQuery = parameters.gradient(QUERY);
        attentionPoolBackward(plan, { ...tensors, sequenceOf, dPooled, dQuery, dx }, sizes);
        return dx ?? null;
      },
    };
  },
};
