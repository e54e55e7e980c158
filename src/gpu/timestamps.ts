/** Timestamps by the device's own clock. */
import type { Gpu } from "./device.ts";

/** Most that a query set may hold, on every adapter. */
export const MAX_TIMESTAMPS = 4096;

export interface Timestamps {
  readonly querySet: GPUQuerySet;
  /** Waits for what was submitted, returns the first `count` in nanoseconds, all of them written, and frees the room. */
  read(count: number): Promise<number[]>;
}

/** Room for `most` timestamps. */
export function createTimestamps({ backend, device, check }: Gpu, most: number): Timestamps {
  const querySet = device.createQuerySet({ type: "timestamp", count: Math.max(most, 1) });
  return {
    querySet,
    async read(count) {
      const size = Math.max(count, 1) * 8;
      const { QUERY_RESOLVE, COPY_SRC, COPY_DST, MAP_READ } = backend.BufferUsage;
      const resolved = device.createBuffer({ size, usage: QUERY_RESOLVE | COPY_SRC });
      const staging = device.createBuffer({ size, usage: COPY_DST | MAP_READ });
      const encoder = device.createCommandEncoder({ label: "timestamps" });
      if (count > 0) encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(backend.MapMode.READ);
      const times = Array.from(new BigInt64Array(staging.getMappedRange()), Number).slice(0, count);
      staging.unmap();
      for (const object of [querySet, resolved, staging]) object.destroy();
      check();
      return times;
    },
  };
}
