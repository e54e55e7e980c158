/** The products of attention with the position tables, for the heads of a group at once. */
import type { Tensor } from "../gpu/tensor.ts";
import { type Call, headMatrices } from "./attention_call.ts";
import type { HeadGroup } from "./attention_variants.ts";
import { type Matrix, product } from "./product.ts";

/** [tokens, heads of the group, relativeRows] */
function scoreMatrices({ sizes: { relativeRows } }: Call, tensor: Tensor, { count }: HeadGroup): Matrix {
  return count === 1 ? { tensor } : { tensor, stride: count * relativeRows, step: relativeRows };
}

const batchOf = ({ count }: HeadGroup) => (count === 1 ? undefined : count);

/** x · tableᵀ, [tokens, heads of the group, relativeRows]. */
export function positionScores(call: Call, group: HeadGroup, x: Tensor, table: Tensor): Tensor {
  const { plan, sizes: { tokens, headSize, relativeRows, label } } = call;
  const scores = plan.transient(`${label} position scores`, [tokens.capacity, group.count, relativeRows]);
  product(plan, {
    ...{ label: scores.label, rows: tokens, batch: batchOf(group), m: "rows", n: relativeRows, k: headSize },
    a: { ...headMatrices(call, x, group), alongK: true },
    b: { ...headMatrices(call, table, group), alongK: true },
    c: scoreMatrices(call, scores, group),
  });
  return scores;
}

interface PositionGradients {
  x: Tensor;
  dX: Tensor;
  table?: Tensor;
  dTable?: Tensor;
  /** Of dScore by token and row of the table. */
  sums?: Tensor;
}

/**
 * dX += sums · table, dTable += sumsᵀ · x. The sums are f32, and so these products are not for tensor cores: a key's sum over
 * a bucket has no bound but the sequence's length times that of a dScore, which leaves f16 too few digits for small ones,
 * and sums in two halves would take another pass over them and twice the products.
 */
export function positionBackward(
  call: Call,
  group: HeadGroup,
  { x, dX, table, dTable, sums }: PositionGradients,
): void {
  if (!table || !sums) return;
  const { plan, sizes: { tokens, heads, headSize, relativeRows, label } } = call;
  const common = { rows: tokens, batch: batchOf(group), n: headSize, accumulate: true };
  product(plan, {
    ...{ ...common, label: `${label} position input`, m: "rows", k: relativeRows },
    a: { ...scoreMatrices(call, sums, group), alongK: true },
    b: { ...headMatrices(call, table, group), alongK: false },
    c: headMatrices(call, dX, group),
  });
  if (!dTable) return;
  product(plan, {
    // All heads: the results shall not depend on the groups.
    ...{ ...common, label: `${label} position table`, m: relativeRows, k: "rows", of: heads },
    a: { ...scoreMatrices(call, sums, group), alongK: false },
    b: { ...headMatrices(call, x, group), alongK: false },
    c: headMatrices(call, dTable, group),
  });
}
