/** How busy a device is, by its own clock. */
import type { Gpu } from "../gpu/device.ts";
import { createTimestamps, MAX_TIMESTAMPS } from "../gpu/timestamps.ts";

export interface Stopwatch {
  /** The device; what is to be timed submits here. */
  readonly gpu: Gpu;
  /**
   * Share of the time from the beginning of the first to the end of the last submission of `work` in which the device
   * worked: it stands still between submissions only. Needs timestamp queries; looks at the first 2,048 submissions.
   */
  busy(work: () => Promise<unknown>): Promise<number>;
}

export function createStopwatch(gpu: Gpu): Stopwatch {
  const { device, activity } = gpu;
  let querySet: GPUQuerySet | null = null;
  let marks = 0;

  function mark(): GPUCommandBuffer {
    const encoder = device.createCommandEncoder();
    const timestampWrites = { querySet: querySet!, beginningOfPassWriteIndex: marks++ };
    encoder.beginComputePass({ timestampWrites }).end();
    return encoder.finish();
  }

  return {
    gpu: {
      ...gpu,
      submit(encoder) {
        if (!querySet || marks === MAX_TIMESTAMPS) return gpu.submit(encoder);
        const number = activity.submitted();
        device.queue.submit([mark(), encoder.finish(), mark()]);
        return number;
      },
    },
    async busy(work) {
      const timestamps = createTimestamps(gpu, MAX_TIMESTAMPS);
      querySet = timestamps.querySet;
      marks = 0;
      try {
        await work();
      } finally {
        querySet = null;
      }
      const times = await timestamps.read(marks);
      const worked = times.reduce((sum, time, at) => at % 2 ? sum + time - times[at - 1] : sum, 0);
      return worked / (times[times.length - 1] - times[0]);
    },
  };
}
