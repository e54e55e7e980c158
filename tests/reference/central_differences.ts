/** The gradient of a scalar function of one float64 array, by central differences. */
export function centralDifferences(
  f: (x: Float64Array) => number,
  x: ArrayLike<number>,
  step = 1e-5,
): Float64Array {
  const at = Float64Array.from(x);
  return Float64Array.from({ length: x.length }, (_, i) => {
    const kept = at[i];
    at[i] = kept + step;
    const above = f(at);
    at[i] = kept - step;
    const below = f(at);
    at[i] = kept;
    return (above - below) / (2 * step);
  });
}

export const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((sum, value, i) => sum + value * b[i], 0);
