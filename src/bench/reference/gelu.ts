/** The exact GELU and its derivative in float64. */

/** erf by its Taylor series (|x| < 3) or the continued fraction of erfc. */
function erf(x: number): number {
  const t = Math.abs(x);
  if (t < 3) {
    let term = t;
    let sum = t;
    for (let n = 1; n < 120; n++) {
      term *= -t * t / n;
      sum += term / (2 * n + 1);
    }
    return Math.sign(x) * sum * 2 / Math.sqrt(Math.PI);
  }
  let fraction = t;
  for (let n = 60; n > 0; n--) fraction = t + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-t * t) / fraction / Math.sqrt(Math.PI));
}

/** x Φ(x). */
export const geluReference = (x: number) => x * (1 + erf(x / Math.SQRT2)) / 2;

export const geluDerivativeReference = (x: number) =>
  (1 + erf(x / Math.SQRT2)) / 2 + x * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
