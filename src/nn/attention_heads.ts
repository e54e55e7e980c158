/** Copies of heads in other layouts (kernels/attention_heads.wgsl). */
import type { Tensor } from "../gpu/tensor.ts";
import type { AttentionSizes, HeadTensors } from "./attention_inputs.ts";
import { fixedRows, type Plan, type Rows } from "./plan.ts";

/** A head of `size` elements; that of row r and head h is the (r · row + h · head)-th. */
interface HeadLayout {
  size: number;
  row: number;
  head: number;
}

/** Rows that can be bound from any head's first one on. */
export const alignRows = (count: number): number => 64 * Math.ceil(count / 64);

/** Whether a tensor has the rows of the position tables, not those of the batch. */
export const isTable = (name: string): boolean => name.toLowerCase().includes("position");

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

/** The tensors in whole quads, copies where the sizes ask for it, and what copies back those that are written. */
export function padHeads<T extends HeadTensors>(
  plan: Plan,
  tensors: T,
  sizes: AttentionSizes,
  { read, written }: Directions,
): { padded: T; copyBack(): void } {
  const { heads, headSize, relativeRows, tokens, label } = sizes;
  const whole = wholeQuads(sizes);
  if (whole.headSize === headSize && whole.relativeRows === relativeRows) {
    return { padded: tensors, copyBack: () => {} };
  }
  const given = { size: headSize, row: heads, head: 1 };
  const wide = { ...given, size: whole.headSize };
  const tableRows = fixedRows(plan.gpu, "position table rows", relativeRows);
  const copies = [...read, ...written].filter((name) => tensors[name]).map((name) => {
    const capacity = isTable(name) ? whole.relativeRows : tokens.capacity;
    const own = plan.transient(`${label} ${name} padded`, [capacity, heads * wide.size], tensors[name]!.dtype);
    return { name, theirs: tensors[name]!, own, rows: isTable(name) ? tableRows : tokens };
  });
  for (const { name, theirs, own, rows } of copies) {
    if (!read.includes(name)) continue;
    if (isTable(name)) plan.clear(own); // its last rows are multiplied by zeros
    copyHeads(plan, [theirs, given], [own, wide], rows, heads);
  }
  return {
    padded: { ...tensors, ...Object.fromEntries(copies.map(({ name, own }) => [name, own])) },
    copyBack() {
      for (const { name, theirs, own, rows } of copies) {
        if (written.includes(name)) copyHeads(plan, [own, wide], [theirs, given], rows, heads);
      }
    },
  };
}

/** A copy whose heads lie one after another, each with `room` rows. */
export function byHeads(
  plan: Plan,
  source: Tensor,
  { heads, headSize, label }: AttentionSizes,
  rows: Rows,
  room: number,
): Tensor {
  const result = plan.transient(`${label} by heads`, [heads, room, headSize], source.dtype);
  const from = { size: headSize, row: heads, head: 1 };
  copyHeads(plan, [source, from], [result, { size: headSize, row: 1, head: room }], rows, heads);
  return result;
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
    label: result.label,
  });
}
