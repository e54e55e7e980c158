/** How busy a device is, by its own clock. */
import type { Gpu } from "../gpu/device.ts";
import { createTimestamps, MAX_TIMESTAMPS, type Timestamps } from "../gpu/timestamps.ts";

export interface Stopwatch {
  /** The device; what is to be timed submits here. */
  readonly gpu: Gpu;
  /**
   * Share of the time from the beginning of the first to the end of the last submission of `work` in which the device
   * worked: it stands still between submissions only. Null without timestamp queries or submissions.
   */
  busy(work: () => Promise<unknown>): Promise<number | null>;
}

/** All work before a place on the device's clock, in nanoseconds. */
interface Tally {
  worked: number;
  from: number;
  until: number;
}

export function createStopwatch(gpu: Gpu): Stopwatch {
  const { device, activity } = gpu;
  let timestamps: Timestamps | null = null;
  let marks = 0;
  let tallies: Promise<Tally>[] = [];

  function mark(encoder: GPUCommandEncoder) {
    const timestampWrites = { querySet: timestamps!.querySet, beginningOfPassWriteIndex: marks++ };
    encoder.beginComputePass({ timestampWrites }).end();
  }
  /** Has the marks read that were made so far, and begins anew. */
  function turn() {
    const tally = timestamps!.read(marks).then(tallyOf);
    tally.catch(() => {}); // thrown where it is awaited
    tallies.push(tally);
    timestamps = createTimestamps(gpu, MAX_TIMESTAMPS);
    marks = 0;
  }

  return {
    gpu: {
      ...gpu,
      submit(encoder) {
        if (!timestamps) return gpu.submit(encoder);
        if (marks === MAX_TIMESTAMPS) turn();
        const number = activity.submitted();
        const before = device.createCommandEncoder();
        mark(before);
        mark(encoder);
        device.queue.submit([before.finish(), encoder.finish()]);
        return number;
      },
    },
    async busy(work) {
      if (!gpu.hasTimestamps) return await work().then(() => null);
      timestamps = createTimestamps(gpu, MAX_TIMESTAMPS);
      tallies = [];
      marks = 0;
      try {
        await work();
        if (marks > 0) turn();
      } finally {
        timestamps.querySet.destroy();
        timestamps = null;
      }
      const all = await Promise.all(tallies);
      if (all.length === 0) return null;
      const worked = all.reduce((sum, tally) => sum + tally.worked, 0);
      return worked / (all.at(-1)!.until - all[0].from);
    },
  };
}

/** `times`: when each submission began and ended. */
function tallyOf(times: readonly number[]): Tally {
  const worked = times.reduce((sum, time, at) => at % 2 ? sum + time - times[at - 1] : sum, 0);
  return { worked, from: times[0], until: times[times.length - 1] };
}
