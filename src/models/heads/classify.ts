/** The last stage of a head: dropout, then a linear layer with one row for each label. */
import type { Tensor } from "../../gpu/tensor.ts";
import { linear, linearBackward, type Scope } from "../scope.ts";
import { drop } from "./drop.ts";
import type { Stage } from "./head.ts";

/** Logits [sequences, labels] of features [sequences, …], with the parameters `<name>.weight` and `<name>.bias`. */
export function classify(scope: Scope, name: string, features: Tensor): Stage {
  const { plan, config, batch: { sequences: rows } } = scope;
  const sizes = { rows, inFeatures: features.shape[1], outFeatures: config.labels.length };
  const dropped = drop(scope, "classifier", features);
  const y = plan.transient("logits", [rows.capacity, sizes.outFeatures]);
  linear(scope, name, dropped.y, { ...sizes, y });
  return {
    y,
    backward(scope, dy) {
      const dFeatures = scope.plan.transient("d features", [rows.capacity, sizes.inFeatures]);
      linearBackward(scope, name, { x: dropped.y, dy, dx: dFeatures }, sizes);
      return dropped.backward(scope, dFeatures);
    },
  };
}
