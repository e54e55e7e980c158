import assert from "node:assert/strict";
import { markdown, output, type Part, type Report, runParts } from "../../scripts/bench/parts.ts";

const part = (name: string, measure: Part["measure"], limitSeconds = 60): Part => ({ name, limitSeconds, measure });
const minute = () => performance.now() + 60_000;

Deno.test("runParts: a part that fails has a row that says why, and the others go on", async () => {
  const written: number[] = [];
  const reports = await runParts(
    [
      part("broken", () => Promise.reject(new Error("no such kernel"))),
      part("whole", () => Promise.resolve([{ what: "whole", by: "us", ms: 2 }])),
    ],
    minute(),
    (done: readonly Report[]) => {
      written.push(done.length);
      return Promise.resolve();
    },
  );
  assert.deepEqual(reports.map(({ rows }) => rows), [
    [{ what: "broken", by: "", note: "failed: no such kernel" }],
    [{ what: "whole", by: "us", ms: 2 }],
  ]);
  assert.deepEqual(written, [1, 2]);
});

Deno.test("runParts: a part gets no more than the time that is left, and none begins without any", async () => {
  const limits: number[] = [];
  const measured = (limit: number) => {
    limits.push(limit);
    return Promise.resolve([]);
  };
  await runParts([part("long", measured, 600)], performance.now() + 20_000, () => Promise.resolve());
  assert.ok(limits[0] > 15_000 && limits[0] <= 20_000, `${limits[0]}`);
  const [{ rows }] = await runParts([part("late", measured)], performance.now(), () => Promise.resolve());
  assert.deepEqual(rows, [{ what: "late", by: "", note: "failed: no time left" }]);
  assert.equal(limits.length, 1);
});

Deno.test("output: a program that fails is its error, one that takes too long is ended", async () => {
  assert.equal(await output([Deno.execPath(), "eval", "console.log(7)"], 60_000), "7\n");
  const failing = output(
    [Deno.execPath(), "eval", "console.error('why\\nError: because\\n  at x'); Deno.exit(3)"],
    60_000,
  );
  await assert.rejects(failing, { message: "Error: because" });
  const endless = output([Deno.execPath(), "eval", "setInterval(() => {}, 1000)"], 1000);
  await assert.rejects(endless, { message: "took longer than 1 s" });
});

Deno.test("markdown: a row has a cell for everything that it knows", () => {
  const rows = [{ what: "a|b", by: "us", ms: 0.123456, rate: "1 GB/s", memory: "2 GB" }, {
    what: "c",
    by: "",
    note: "failed: x",
  }];
  assert.equal(
    markdown([{ name: "part", seconds: 1, rows }]),
    [
      "| what | by | ms | rate | memory | note |",
      "| --- | --- | --- | --- | --- | --- |",
      "| a\\|b | us | 0.1235 | 1 GB/s | 2 GB |  |",
      "| c |  |  |  |  | failed: x |",
      "",
    ].join("\n"),
  );
});

Deno.test("markdown: what was predicted has a column where something was", () => {
  const rows = [{ what: "a", by: "us", ms: 2, predicted: 1.5 }, { what: "b", by: "us", ms: 3 }];
  const [head, , first, second] = markdown([{ name: "part", seconds: 1, rows }]).split("\n");
  assert.equal(head, "| what | by | ms | predicted | rate | memory | note |");
  assert.equal(first, "| a | us | 2.000 | 1.500 |  |  |  |");
  assert.equal(second, "| b | us | 3.000 |  |  |  |  |");
});
