import assert from "node:assert/strict";
import { createStopwatch, type Stopwatch } from "../../src/bench/stopwatch.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { accumulate } from "../../src/nn/dropout.ts";
import { createPlan } from "../../src/nn/plan.ts";
import { allocateMemory, compileProgram, planMemory } from "../../src/gpu/program.ts";
import { MAX_TIMESTAMPS } from "../../src/gpu/timestamps.ts";
import { gpuTest, testRows, upload } from "../support/gpu.ts";

gpuTest("createStopwatch: a device that waits for the host is not busy", async (gpu) => {
  const { stopwatch, run } = await work(gpu);
  const share = async (pause: number) =>
    (await stopwatch.busy(async () => {
      for (let i = 0; i < 4; i++) {
        run();
        await gpu.device.queue.onSubmittedWorkDone();
        if (pause) await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }))!;
  const [idle, full] = [await share(300), await share(0)];
  assert.ok(idle > 0 && idle < full && full <= 1, `${idle}, ${full}`);
});

gpuTest("createStopwatch: more submissions than a query set has room for", async (gpu) => {
  const { stopwatch, run } = await work(gpu);
  const share = async (runs: number) =>
    (await stopwatch.busy(() => {
      for (let i = 0; i < MAX_TIMESTAMPS / 2; i++) stopwatch.gpu.submit(gpu.device.createCommandEncoder());
      for (let i = 0; i < runs; i++) run();
      return Promise.resolve();
    }))!;
  const [without, withRuns] = [await share(0), await share(20)];
  assert.ok(without < withRuns && withRuns <= 1, `${without}, ${withRuns}`);
});

gpuTest("createStopwatch: no share where there is no work or no clock", async (gpu) => {
  assert.equal(await createStopwatch(gpu).busy(() => Promise.resolve()), null);
  const { stopwatch, run } = await work({ ...gpu, hasTimestamps: false });
  assert.equal(await stopwatch.busy(() => Promise.resolve(run())), null);
});

/** A program on a stopwatch's device, run once. */
async function work(gpu: Gpu): Promise<{ stopwatch: Stopwatch; run: () => void }> {
  const stopwatch = createStopwatch(gpu);
  const [rows, columns] = [2000, 100];
  const plan = createPlan(stopwatch.gpu, "work");
  const [from, into] = [await upload(gpu, "from", [rows, columns]), await upload(gpu, "into", [rows, columns])];
  for (let i = 0; i < 50; i++) accumulate(plan, { from, into }, { rows: testRows(gpu, rows), columns });
  await allocateMemory(gpu, "work", planMemory([plan]));
  const executable = await compileProgram(stopwatch.gpu, plan);
  const run = () => executable.run({ tokens: 0, sequences: 0, longest: 0, uniqueIds: 0 });
  run(); // compiles
  await gpu.device.queue.onSubmittedWorkDone();
  return { stopwatch, run };
}
