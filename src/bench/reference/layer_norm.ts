/** LayerNorm in float64, straight from its definition. */

export interface LayerNormInput {
  /** What is normalised, [rows, columns]. */
  z: ArrayLike<number>;
  weight: ArrayLike<number>;
  bias: ArrayLike<number>;
  columns: number;
  eps: number;
}

/** y, x̂ and 1/σ of every row. */
export function layerNormReference({ z, weight, bias, columns, eps }: LayerNormInput) {
  const rows = z.length / columns;
  const y = new Float64Array(z.length);
  const normalised = new Float64Array(z.length);
  const rstd = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    let mean = 0;
    for (let c = 0; c < columns; c++) mean += z[row * columns + c] / columns;
    let variance = 0;
    for (let c = 0; c < columns; c++) variance += (z[row * columns + c] - mean) ** 2 / columns;
    rstd[row] = 1 / Math.sqrt(variance + eps);
    for (let c = 0; c < columns; c++) {
      const at = row * columns + c;
      normalised[at] = (z[at] - mean) * rstd[row];
      y[at] = normalised[at] * weight[c] + bias[c];
    }
  }
  return { y, normalised, rstd };
}

/** Gradients with respect to z, weight and bias, given dy. */
export function layerNormBackwardReference(input: LayerNormInput, dy: ArrayLike<number>) {
  const { columns, weight } = input;
  const { normalised, rstd } = layerNormReference(input);
  const dz = new Float64Array(dy.length);
  const dWeight = new Float64Array(columns);
  const dBias = new Float64Array(columns);
  for (let row = 0; row < rstd.length; row++) {
    let mean = 0;
    let product = 0;
    for (let c = 0; c < columns; c++) {
      const at = row * columns + c;
      mean += dy[at] * weight[c] / columns;
      product += dy[at] * weight[c] * normalised[at] / columns;
      dWeight[c] += dy[at] * normalised[at];
      dBias[c] += dy[at];
    }
    for (let c = 0; c < columns; c++) {
      const at = row * columns + c;
      dz[at] = rstd[row] * (dy[at] * weight[c] - mean - normalised[at] * product);
    }
  }
  return { dz, dWeight, dBias };
}
