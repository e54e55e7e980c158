import assert from "node:assert/strict";
import { MemoryStorage } from "../../src/studies/memory_storage.ts";
import { failStaleTrials, startHeartbeat } from "../../src/studies/heartbeat.ts";
import { createStudy } from "../../src/studies/study.ts";

Deno.test("failStaleTrials: fails dead trials only and queues their values as often as allowed", async () => {
  const storage = new MemoryStorage();
  const study = await createStudy({ storage, heartbeat: null });
  const dead = await study.ask();
  dead.suggestFloat("x", 0, 1);
  await dead.setUserAttr("fold", 2);
  await storage.recordHeartbeat(dead.trialId);
  const silent = await study.ask();
  await failStaleTrials(storage, study.studyId, { graceSeconds: 60, maxRetries: 2 });
  assert.deepEqual((await study.refresh()).map((trial) => trial.state), ["RUNNING", "RUNNING"]);

  await failStaleTrials(storage, study.studyId, { graceSeconds: -1, maxRetries: 2 });
  const [failed, , queued] = await study.refresh();
  assert.deepEqual([failed.state, queued.state, study.trials.length], ["FAIL", "WAITING", 3]);
  assert.match(String(failed.userAttrs.fail_reason), /no sign of life/);
  assert.deepEqual([queued.params, queued.userAttrs], [failed.params, { fold: 2 }]);
  assert.deepEqual([queued.systemAttrs.failed_trial, queued.systemAttrs.retry_history], [0, [0]]);

  // It dies twice more: the second time it has had its two retries.
  for (const expected of [4, 4]) {
    const retried = await study.ask();
    assert.equal(retried.suggestFloat("x", 0, 1), failed.params.x);
    await storage.recordHeartbeat(retried.trialId);
    await failStaleTrials(storage, study.studyId, { graceSeconds: -1, maxRetries: 2 });
    assert.equal((await study.refresh()).length, expected);
  }
  assert.equal(study.trials.at(-1)!.state, "FAIL");
  assert.equal(study.trials[silent.number].state, "RUNNING");
});

Deno.test("startHeartbeat: beats at once and until it is stopped", async () => {
  const storage = new MemoryStorage();
  const beats: number[] = [];
  storage.recordHeartbeat = (trialId) => Promise.resolve(void beats.push(trialId));
  const stop = await startHeartbeat(storage, 5, { intervalSeconds: 0.01 });
  assert.deepEqual(beats, [5]);
  while (beats.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
  stop();
  const count = beats.length;
  await new Promise((resolve) => setTimeout(resolve, 40));
  assert.equal(beats.length, count);
});
