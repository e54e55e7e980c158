import assert from "node:assert/strict";
import { raiseClock, raising } from "../../src/tuning/clock.ts";
import { gpuTest } from "../support/gpu.ts";

/** Work of a device whose clock is up after half a second of it, and down after a pause of a second. */
function createDevice() {
  let [now, warm, last] = [0, 0, -Infinity];
  return {
    now: () => now,
    pause: (ms: number) => void (now += ms),
    work() {
      if (now - last > 1000) warm = 0;
      const ms = warm < 500 ? 5 : 1;
      now += 20 * ms;
      warm += 20 * ms;
      last = now;
      return Promise.resolve(ms);
    },
  };
}

Deno.test("raising: until the clock is up, also the first time; at once where it is", async () => {
  const device = createDevice();
  const raise = raising(device.work, device.now);
  await raise();
  assert.equal(await device.work(), 1);
  const took = async () => {
    const began = device.now();
    await raise();
    return device.now() - began;
  };
  assert.equal(await took(), 20);
  device.pause(2000);
  assert.equal(await took(), 520);
  assert.equal(await device.work(), 1);
});

Deno.test("raising: gives up where the clock does not come back", async () => {
  let now = 0;
  const times = [1];
  const raise = raising(() => Promise.resolve((now += 100, times.shift() ?? 3)), () => now);
  await raise();
  assert.ok(now <= 1600, `${now}`);
  now = 0;
  await raise();
  assert.equal(now, 1600);
});

gpuTest("raiseClock: the work compiles and runs, and ends soon on a CPU that is taken for a GPU", async (gpu) => {
  const taken = { ...gpu, kind: "hardware" } as const;
  for (let i = 0; i < 3; i++) await raiseClock(taken);
  taken.check();
  if (gpu.kind === "software") assert.equal(await raiseClock(gpu), undefined);
});
