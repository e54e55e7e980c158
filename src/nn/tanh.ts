/** tanh on its own. Linear layers apply it themselves on their way. */
import type { Tensor } from "../gpu/tensor.ts";
import type { Plan, Rows } from "./plan.ts";
import { quadGrid } from "./rows.ts";

interface TanhSizes {
  rows: Rows;
  columns: number;
}

/** y = tanh(x), both [rows, columns]. */
export function tanhForward(plan: Plan, { x, y }: { x: Tensor; y: Tensor }, { rows, columns }: TanhSizes): void {
  plan.dispatch({
    kernel: "tanh",
    entry: "forward",
    constants: { COLUMNS: columns },
    bindings: { x, y, rows: rows.uniform },
    grid: quadGrid(rows, columns),
    label: "tanh forward",
  });
}

/** dx = dy · (1 − y²), all [rows, columns], where y is the tanh. */
export function tanhBackward(
  plan: Plan,
  { y, dy, dx }: { y: Tensor; dy: Tensor; dx: Tensor },
  { rows, columns }: TanhSizes,
): void {
  plan.dispatch({
    kernel: "tanh",
    entry: "backward",
    constants: { COLUMNS: columns },
    bindings: { y, dy, dx, rows: rows.uniform },
    grid: quadGrid(rows, columns),
    label: "tanh backward",
  });
}
