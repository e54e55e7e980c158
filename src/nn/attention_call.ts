/** A call of attention: what all its dispatches have in common. */
import type { Grid } from "../gpu/program.ts";
import { type Tensor, viewOf } from "../gpu/tensor.ts";
import { alignRows, byHeads, type Directions, isTable, padHeads, wholeQuads } from "./attention_heads.ts";
import { type AttentionInputs, type AttentionSizes, type HeadTensors, pairStride } from "./attention_inputs.ts";
import { ATTENTION, type AttentionShape, type Cut, type HeadGroup, paddedRows, shapeOf } from "./attention_variants.ts";
import { indexUniform } from "./index_uniform.ts";
import { type BatchSizes, fixedRows, type Plan } from "./plan.ts";
import type { Matrix } from "./product.ts";
import { appendChosen } from "./variants.ts";

export interface Call<T = AttentionInputs> {
  plan: Plan;
  /** The tensors in whole quads; the sizes are theirs. */
  t: T;
  sizes: AttentionSizes & { label: string };
  kernel: string;
  /** Rows of a head that a workgroup of it owns, and its constants beside those of every core. */
  rows: number;
  constants: Readonly<Record<string, number>>;
  inUnits: boolean;
  cut: Cut;
  pairs: AttentionShape["pairs"];
  /** Copies by heads of what is read, where windows of a head's rows are bound as uniforms. */
  copies: ReadonlyMap<Tensor, Tensor> | null;
}

/** Appends a call with the variant that is chosen for it: what `attend` makes of it. */
export function appendCall<T extends AttentionInputs & HeadTensors>(
  plan: Plan,
  tensors: T,
  { label = "attention", ...given }: AttentionSizes,
  directions: Directions & { name: AttentionShape["direction"] },
  attend: (call: Call<T>) => void,
): void {
  const sizes = { ...wholeQuads(given), label };
  const shape = shapeOf(plan, sizes, directions.name, directions.read.flatMap((name) => tensors[name] ?? []));
  appendChosen(plan, ATTENTION, shape, (on, variant) => {
    const { padded: t, copyBack } = padHeads(on, tensors, { ...given, label }, directions);
    const { kernel, rows, windows, inParts, inUnits = false } = variant;
    const { pairs } = shape;
    const own = inUnits ? { ...shape, pairs: { ...pairs, dScores: pairs.weights } } : shape;
    const cut = variant.cut(on.gpu, own);
    if (directions.name === "backward" && cut.parts > 1 && !inParts) {
      throw new Error(`${label}: ${kernel} does not take queries part by part`);
    }
    const tableRows = fixedRows(on.gpu, "position table rows", sizes.relativeRows);
    const copyOf = (name: keyof HeadTensors): [Tensor, Tensor] => {
      const [rows, room] = isTable(name) ? [tableRows, alignRows(sizes.relativeRows)] : [sizes.tokens, paddedRows(cut)];
      return [t[name]!, byHeads(on, t[name]!, sizes, rows, room)];
    };
    const read = directions.read.filter((name) => t[name] && name !== "context");
    const copies = windows ? new Map(read.map(copyOf)) : null;
    const constants = variant.constants?.(on.gpu, shape) ?? {};
    attend({ plan: on, t, sizes, kernel, rows, constants, inUnits, cut, pairs: own.pairs, copies });
    copyBack();
  });
}

/** The matrices of a group of heads, as a product takes them. */
export function headMatrices({ sizes, copies }: Call, tensor: Tensor, { first }: HeadGroup): Matrix {
  const { heads, headSize } = sizes;
  const copy = copies?.get(tensor);
  if (copy) return { tensor: rowsOfHead(copy, first, 0, copy.shape[1]) };
  return { tensor, stride: heads * headSize, step: headSize, first };
}

/** `count` rows of a head in a copy by heads, from row `begin` on. */
function rowsOfHead(copy: Tensor, head: number, begin: number, count: number): Tensor {
  const [, room, headSize] = copy.shape;
  return viewOf(copy, `${copy.label}, head ${head}`, (head * room + begin) * headSize, [count, headSize]);
}

/** The heads of a dispatch, and the numbers of its chunk of tokens and of its part of their queries. */
export interface Place {
  group: HeadGroup;
  chunk: number;
  part?: number;
}

interface Work {
  kernel: string;
  entry: string;
  /** Rows of a head and a sequence that a workgroup takes, and whether they are queries of the part. */
  rows: number;
  ofPart?: boolean;
  constants?: Readonly<Record<string, number>>;
  bindings: Readonly<Record<string, Tensor>>;
}

/** Appends a dispatch for some heads of the sequences that begin in a chunk. */
export function dispatchRows(call: Call, { group, chunk, part }: Place, work: Work): void {
  const { plan, t, sizes, cut, copies } = call;
  const { heads, headSize, relativeRows, longestCapacity, scale, label } = sizes;
  plan.dispatch({
    kernel: work.kernel,
    entry: work.entry,
    label: `${label} ${work.entry}`,
    constants: {
      HEADS: heads,
      GROUP_HEADS: group.count,
      HEAD_SIZE: headSize,
      LONGEST: longestCapacity,
      PAIR_STRIDE: pairStride(cut.part),
      PART: cut.part,
      BUCKETS: relativeRows,
      SCALE: scale,
      CHUNK: cut.chunk,
      WINDOW: copies ? cut.room : 0,
      BY_WORDS: 0,
      ...work.constants,
    },
    bindings: {
      chunk: indexUniform(plan.gpu, chunk),
      offsets: t.offsets,
      ...(part !== undefined && cut.parts > 1 && { part: indexUniform(plan.gpu, part) }),
      ...work.bindings,
    },
    grid: ({ tokens, longest, sequences }: BatchSizes): Grid => {
      const rows = work.ofPart ? Math.min(longest, cut.part) : longest;
      const isEmpty = tokens <= chunk * cut.chunk || part !== undefined && longest <= part * cut.part;
      return isEmpty ? [0] : [Math.ceil(rows / work.rows), group.count, sequences];
    },
  });
}

/** Appends a core's kernel, whose rows walk `columns`. */
export function walkColumns(
  call: Call,
  place: Place,
  entry: string,
  bindings: Readonly<Record<string, Tensor>>,
  columns: Readonly<Record<string, Tensor>>,
): void {
  const { kernel, rows, constants, cut, copies } = call;
  const window = (tensor: Tensor) =>
    copies ? rowsOfHead(copies.get(tensor)!, place.group.first, place.chunk * cut.chunk, cut.room) : tensor;
  const walked = Object.fromEntries(Object.entries(columns).map(([name, tensor]) => [name, window(tensor)]));
  const first_head = indexUniform(call.plan.gpu, place.group.first);
  const ofPart = entry === "backward_query";
  const all = { first_head, ...bindings, ...walked };
  dispatchRows(call, place, { kernel, entry, rows, ofPart, constants, bindings: all });
}
