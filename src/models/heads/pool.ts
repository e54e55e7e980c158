/** The first stage of a head: one vector per sequence out of the hidden states of its tokens. */
import type { Tensor } from "../../gpu/tensor.ts";
import { argmaxShape, poolBackward, poolForward, type PoolKind } from "../../nn/pooling.ts";
import type { Scope } from "../scope.ts";
import type { Stage } from "./head.ts";

export function pool({ plan, config, batch }: Scope, kind: PoolKind, hiddenStates: Tensor): Stage {
  const { sequences, offsets } = batch;
  const columns = config.hiddenSize;
  const y = plan.transient("pooled", [sequences.capacity, columns]);
  const argmax = kind === "max"
    ? plan.transient("arg max", argmaxShape(sequences.capacity, columns), "u32")
    : undefined;
  poolForward(plan, { x: hiddenStates, offsets, pooled: y, argmax }, { kind, sequences, columns });
  return {
    y,
    backward({ plan, batch: { tokens, offsets, sequenceOf } }, dPooled) {
      const dx = plan.activation("d hidden states", [tokens.capacity, columns]);
      poolBackward(plan, { dPooled, offsets, sequenceOf, argmax, dx }, { kind, tokens, columns });
      return dx;
    },
  };
}
