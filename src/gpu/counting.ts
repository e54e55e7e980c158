/** A device that only counts: running the code that allocates on it says how much it will take. */
import type { Gpu } from "./device.ts";

/**
 * `gpu` with a device that allocates nothing. What is planned on it, and then thrown away, has taken `bytes()`; what
 * the adapter's limits rule out is refused as on the real one. Nothing can be compiled or run on it.
 */
export function countingGpu(gpu: Gpu): { gpu: Gpu; bytes(): number } {
  let bytes = 0;
  const device = {
    createBuffer({ size }: GPUBufferDescriptor) {
      bytes += size;
      return { size, destroy() {} };
    },
    pushErrorScope() {},
    popErrorScope: () => Promise.resolve(null),
    queue: { writeBuffer() {}, submit() {} },
  };
  return { gpu: { ...gpu, device: device as unknown as GPUDevice }, bytes: () => bytes };
}
