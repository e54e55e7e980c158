/** How far the host runs ahead of the device: waiting costs the device time, not waiting leaves the user in the dark. */

/** Milliseconds between two looks at the device. */
const LOOK_MS = 400;

/** How many pieces of work to queue until the next look, given how long the last `count` of them took. */
export function nextStride(count: number, milliseconds: number): number {
  return Math.max(1, Math.min(2 * count, Math.round(count * LOOK_MS / milliseconds)));
}
