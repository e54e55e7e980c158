/**
 * The device's own clock for any runtime in this process: whatever device it asks for gets timestamp queries, and each
 * of its submissions gets one before and one after. To be imported before the runtime.
 */
if (Deno.build.os === "linux" && !Deno.env.has("DENO_WEBGPU_BACKEND")) Deno.env.set("DENO_WEBGPU_BACKEND", "vulkan");

const MOST_TIMESTAMPS = 4096;

let device: GPUDevice | null = null;
let querySet: GPUQuerySet | null = null;
let marks = 0;

const requestDevice = GPUAdapter.prototype.requestDevice;
GPUAdapter.prototype.requestDevice = async function (descriptor = {}) {
  const requiredFeatures = [...new Set([...descriptor.requiredFeatures ?? [], "timestamp-query" as const])];
  return device = await requestDevice.call(this, { ...descriptor, requiredFeatures });
};

const submit = GPUQueue.prototype.submit;
GPUQueue.prototype.submit = function (buffers) {
  if (!querySet) return submit.call(this, buffers);
  if (marks === MOST_TIMESTAMPS) throw new Error(`more than ${MOST_TIMESTAMPS / 2} submissions in one measurement`);
  submit.call(this, [mark(), ...buffers, mark()]);
};

function mark(): GPUCommandBuffer {
  const encoder = device!.createCommandEncoder();
  encoder.beginComputePass({ timestampWrites: { querySet: querySet!, beginningOfPassWriteIndex: marks++ } }).end();
  return encoder.finish();
}

/** The adapter of the device that the runtime has asked for. */
export function adapterInUse(): string | null {
  if (!device) return null;
  return device.adapterInfo.description || device.adapterInfo.device;
}

/** Milliseconds that the device spends on what `work` submits; `work` resolves when it has finished. */
export async function timeOnDevice(work: () => Promise<unknown>): Promise<number> {
  if (!device) throw new Error("the runtime has asked for no device");
  const queries = querySet = device.createQuerySet({ type: "timestamp", count: MOST_TIMESTAMPS });
  marks = 0;
  try {
    await work();
  } finally {
    querySet = null;
  }
  if (marks === 0) throw new Error("nothing was submitted");
  const times = await readTimestamps(device, queries, marks);
  const busy = times.reduce((sum, time, at) => at % 2 ? sum + time - times[at - 1] : sum, 0);
  return Math.min(busy, times[times.length - 1] - times[0]) / 1e6;
}

async function readTimestamps(device: GPUDevice, queries: GPUQuerySet, count: number): Promise<number[]> {
  const size = count * 8;
  const { QUERY_RESOLVE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const resolved = device.createBuffer({ size, usage: QUERY_RESOLVE | COPY_SRC });
  const staging = device.createBuffer({ size, usage: COPY_DST | MAP_READ });
  const encoder = device.createCommandEncoder();
  encoder.resolveQuerySet(queries, 0, count, resolved, 0);
  encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const times = Array.from(new BigInt64Array(staging.getMappedRange()), Number);
  for (const object of [queries, resolved, staging]) object.destroy();
  return times;
}
