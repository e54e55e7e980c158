/** Dropout by itself, where no other kernel can take it along, and plain addition. */
import { linearGrid } from "../gpu/program.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Plan, Rows } from "./plan.ts";
import { blocksOf } from "./rows.ts";

export interface DropoutSizes {
  rows: Rows;
  columns: number;
  site: number;
}

const grid = (rows: Rows, columns: number): Parameters<Plan["dispatch"]>[0]["grid"] => (sizes) =>
  linearGrid(Math.ceil(rows.count(sizes) * blocksOf(columns) / 64));

/** y = x · factor [rows, columns]; `dropout` is the uniform of kernels/lib/dropout.wgsl. */
export function dropoutForward(
  plan: Plan,
  { x, dropout, y }: { x: Tensor; dropout: Tensor; y: Tensor },
  { rows, columns, site }: DropoutSizes,
): void {
  plan.dispatch({
    kernel: "dropout",
    entry: "apply",
    constants: { DROPOUT: 1, COLUMNS: columns, SITE: site },
    bindings: { rows: rows.uniform, x, y, dropout },
    grid: grid(rows, columns),
    label: `dropout ${y.label}`,
  });
}

/** dx = dy · factor, with the factors of the forward pass at the same site. */
export function dropoutBackward(
  plan: Plan,
  { dy, dropout, dx }: { dy: Tensor; dropout: Tensor; dx: Tensor },
  sizes: DropoutSizes,
): void {
  dropoutForward(plan, { x: dy, dropout, y: dx }, sizes);
}

/** into += from, both [rows, columns]. */
export function accumulate(
  plan: Plan,
  { from, into }: { from: Tensor; into: Tensor },
  { rows, columns }: { rows: Rows; columns: number },
): void {
  plan.dispatch({
    kernel: "dropout",
    entry: "accumulate",
    constants: { DROPOUT: 0, COLUMNS: columns },
    bindings: { rows: rows.uniform, x: from, y: into },
    grid: grid(rows, columns),
    label: `${into.label} += ${from.label}`,
  });
}
