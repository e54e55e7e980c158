import assert from "node:assert/strict";
import { createActivity } from "../../src/gpu/activity.ts";
import { createTensor, readTensor } from "../../src/gpu/tensor.ts";
import { gpuTest } from "../support/gpu.ts";

Deno.test("createActivity: idle from the end of the last work to the next, and before the first", () => {
  let now = 0;
  const activity = createActivity(() => now);
  now = 5;
  const first = activity.submitted();
  now = 7;
  const second = activity.submitted();
  now = 8;
  activity.finished(first); // the second is still under way
  now = 10;
  assert.equal(activity.idleMilliseconds(), 5);
  activity.finished(second);
  now = 13;
  assert.equal(activity.idleMilliseconds(), 8);
  activity.submitted();
  now = 20;
  assert.equal(activity.idleMilliseconds(), 8);
});

gpuTest("readTensor: the device is idle afterwards", async (gpu) => {
  const tensor = await createTensor(gpu, "x", [4]);
  await readTensor(gpu, tensor);
  const idle = gpu.activity.idleMilliseconds();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(gpu.activity.idleMilliseconds() - idle >= 15);
  tensor.buffer!.destroy();
});
