/** How the tensors of heads lie, and copies in other layouts (kernels/attention_heads.wgsl). */
import type { Tensor } from "../gpu/tensor.ts";
import type { AttentionSizes, HeadTensors } from "./attention_inputs.ts";
import { alignRows, type Cut, paddedRows } from "./attention_variants.ts";
import { fixedRows, type Plan, type Rows } from "./plan.ts";

/** A head of `size` elements; that of row r and head h is the (r · row + h · head)-th. */
interface HeadLayout {
  size: number;
  row: number;
  head: number;
}

/** The sizes with heads and tables padded to whole quads, which is all that kernels know; zeros change no product. */
export const wholeQuads = (sizes: AttentionSizes): AttentionSizes => ({
  ...sizes,
  headSize: 4 * Math.ceil(sizes.headSize / 4),
  relativeRows: 4 * Math.ceil(sizes.relativeRows / 4),
});

/** Which tensors a call reads and which it writes. */
export interface Directions {
  read: readonly (keyof HeadTensors)[];
  written: readonly (keyof HeadTensors)[];
}

/**
 * The tensors as the kernels of a call read and write them, and what copies back those that are written. They are copies
 * where heads are padded, or lie one after another because windows of a `cut` are bound one by one.
 */
export function layHeads<T extends HeadTensors>(
  plan: Plan,
  tensors: T,
  sizes: AttentionSizes,
  { read, written }: Directions,
  cut: Cut | null,
): { laid: T; copyBack(): void } {
  const { heads, headSize, relativeRows, tokens, label } = sizes;
  const whole = wholeQuads(sizes);
  if (!cut && whole.headSize === headSize && whole.relativeRows === relativeRows) {
    return { laid: tensors, copyBack: () => {} };
  }
  const tableRows = fixedRows(plan.gpu, "position table rows", relativeRows);
  const copies = [...read, ...written].filter((name) => tensors[name]).map((name) => {
    const isTable = name.toLowerCase().includes("position");
    const aligned = cut ? (isTable ? alignRows(relativeRows) : paddedRows(cut)) : 0;
    const rows = aligned || (isTable ? whole.relativeRows : tokens.capacity);
    const own = plan.transient(`${label} ${name}`, [rows, heads * whole.headSize], tensors[name]!.dtype);
    const layout = { size: whole.headSize, ...(cut ? { row: 1, head: rows } : { row: heads, head: 1 }) };
    return { name, theirs: tensors[name]!, own, layout, isTable, rows: isTable ? tableRows : tokens };
  });
  const given = { size: headSize, row: heads, head: 1 };
  for (const { name, theirs, own, layout, rows, isTable } of copies) {
    // What is past a table's end, which is multiplied by zeros.
    if (isTable) plan.clear(own);
    if (read.includes(name)) copyHeads(plan, [theirs, given], [own, layout], rows, heads);
  }
  return {
    laid: { ...tensors, ...Object.fromEntries(copies.map(({ name, own }) => [name, own])) },
    copyBack() {
      for (const { name, theirs, own, layout, rows } of copies) {
        if (written.includes(name)) copyHeads(plan, [own, layout], [theirs, given], rows, heads);
      }
    },
  };
}

function copyHeads(
  plan: Plan,
  [source, from]: [Tensor, HeadLayout],
  [result, to]: [Tensor, HeadLayout],
  rows: Rows,
  heads: number,
): void {
  plan.dispatch({
    kernel: "attention_heads",
    entry: "copy",
    constants: {
      ...{ SOURCE_SIZE: from.size, SOURCE_ROW: from.row, SOURCE_HEAD: from.head },
      ...{ RESULT_SIZE: to.size, RESULT_ROW: to.row, RESULT_HEAD: to.head },
    },
    bindings: { rows: rows.uniform, source, result },
    grid: (batch) => [Math.ceil(rows.count(batch) / 64), heads],
    label: `${result.label} copied`,
  });
}
