/** Pooling over sequences in float64. */
import type { PoolKind } from "../../src/nn/pooling.ts";

export function poolReference(x: ArrayLike<number>, lengths: readonly number[], columns: number, kind: PoolKind) {
  const pooled = new Float64Array(lengths.length * columns);
  const argmax = new Uint32Array(pooled.length);
  let begin = 0;
  lengths.forEach((length, sequence) => {
    for (let c = 0; c < columns; c++) {
      const values = Array.from({ length }, (_, i) => x[(begin + i) * columns + c]);
      const largest = values.indexOf(Math.max(...values));
      const at = sequence * columns + c;
      argmax[at] = begin + largest;
      pooled[at] = kind === "first"
        ? values[0]
        : kind === "max"
        ? values[largest]
        : values.reduce((sum, value) => sum + value, 0) / length;
    }
    begin += length;
  });
  return { pooled, argmax };
}

export function poolBackwardReference(
  x: ArrayLike<number>,
  dPooled: ArrayLike<number>,
  lengths: readonly number[],
  columns: number,
  kind: PoolKind,
): Float64Array {
  const { argmax } = poolReference(x, lengths, columns, kind);
  const dx = new Float64Array(x.length);
  let begin = 0;
  lengths.forEach((length, sequence) => {
    for (let c = 0; c < columns; c++) {
      const at = sequence * columns + c;
      if (kind === "first") dx[begin * columns + c] = dPooled[at];
      else if (kind === "max") dx[argmax[at] * columns + c] = dPooled[at];
      else for (let i = 0; i < length; i++) dx[(begin + i) * columns + c] = dPooled[at] / length;
    }
    begin += length;
  });
  return dx;
}
