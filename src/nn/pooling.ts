/** One vector per sequence out of the hidden states of its tokens: the first token's, their mean or their maximum. */
import type { Tensor } from "../gpu/tensor.ts";
import type { Plan, Rows } from "./plan.ts";
import { present, quadGrid, quadsOf } from "./rows.ts";

export type PoolKind = "first" | "mean" | "max";

/** Invocations of a workgroup. */
const THREADS = 32;

/** Shape of what "max" keeps: the token that has the maximum, of equals the first, by whole quads of columns. */
export const argmaxShape = (sequences: number, columns: number): number[] => [sequences, 4 * quadsOf(columns)];

/** pooled f32 [sequences, columns] from x [tokens, columns]; `offsets` u32 [sequences + 1]. "max" also writes `argmax`. */
export function poolForward(
  plan: Plan,
  { x, offsets, pooled, argmax }: { x: Tensor; offsets: Tensor; pooled: Tensor; argmax?: Tensor },
  { kind, sequences, columns }: { kind: PoolKind; sequences: Rows; columns: number },
): void {
  plan.dispatch({
    kernel: "pooling",
    entry: "forward",
    constants: { KIND: kind, COLUMNS: columns },
    bindings: present({
      rows: sequences.uniform,
      offsets,
      x,
      pooled,
      argmax: kind === "max"
        ? argmax ?? plan.transient("argmax", argmaxShape(sequences.capacity, columns), "u32")
        : undefined,
    }),
    grid: quadGrid(sequences, columns, THREADS),
    label: `${kind} pooling forward`,
  });
}

/** Writes all of dx [tokens, columns]; `sequenceOf` u32 [tokens], and for "max" the forward pass's `argmax`. */
export function poolBackward(
  plan: Plan,
  { dPooled, offsets, sequenceOf, argmax, dx }: {
    dPooled: Tensor;
    offsets: Tensor;
    sequenceOf: Tensor;
    argmax?: Tensor;
    dx: Tensor;
  },
  { kind, tokens, columns }: { kind: PoolKind; tokens: Rows; columns: number },
): void {
  if (kind === "max" && !argmax) throw new Error("poolBackward: max pooling needs the forward pass's argmax");
  plan.dispatch({
    kernel: "pooling",
    entry: "backward",
    constants: { KIND: kind, COLUMNS: columns },
    bindings: present({
      rows: tokens.uniform,
      offsets: kind === "max" ? undefined : offsets,
      d_pooled: dPooled,
      sequence_of: sequenceOf,
      argmax: kind === "max" ? argmax : undefined,
      dx,
    }),
    grid: quadGrid(tokens, columns, THREADS),
    label: `${kind} pooling backward`,
  });
}
