/** The exact GELU, x·Φ(x) (Hendrycks & Gimpel, 2016), on its own. Linear layers apply it themselves on their way. */
import type { Tensor } from "../gpu/tensor.ts";
import type { Plan, Rows } from "./plan.ts";
import { quadGrid } from "./rows.ts";

interface GeluSizes {
  rows: Rows;
  columns: number;
  label?: string;
}

/** y = gelu(preActivation), both [rows, columns]: a layer's output again, where it was not kept. */
export function geluForward(
  plan: Plan,
  { preActivation, y }: { preActivation: Tensor; y: Tensor },
  { rows, columns, label = "gelu forward" }: GeluSizes,
): void {
  plan.dispatch({
    kernel: "gelu",
    entry: "forward",
    constants: { COLUMNS: columns },
    bindings: { pre_activation: preActivation, y, rows: rows.uniform },
    grid: quadGrid(rows, columns),
    label,
  });
}

/** dx = dy · gelu′(preActivation), all [rows, columns]. */
export function geluBackward(
  plan: Plan,
  { preActivation, dy, dx }: { preActivation: Tensor; dy: Tensor; dx: Tensor },
  { rows, columns, label = "gelu backward" }: GeluSizes,
): void {
  plan.dispatch({
    kernel: "gelu",
    entry: "backward",
    constants: { COLUMNS: columns },
    bindings: { pre_activation: preActivation, dy, dx, rows: rows.uniform },
    grid: quadGrid(rows, columns),
    label,
  });
}
