import assert from "node:assert/strict";
import { createStopwatch } from "../../src/bench/stopwatch.ts";
import { accumulate } from "../../src/nn/dropout.ts";
import { createPlan } from "../../src/nn/plan.ts";
import { allocateMemory, compileProgram, planMemory } from "../../src/gpu/program.ts";
import { gpuTest, testRows, upload } from "../support/gpu.ts";

gpuTest("createStopwatch: a device that waits for the host is not busy", async (gpu) => {
  const stopwatch = createStopwatch(gpu);
  const [rows, columns] = [2000, 100];
  const plan = createPlan(stopwatch.gpu, "work");
  const [from, into] = [await upload(gpu, "from", [rows, columns]), await upload(gpu, "into", [rows, columns])];
  for (let i = 0; i < 50; i++) accumulate(plan, { from, into }, { rows: testRows(gpu, rows), columns });
  await allocateMemory(gpu, "work", planMemory([plan]));
  const executable = await compileProgram(stopwatch.gpu, plan);
  const run = () => executable.run({ tokens: 0, sequences: 0, longest: 0, uniqueIds: 0 });
  const share = async (pause: number) =>
    await stopwatch.busy(async () => {
      for (let i = 0; i < 4; i++) {
        run();
        await gpu.device.queue.onSubmittedWorkDone();
        if (pause) await new Promise((resolve) => setTimeout(resolve, pause));
      }
    });
  run(); // compiles
  await gpu.device.queue.onSubmittedWorkDone();
  const [idle, full] = [await share(300), await share(0)];
  assert.ok(idle > 0 && idle < full && full <= 1, `${idle}, ${full}`);
});
