/** Transposed copies of matrices, for products that want the rows of both operands along the sum. */
import { linearGrid } from "../gpu/program.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Plan, Rows } from "./plan.ts";

/**
 * A transient [columns, stride] with the columns of `x` [rows, columns] as its rows; what lies between the last row of x
 * and the next multiple of four is zero. `columns` and `stride` are multiples of four.
 */
export function transposed(
  plan: Plan,
  x: Tensor,
  { rows, columns, stride }: { rows: Rows | number; columns: number; stride: number },
): Tensor {
  const isFixed = typeof rows === "number";
  const y = plan.transient(`${x.label} transposed`, [columns, stride], x.dtype);
  plan.dispatch({
    kernel: "transpose",
    entry: "turn",
    constants: { ROWS: isFixed ? rows : 0, COLUMNS: columns, STRIDE: stride },
    bindings: { ...(!isFixed && { rows: rows.uniform }), x, y },
    grid: (sizes) => {
      const quads = Math.ceil((isFixed ? rows : rows.count(sizes)) / 4);
      return linearGrid(Math.ceil(quads * columns / 4 / 64));
    },
    label: y.label,
  });
  return y;
}
