import assert from "node:assert/strict";
import { join } from "node:path";
import { createActivity } from "../../src/gpu/activity.ts";
import { busyShare, LIVE_FILE, type LiveStatus, writeLiveStatus } from "../../src/training/live_status.ts";
import { silentReporter, type TrainingState } from "../../src/training/reporter.ts";
import { inTemporaryFolder } from "../support/run_data.ts";

Deno.test("writeLiveStatus: says where the training is, passes on what is reported, and leaves nothing", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, LIVE_FILE);
    const passed: TrainingState[] = [];
    const reporter = { ...silentReporter, training: (state: TrainingState) => passed.push(state) };
    const gpu = { name: "a device", activity: createActivity() };
    const live = writeLiveStatus(folder, { gpu, folds: [1, 3], bytes: 1234, reporter });
    const state = {
      fold: 1,
      foldsLeft: 1,
      epoch: 2,
      epochs: 5,
      steps: 50,
      loss: 1,
      skipped: 0,
      bestF1: null,
      samplesPerSecond: 8,
    };
    live.reporter.training({ ...state, step: 10 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    live.reporter.training({ ...state, step: 20 });
    const read = async (): Promise<LiveStatus> => JSON.parse(await Deno.readTextFile(path));
    while ((await read().catch(() => null))?.step !== 20) await new Promise((resolve) => setTimeout(resolve, 100));
    const { pid, folds, fold, steps, eta_seconds, device_busy, device_bytes } = await read();
    assert.deepEqual({ pid, folds, fold, steps, device_busy, device_bytes }, {
      pid: Deno.pid,
      folds: [1, 3],
      fold: 1,
      steps: 50,
      device_busy: 0,
      device_bytes: 1234,
    });
    // 80 steps are left, this fold's 30 and as many as this one has of the next; 10 took 50 ms or more.
    assert.ok(eta_seconds! > 80 / 10 * 0.05, `${eta_seconds}`);
    assert.deepEqual(passed.map(({ step }) => step), [10, 20]);
    await live.close();
    assert.deepEqual([...Deno.readDirSync(folder)], []);
  });
});

Deno.test("busyShare: of the time since it was last asked", () => {
  let [now, idle] = [0, 0];
  const share = busyShare({ ...createActivity(), idleMilliseconds: () => idle }, () => now);
  [now, idle] = [100, 25];
  assert.equal(share(), 0.75);
  [now, idle] = [200, 125];
  assert.equal(share(), 0);
  assert.equal(share(), 0);
});
