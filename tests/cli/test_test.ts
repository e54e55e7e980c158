import assert from "node:assert/strict";
import { join } from "node:path";
import { entail, errorLine } from "../support/command_line.ts";
import { inTemporaryFolder } from "../support/run_data.ts";

Deno.test("entail test: every file below the folders once, what failed last, and how many of each", async () => {
  await inTemporaryFolder(async (folder) => {
    Deno.mkdirSync(join(folder, "inner"));
    const write = (name: string, body: string) =>
      Deno.writeTextFileSync(join(folder, name), `Deno.test("of ${name}", () => {${body}});`);
    for (let i = 0; i < 12; i++) write(`${i % 2 ? "inner/" : ""}n${i}_test.ts`, i === 1 ? "throw new Error('no')" : "");
    write("helper.ts", "throw new Error('not a test')");
    const { code, stdout } = await entail(["test", folder]);
    assert.equal(code, 1);
    const ran = [...stdout.matchAll(/^of (\S+) \.\.\. (ok|FAILED)/gm)];
    assert.equal(new Set(ran.map(([, name]) => name)).size, 12, stdout);
    assert.deepEqual(ran.filter(([, , end]) => end === "FAILED").map(([, name]) => name), ["inner/n1_test.ts"]);
    assert.ok(stdout.lastIndexOf("FAILURES") > stdout.lastIndexOf("| 0 failed"), stdout);
    assert.match(stdout, /\n11 passed, 1 failed\n$/);

    const passing = await entail(["test", join(folder, "n0_test.ts")]);
    assert.deepEqual([passing.code, /\n1 passed, 0 failed\n$/.test(passing.stdout)], [0, true], passing.stdout);
    const nothing = await entail(["test", join(folder, "no_such_test.ts")]);
    assert.deepEqual([nothing.code, nothing.stdout.trim().split("\n").at(-1)], [1, "0 passed, 1 failed"]);
  });
});

Deno.test("entail test --matrices: only those on tensor cores where the adapter has them, else what to install", async () => {
  await inTemporaryFolder(async (folder) => {
    const none = await entail(["test", "--matrices", folder]);
    assert.deepEqual([none.code, errorLine(none.stderr)], [
      2,
      `error: test --matrices ${folder}: no tests on matrices`,
    ]);
    const tests =
      `Deno.test("this one, on matrices", () => {}); Deno.test("another", () => { throw new Error("no"); });`;
    await Deno.writeTextFile(join(folder, "some_test.ts"), `// matrixTest(\n${tests}`);
    await Deno.writeTextFile(join(folder, "other_test.ts"), "throw new Error('no')");
    const { code, stdout, stderr } = await entail(["test", "--matrices", folder]);
    if (code === 0) {
      assert.match(stderr, /: products of \d+×\d+×\d+ by subgroups of \d+\n$/);
      assert.match(stdout, /\n1 passed, 0 failed\n$/);
    } else {
      assert.equal(code, 4);
      assert.match(errorLine(stderr), /^error: test --matrices: Dawn.*; install .*Mesa 26\.1/);
    }
  });
});
