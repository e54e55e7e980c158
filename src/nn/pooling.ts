/** One vector per sequence out of the hidden states of its tokens: the first token's, their mean or their maximum. */
import { linearGrid } from "../gpu/program.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Plan, Rows } from "./plan.ts";
import { blocksOf, present } from "./rows.ts";

export type PoolKind = "first" | "mean" | "max";

const KINDS: Readonly<Record<PoolKind, number>> = { first: 0, mean: 1, max: 2 };

/** Invocations of a workgroup. */
const TILE = 32;

/**
 * pooled [sequences, columns] from x [tokens, columns]; `offsets` u32 [sequences + 1]. "max" also writes `argmax`, u32
 * [sequences, columns]: the token that has the maximum, of equals the first.
 */
export function poolForward(
  plan: Plan,
  { x, offsets, pooled, argmax }: { x: Tensor; offsets: Tensor; pooled: Tensor; argmax?: Tensor },
  { kind, sequences, columns }: { kind: PoolKind; sequences: Rows; columns: number },
): void {
  const tiles = Math.ceil(columns / TILE);
  plan.dispatch({
    kernel: "pooling",
    entry: "forward",
    constants: { FORWARD: 1, KIND: KINDS[kind], COLUMNS: columns },
    bindings: present({
      rows: sequences.uniform,
      offsets,
      x,
      pooled,
      argmax: kind === "max" ? argmax ?? plan.transient("argmax", [sequences.capacity, columns]) : undefined,
    }),
    grid: (sizes) => linearGrid(sequences.count(sizes) * tiles),
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
    constants: { FORWARD: 0, KIND: KINDS[kind], COLUMNS: columns },
    bindings: present({
      rows: tokens.uniform,
      offsets: kind === "max" ? undefined : offsets,
      dPooled,
      sequenceOf,
      argmax: kind === "max" ? argmax : undefined,
      dx,
    }),
    grid: (sizes) => linearGrid(Math.ceil(tokens.count(sizes) * blocksOf(columns) / TILE)),
    label: `${kind} pooling backward`,
  });
}
