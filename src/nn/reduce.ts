/**
 * Sums over rows in a fixed order, on two levels: a kernel writes one partial row for every group of `GROUP` rows, and
 * `addPartials` adds those to a gradient. The order depends on the number of rows only, so equal inputs give equal bits.
 */
import type { Tensor } from "../gpu/tensor.ts";
import type { Plan, Rows } from "./plan.ts";
import { quadsOf } from "./rows.ts";

/** Rows that one partial row sums. */
export const GROUP = 64;

/** A transient tensor [groups, columns] for the partial rows of `rows`. */
export function partialsFor(plan: Plan, label: string, rows: Rows, columns: number): Tensor {
  return plan.transient(label, [Math.ceil(rows.capacity / GROUP), columns]);
}

/** into[column] += sum of `partials`[i, column] over the groups of `group` rows each that the batch's `rows` fill. */
export function addPartials(
  plan: Plan,
  { partials, into }: { partials: Tensor; into: Tensor },
  { rows, columns, group = GROUP }: { rows: Rows; columns: number; group?: number },
): void {
  const workgroups = Math.ceil(quadsOf(columns) / 8);
  plan.dispatch({
    kernel: "reduce",
    entry: "add_partials",
    constants: { COLUMNS: columns, GROUP: group },
    bindings: { rows: rows.uniform, partials, into },
    grid: () => [workgroups],
    label: `${into.label} sum`,
  });
}
