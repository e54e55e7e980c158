/** Products of attention with the position tables, of the heads of a group. */
import { type Grid, linearGrid } from "../gpu/program.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { HeadGroup } from "./attention_variants.ts";
import { type AttentionSizes, bucketsOf } from "./attention_inputs.ts";
import { indexUniform } from "./index_uniform.ts";
import type { Plan } from "./plan.ts";

const PARTS = 16;
const invocations = (count: number): Grid => linearGrid(Math.ceil(count / 64));
const constantsOf = ({ heads, headSize, relativeRows }: AttentionSizes, group: HeadGroup) => ({
  HEADS: heads,
  GROUP_HEADS: group.count,
  HEAD_SIZE: headSize,
  VEC: 4,
  COLUMN_BLOCKS: headSize % 16 === 0 ? 4 : 1,
  RELATIVE_ROWS: relativeRows,
  BUCKETS: bucketsOf(relativeRows),
  LANES: 64,
  PARTS,
});

/** x · tableᵀ, [tokens, heads of the group, buckets]. */
export function positionScores(plan: Plan, sizes: AttentionSizes, group: HeadGroup, x: Tensor, table: Tensor): Tensor {
  const { tokens, relativeRows } = sizes;
  const product = plan.transient(`${table.label} scores`, [tokens.capacity, group.count, bucketsOf(relativeRows)]);
  plan.dispatch({
    kernel: "attention_position",
    entry: "scores",
    label: product.label,
    constants: constantsOf(sizes, group),
    bindings: {
      first_head: indexUniform(plan.gpu, group.first),
      rows: tokens.uniform,
      x,
      table,
      position_scores: product,
    },
    grid: (batch) => invocations(Math.ceil(tokens.count(batch) / 8) * group.count * bucketsOf(relativeRows) / 4),
  });
  return product;
}

/** dX += sums · table, dTable = sumsᵀ · x. */
export function positionBackward(
  plan: Plan,
  sizes: AttentionSizes,
  group: HeadGroup,
  { x, dX, table, dTable, sums }: { x: Tensor; dX: Tensor; table?: Tensor; dTable?: Tensor; sums?: Tensor },
): void {
  if (!table || !sums) return;
  const { headSize, relativeRows, tokens } = sizes;
  const constants = constantsOf(sizes, group);
  const columns = headSize / 4 / constants.COLUMN_BLOCKS;
  const first_head = indexUniform(plan.gpu, group.first);
  plan.dispatch({
    kernel: "attention_position",
    entry: "input_gradient",
    constants,
    bindings: { first_head, rows: tokens.uniform, table, d_position: sums, d_input: dX },
    grid: (batch) => invocations(Math.ceil(tokens.count(batch) / 4) * group.count * columns),
  });
  if (!dTable) return;
  const parts = plan.transient(`parts`, [PARTS, relativeRows, group.count, headSize]);
  plan.dispatch({
    kernel: "attention_position",
    entry: "table_gradient",
    constants,
    bindings: { first_head, rows: tokens.uniform, x, d_position: sums, parts },
    grid: () => invocations(PARTS * group.count * bucketsOf(relativeRows) / 4 * columns),
  });
  plan.dispatch({
    kernel: "attention_position",
    entry: "reduce",
    constants,
    bindings: { first_head, parts_in: parts, d_table: dTable },
    grid: () => linearGrid(Math.ceil(relativeRows * group.count * headSize / 4 / 64)),
  });
}
