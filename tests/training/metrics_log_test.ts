import assert from "node:assert/strict";
import { join } from "node:path";
import { readLog, truncateLog } from "../../src/training/metrics_log.ts";
import { inTemporaryFolder } from "../support/run_data.ts";

const step = (number: number) => `{"step":${number},"epoch":1,"loss":0.5}\n`;
const epoch = (number: number) => `{"epoch":${number},"eval_f1":0.5}\n`;

Deno.test("truncateLog: keeps what the checkpoint knows and drops whatever is no line of a log", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, "metrics.jsonl");
    const kept = step(1) + step(2) + epoch(1);
    const garbage = [
      "",
      step(3),
      epoch(2),
      '{"step":3,"epo',
      "\xff\xfe\x00\x80",
      "null\n",
      "[1]\n",
      "12\n",
      '{"a":1}\n',
    ];
    for (const tail of garbage) {
      const bytes = Uint8Array.from(kept + tail, (character) => character.charCodeAt(0));
      await Deno.writeFile(path, bytes);
      await truncateLog(path, 2, 1);
      assert.equal(await Deno.readTextFile(path), kept, JSON.stringify(tail));
    }
  });
});

Deno.test("truncateLog: no log yet is no error", async () => {
  await inTemporaryFolder(async (folder) => await truncateLog(join(folder, "metrics.jsonl"), 0, 0));
});

Deno.test("readLog: whole lines of a log that may be growing; none where there is none", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, "metrics.jsonl");
    assert.deepEqual(readLog(path), []);
    await Deno.writeTextFile(path, step(1) + epoch(1) + "null\n" + '{"step":2,"epo');
    assert.deepEqual(readLog(path), [JSON.parse(step(1)), JSON.parse(epoch(1))]);
  });
});
