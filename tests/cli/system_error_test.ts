import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { isClosedPipe, systemError } from "../../src/cli/system_error.ts";
import { inTemporaryFolder } from "../support/run_data.ts";

/** What the line for the error of a call is. */
function lineOf(call: () => unknown): [string, string] | undefined {
  try {
    call();
  } catch (error) {
    const known = systemError(error);
    return known && [known.kind, known.message];
  }
  assert.fail("it works");
}

Deno.test("systemError: reading, writing and a full disk, by Deno and by Node", async () => {
  await inTemporaryFolder((folder) => {
    const no = `${folder}/no`;
    assert.deepEqual(lineOf(() => Deno.readTextFileSync(no)), ["data", `${no}: no such file or directory`]);
    assert.deepEqual(lineOf(() => readFileSync(folder)), ["data", `${folder}: illegal operation on a directory`]);
    assert.deepEqual(lineOf(() => writeFileSync(`${no}/x`, "")), ["data", `${no}/x: no such file or directory`]);
    assert.deepEqual(lineOf(() => Deno.mkdirSync(folder)), ["usage", `${folder}: cannot be written (file exists)`]);
    assert.deepEqual(lineOf(() => Deno.renameSync(no, folder)), [
      "usage",
      `${no} -> ${folder}: cannot be written (no such file or directory)`,
    ]);
    assert.deepEqual(lineOf(() => Deno.openSync(`${no}/copy`)), ["data", `${no}/copy: no such file or directory`]);
    const full = Deno.openSync("/dev/full", { write: true });
    assert.deepEqual(lineOf(() => full.writeSync(new Uint8Array(1))), ["data", "no space left on device"]);
    full.close();
    return Promise.resolve();
  });
});

Deno.test("systemError: mistakes of the program are not the system's", () => {
  for (
    const call of [
      () => new Uint8Array(-1),
      () => readFileSync(5.5 as unknown as string),
      () => {
        const file = Deno.openSync("/dev/null");
        file.close();
        file.statSync();
      },
    ]
  ) assert.equal(lineOf(call), undefined);
});

Deno.test("isClosedPipe: nothing but a reader that is gone", () => {
  assert.ok(isClosedPipe(Object.assign(new Error("Broken pipe (os error 32)"), { code: "EPIPE" })));
  assert.ok(!isClosedPipe(Object.assign(new Error("no"), { code: "ENOENT" })));
  assert.ok(!isClosedPipe("EPIPE"));
});
