/** The gradient through tanh on its own. Linear layers apply tanh itself on their way. */
import type { Tensor } from "../gpu/tensor.ts";
import type { Plan, Rows } from "./plan.ts";
import { quadGrid } from "./rows.ts";

/** dx = dy · (1 − y²), all [rows, columns], where y is the tanh. */
export function tanhBackward(
  plan: Plan,
  { y, dy, dx }: { y: Tensor; dy: Tensor; dx: Tensor },
  { rows, columns, label = "tanh backward" }: { rows: Rows; columns: number; label?: string },
): void {
  plan.dispatch({
    kernel: "tanh",
    entry: "backward",
    constants: { COLUMNS: columns },
    bindings: { y, dy, dx, rows: rows.uniform },
    grid: quadGrid(rows, columns),
    label,
  });
}
