/** Dropout as a stage of a head; without a backward to come it is nothing. */
import type { Tensor } from "../../gpu/tensor.ts";
import { dropoutBackward, dropoutForward } from "../../nn/dropout.ts";
import { dropoutSite, type Scope } from "../scope.ts";
import type { Stage } from "./head.ts";

type Place = "pooler" | "classifier";

/** `where` names the rate, and the site unless that is another one. */
export function drop({ plan, config, batch, dropout }: Scope, where: Place, x: Tensor, at: Place = where): Stage {
  const { sequences } = batch;
  const shape = [sequences.capacity, x.shape[1]];
  const sizes = { rows: sequences, columns: x.shape[1], site: dropoutSite[at](config.numHiddenLayers) };
  let y = x;
  if (dropout) {
    y = plan.transient(`dropped before the ${where}`, shape);
    dropoutForward(plan, { x, dropout: dropout[where], y }, sizes);
  }
  return {
    y,
    backward({ plan, dropout }, dy) {
      const dx = plan.transient(`d before dropout of the ${where}`, shape);
      dropoutBackward(plan, { dy, dropout: dropout[where], dx }, sizes);
      return dx;
    },
  };
}
