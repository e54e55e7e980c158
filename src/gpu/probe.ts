/** Whether subgroups do what kernels rely on: a device may be granted them by a driver that gets them wrong. */
import type { Backend } from "./backend.ts";
import type { KernelCache } from "./kernel.ts";

const WORKGROUP = 64;
const WORKGROUPS = 2;
export const PROBE = { kernel: "probe", entry: "subgroups" };
/** What an invocation writes. */
const WORDS = 8;

/**
 * Whether the invocations of a workgroup lie in subgroups one after another, these are of a size that the adapter names,
 * and sums, exchanges and broadcasts in them are right.
 */
export async function subgroupsWork(
  { backend, device, kernels }: { backend: Backend; device: GPUDevice; kernels: KernelCache },
  { subgroupMinSize, subgroupMaxSize }: GPUAdapterInfo,
): Promise<boolean> {
  const { STORAGE, COPY_SRC, COPY_DST, MAP_READ } = backend.BufferUsage;
  const invocations = WORKGROUP * WORKGROUPS;
  const size = 4 * WORDS * invocations;
  device.pushErrorScope("validation");
  const { pipeline, bindings } = kernels.get(PROBE);
  const results = device.createBuffer({ size, usage: STORAGE | COPY_SRC });
  const staging = device.createBuffer({ size, usage: COPY_DST | MAP_READ });
  const entries = [{ binding: bindings.get("results")!.index, resource: { buffer: results } }];
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  const encoder = device.createCommandEncoder({ label: "probe" });
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(WORKGROUPS);
  pass.end();
  encoder.copyBufferToBuffer(results, 0, staging, 0, size);
  device.queue.submit([encoder.finish()]);
  try {
    if (await device.popErrorScope()) return false;
    await staging.mapAsync(backend.MapMode.READ);
    const words = new Uint32Array(staging.getMappedRange().slice(0));
    staging.unmap();
    return Array.from({ length: invocations }, (_, i) => i).every((i) => {
      const [subgroup] = words;
      const isOfSize = subgroup >= subgroupMinSize && subgroup <= subgroupMaxSize;
      const expected = expectedOf(i % WORKGROUP, subgroup);
      return isOfSize && expected.every((word, at) => words[i * WORDS + at] === word);
    });
  } finally {
    for (const buffer of [results, staging]) buffer.destroy();
  }
}

/** What kernels/probe.wgsl writes for an invocation. */
function expectedOf(invocation: number, size: number): number[] {
  const value = (of: number) => of * of + 1;
  const lane = invocation % size;
  const first = invocation - lane;
  const sum = Array.from({ length: size }, (_, i) => value(first + i)).reduce((total, each) => total + each, 0);
  const exchanged = [1, 2, 4].map((places) => places < size ? value(first + (lane ^ places)) : 0);
  return [size, lane, lane, sum, ...exchanged, value(first + 3)];
}
