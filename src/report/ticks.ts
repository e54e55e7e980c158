/** Where an axis has its numbers. */

const MOST_TICKS = 5;

/** Round numbers in [low, high], about `MOST_TICKS` of them. */
export function linearTicks(low: number, high: number): number[] {
  const range = high - low;
  if (!(range > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(range / MOST_TICKS));
  // Beyond what floating-point numbers can divide.
  if (!(power > 0 && power < Infinity)) return [low, high];
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((step) => range / step <= MOST_TICKS)!;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** Powers of ten in [low, high], with 2 and 5 times them where they are few. */
export function logTicks(low: number, high: number): number[] {
  const first = Math.floor(Math.log10(low));
  const last = Math.ceil(Math.log10(high));
  const every = Math.ceil((last - first) / MOST_TICKS);
  for (const factors of [[1], [1, 3], [1, 2, 5]]) {
    const ticks: number[] = [];
    for (let power = first; power <= last; power += factors.length > 1 ? 1 : every) {
      for (const factor of factors) ticks.push(Number(`${factor}e${power}`));
    }
    const inside = ticks.filter((tick) => tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9));
    if (inside.length >= 3) return inside;
  }
  return linearTicks(low, high);
}
