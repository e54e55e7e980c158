/** Copies of heads in other layouts (kernels/attention_heads.wgsl). */
import type { Tensor } from "../gpu/tensor.ts";
import type { AttentionGradients, AttentionInputs, AttentionSizes } from "./attention_inputs.ts";
import { fixedRows, type Plan, type Rows } from "./plan.ts";

/** A head of `size` elements; that of row r and head h is the (r · row + h · head)-th. */
interface HeadLayout {
  size: number;
  row: number;
  head: number;
}

function copyHeads(
  plan: Plan,
  { source, result, rows, heads }: { source: Tensor; result: Tensor; rows: Rows; heads: number },
  from: HeadLayout,
  to: HeadLayout,
): void {
  plan.dispatch({
    kernel: "attention_heads",
    entry: "copy",
    constants: {
      SOURCE_SIZE: from.size,
      SOURCE_ROW: from.row,
      SOURCE_HEAD: from.head,
      RESULT_SIZE: to.size,
      RESULT_ROW: to.row,
      RESULT_HEAD: to.head,
    },
    bindings: { rows: rows.uniform, source, result },
    grid: (batch) => [Math.ceil(rows.count(batch) / 64), heads],
    label: result.label,
  });
}

/** [heads, padded, head size] from [tokens, heads, head size]: windows of a head's tokens can be bound one by one. */
export function byHeads(
  plan: Plan,
  source: Tensor,
  { heads, headSize, tokens }: AttentionSizes,
  padded: number,
): Tensor {
  const result = plan.transient(`${source.label} by heads`, [heads, padded, headSize], source.dtype);
  const from = { size: headSize, row: heads, head: 1 };
  copyHeads(plan, { source, result, rows: tokens, heads }, from, { size: headSize, row: 1, head: padded });
  return result;
}

type HeadTensors = { [Name in keyof (AttentionInputs & AttentionGradients)]?: Tensor };

/**
 * Calls `attend` with heads of whole quads, padded with zeros: copies of the tensors that are `read`, and room for those
 * that are `written`, which are copied back. Zeros change no product.
 */
export function withWholeQuads<T extends AttentionInputs>(
  plan: Plan,
  tensors: T,
  sizes: AttentionSizes,
  { read, written }: { read: readonly (keyof HeadTensors)[]; written: readonly (keyof HeadTensors)[] },
  attend: (plan: Plan, tensors: T, sizes: AttentionSizes) => void,
): void {
  const { heads, headSize, relativeRows, tokens, label = "attention" } = sizes;
  const whole = 4 * Math.ceil(headSize / 4);
  const given: HeadTensors = tensors;
  const tableRows = fixedRows(plan.gpu, "position table rows", relativeRows);
  const rowsOf = (name: string) => (/position/i.test(name) ? tableRows : tokens);
  const narrow = { size: headSize, row: heads, head: 1 };
  const wide = { ...narrow, size: whole };
  const padded = Object.fromEntries(
    [...read, ...written].filter((name) => given[name]).map((name) => [
      name,
      plan.transient(`${label} ${name} padded`, [rowsOf(name).capacity, heads * whole]),
    ]),
  );
  const copy = (name: keyof HeadTensors, source: Tensor, result: Tensor, from: HeadLayout, to: HeadLayout) =>
    copyHeads(plan, { source, result, rows: rowsOf(name), heads }, from, to);
  for (const name of read) if (padded[name]) copy(name, given[name]!, padded[name], narrow, wide);
  attend(plan, { ...tensors, ...padded }, { ...sizes, headSize: whole });
  for (const name of written) if (padded[name]) copy(name, padded[name], given[name]!, wide, narrow);
}
