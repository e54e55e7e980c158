/** Embedding, LayerNorm and dropout in float64. */
import { layerNormBackwardReference, layerNormReference } from "../../src/bench/reference/layer_norm.ts";

export interface EmbeddingInput {
  ids: ArrayLike<number>;
  positions: ArrayLike<number>;
  types: ArrayLike<number>;
  word: ArrayLike<number>;
  /** Empty: no such table. */
  position: ArrayLike<number>;
  type: ArrayLike<number>;
  weight: ArrayLike<number>;
  bias: ArrayLike<number>;
  /** Dropout factor of every output element. */
  factors: ArrayLike<number>;
  columns: number;
  eps: number;
}

function gather({ ids, positions, types, word, position, type, columns }: EmbeddingInput): Float64Array {
  return Float64Array.from({ length: ids.length * columns }, (_, at) => {
    const token = Math.floor(at / columns);
    const c = at % columns;
    return word[ids[token] * columns + c] +
      (position.length ? position[positions[token] * columns + c] : 0) +
      (type.length ? type[types[token] * columns + c] : 0);
  });
}

export function embeddingReference(input: EmbeddingInput) {
  const result = layerNormReference({ ...input, z: gather(input) });
  return { ...result, y: result.y.map((value, i) => value * input.factors[i]) };
}

export function embeddingBackwardReference(input: EmbeddingInput, dy: ArrayLike<number>) {
  const { columns, factors } = input;
  const g = Float64Array.from(dy, (value, i) => value * factors[i]);
  const { dz, dWeight, dBias } = layerNormBackwardReference({ ...input, z: gather(input) }, g);
  const scatter = (size: number, rows: ArrayLike<number>) => {
    const table = new Float64Array(size);
    if (size) dz.forEach((value, at) => table[rows[Math.floor(at / columns)] * columns + at % columns] += value);
    return table;
  };
  return {
    dWord: scatter(input.word.length, input.ids),
    dPosition: scatter(input.position.length, input.positions),
    dType: scatter(input.type.length, input.types),
    dWeight,
    dBias,
  };
}
