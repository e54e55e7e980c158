/** What a terminal of 80 columns shows, and what a pipe is told. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { barLine } from "../../src/cli/bars.ts";
import { fittingTables } from "../../src/cli/terminal.ts";
import { MAIN, resultOf } from "../support/command_line.ts";
import { inTemporaryFolder, writeRunData } from "../support/run_data.ts";

const ESCAPE = String.fromCharCode(27);

const STATE = {
  label: "fold 0",
  done: 30,
  total: 120,
  details: ["epoch 12/100", "loss 0.1234", "Best F1 0.9123", "1234 samples/s"],
  eta: "13 h 45 min",
};

Deno.test("barLine: fits, and gives up details before the time that is left", () => {
  for (const width of [40, 80, 120]) assert.ok([...barLine(STATE, width)].length < width, `${width}`);
  assert.equal(
    barLine(STATE, 120).replace(/[█░]+/, "-"),
    `fold 0 -  25 %  ETA 13 h 45 min  ${STATE.details.join("  ")}`,
  );
  assert.match(barLine(STATE, 80), /^fold 0 █+░+ {2}25 % {2}ETA 13 h 45 min {2}epoch 12\/100 {2}loss 0\.1234$/);
  assert.match(barLine(STATE, 40), /ETA 13 h 45 min$/);
  assert.equal(barLine({ ...STATE, total: null }, 80, 7), "fold 0 …  7 s");
  assert.equal(barLine({ ...STATE, total: null }, 80, 1), "fold 0 …");
});

Deno.test("fittingTables: parts that fit, in which every cell is whole", () => {
  const head = ["fold", ...Array.from({ length: 11 }, (_, i) => `column ${i}`)];
  const rows = [0, 1].map((row) => [`${row}`, ...head.slice(1).map((_, i) => `${row}.${i}`)]);
  const parts = fittingTables(head, rows, 80);
  assert.ok(parts.length > 1);
  assert.deepEqual(parts.flatMap((part) => part.head.slice(1)), head.slice(1));
  assert.deepEqual(parts.flatMap(({ rows }) => rows[1].slice(1)), rows[1].slice(1));
  for (const part of parts) assert.deepEqual([part.head[0], part.rows[0][0], part.rows[1][0]], ["fold", "0", "1"]);
  const widthOf = (cells: string[]) => cells.reduce((sum, cell) => sum + cell.length + 3, 1);
  for (const part of parts) assert.ok(widthOf(part.head) <= 80);
  assert.equal(fittingTables(head, rows, 200).length, 1);

  const long = [`${"word ".repeat(40)}${"x".repeat(100)}`, "/a/path/".repeat(12)];
  for (
    const table of [
      fittingTables(["name", "value"], [["n", long[0]]], 60),
      fittingTables(["run", "F1"], [[long[1], "1"]], 60),
    ]
  ) {
    assert.equal(table.length, 1);
    const lines = table[0].rows[0].map((cell) => cell.split("\n"));
    assert.ok(Math.max(...lines[0].map((l) => l.length)) + Math.max(...lines[1].map((l) => l.length)) + 7 <= 60);
    const text = table[0].rows[0].join("").replace(/\s/g, "");
    assert.ok([long[0], long[1]].some((whole) => text.includes(whole.replace(/\s/g, ""))), text);
  }
});

Deno.test("entail train: on a terminal of 80 columns everything is there; so it is for a pipe", async () => {
  await inTemporaryFolder(async (folder) => {
    const more = ["training.num_epochs=9", "training.early_stopping_patience=1", "training.learning_rate=0"];
    const run = [
      Deno.execPath(),
      "run",
      "-A",
      "--no-check",
      "--quiet",
      MAIN,
      "train",
      ...writeRunData(folder),
      ...more,
    ];
    const line = run.map((word) => `'${word}'`).join(" ");
    const onTerminal = `stty cols 80 rows 24; ${line}`;
    const { stdout } = await new Deno.Command("script", {
      args: ["-qec", onTerminal, join(folder, "typescript")],
      stdin: "null",
      env: { NO_COLOR: "1" },
    }).output();
    const raw = new TextDecoder().decode(stdout);
    assert.ok(!raw.includes(`${ESCAPE}[?7l`), "lines are not cut by the terminal");
    const sequence = (end: string) => new RegExp(`${ESCAPE}\\[[0-9;?]*${end}`, "g");
    const lines = raw.replace(sequence("m"), "").replace(sequence("[A-Za-z]"), "\n").split(/[\r\n]+/);
    assert.ok(lines.some((text) => /^fold 0 [█░]+ {2}\d+ % {2}ETA /.test(text)), raw);
    assert.ok(lines.some((text) => /^compiling kernels …/.test(text)));
    for (const text of lines.filter((text) => /[█░│┌├└]/.test(text))) assert.ok([...text].length <= 80, text);
    for (const text of ["fold 1  stopped early: no better F1 than", "F1 97.5%", "everything is in "]) {
      assert.ok(raw.includes(text), text);
    }
    const piped = await resultOf(
      new Deno.Command(run[0], { args: [...run.slice(1), "overwrite=true"], env: { NO_COLOR: "1" } }),
    );
    assert.equal(piped.code, 0, piped.stderr);
    assert.match(piped.stderr, /^fold 0 {2}stopped early: no better F1 than [\d.]+ of epoch 1 in 1 epochs/m);
    assert.doesNotMatch(piped.stderr + piped.stdout, /\d\.\d{9}/);
    assert.ok(!(piped.stderr + piped.stdout).includes(ESCAPE));
  });
});
