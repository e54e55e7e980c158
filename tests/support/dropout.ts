/** Dropout's factors as kernels draw them. */
import { dropoutFactor } from "../../src/bench/reference/philox.ts";

/** Factors of a matrix: masks are drawn by quads, of which a row has whole ones. */
export function dropoutFactors(
  { rate, key, step, site }: { rate: number; key: [number, number]; step: number; site: number },
  rows: number,
  columns: number,
): Float32Array<ArrayBuffer> {
  const width = 4 * Math.ceil(columns / 4);
  return Float32Array.from(
    { length: rows * columns },
    (_, i) => dropoutFactor(rate, key, step, site, Math.floor(i / columns) * width + i % columns),
  );
}
