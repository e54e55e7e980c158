/** How far the host runs ahead of the device: waiting costs the device time, not waiting leaves the user in the dark. */

/** Milliseconds between two looks at the device. */
const LOOK_MS = 400;

/** Pieces of work that take longer are looked at as soon as they are done. */
const SLOW_MS = 800;

/** How many pieces of work to queue until the next look, given how long the last `count` of them took. */
export function nextStride(count: number, milliseconds: number): number {
  return Math.max(1, Math.min(2 * count, Math.round(count * LOOK_MS / milliseconds)));
}

export interface Look<Result> {
  /** Queues the copies of what is to be seen before it first waits. */
  read(): Promise<Result>;
  /** What came back, and the milliseconds since the look before. */
  seen(result: Result, milliseconds: number): void | Promise<void>;
  /** Pieces of work after which `read` must be called. */
  most?: number;
}

export interface Pace {
  /** A piece of work has been queued. Waits for the look before it, if there is one; says whether there was. */
  queued(): Promise<boolean>;
  /** Waits for all work. */
  drain(): Promise<void>;
  /** The device has done something else since it was drained. */
  restart(): void;
}

/**
 * Looks at the device from time to time. A look waits 10 ms longer than the device works (Deno polls), so it is
 * awaited when the next piece of work has been queued. Throws what `read` and `seen` throw.
 */
export function createPace<Result>({ read, seen, most = Infinity }: Look<Result>): Pace {
  let count = 0;
  let stride = 1;
  let slow = true;
  let since = performance.now();
  let looking: Promise<void> | null = null;

  function look() {
    const pieces = count;
    count = 0;
    looking = read().then(async (result) => {
      const milliseconds = performance.now() - since;
      since += milliseconds;
      slow = milliseconds > SLOW_MS * pieces;
      stride = Math.min(most, nextStride(pieces, milliseconds));
      await seen(result, milliseconds);
    });
    looking.catch(() => {}); // thrown where it is awaited
  }
  async function finish(): Promise<boolean> {
    if (!looking) return false;
    await looking;
    looking = null;
    return true;
  }

  return {
    async queued() {
      const finished = await finish();
      if (++count < stride) return finished;
      look();
      return slow ? await finish() : finished;
    },
    async drain() {
      await finish();
      if (count > 0) look();
      await finish();
    },
    restart() {
      since = performance.now();
    },
  };
}
