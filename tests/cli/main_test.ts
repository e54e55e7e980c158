/** What holds for every command: help, version, what the system refuses, output that nobody takes. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { createStudy } from "../../src/studies/study.ts";
import { entail, errorLine, failure, MAIN, type Result, resultOf, start } from "../support/command_line.ts";
import { inTemporaryFolder } from "../support/run_data.ts";

const LAUNCHER = decodeURIComponent(new URL("../../entail", import.meta.url).pathname);

/** Runs a shell script in which $entail stands for the command line. */
async function shell(script: string, cwd?: string): Promise<Result> {
  const entail = `'${Deno.execPath()}' run -A --no-check --quiet '${MAIN}'`;
  return await resultOf(
    new Deno.Command("sh", {
      args: ["-c", script.replaceAll("$entail", entail)],
      env: { NO_COLOR: "1", DENO: Deno.execPath() },
      cwd,
    }),
  );
}

Deno.test("entail --version: the version of deno.json", async () => {
  const { version } = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  const { code, stdout } = await entail(["--version"]);
  assert.deepEqual([code, stdout], [0, `${version}\n`]);
});

Deno.test("entail help: a command's own help; an unknown command is a mistake as any other", async () => {
  const [help, option] = await Promise.all([entail(["help", "train"]), entail(["train", "--help"])]);
  assert.deepEqual([help.code, help.stdout], [0, option.stdout]);
  const [code, line] = await failure(["help", "trian"]);
  assert.equal(code, 2);
  assert.match(line, /unknown command 'trian'.*train/);
});

Deno.test("entail: commands and options by the names that other programs have for them", async () => {
  const cases: [string[], RegExp][] = [
    [["fit"], /unknown command 'fit'; did you mean train\?/],
    [["Evaluate"], /did you mean eval\?/],
    [["train", "--lr=1e-4"], /unknown option '--lr=1e-4'; settings have no dashes: training\.learning_rate=1e-4/],
    [["train", "--batch-size", "8"], /training\.batch_size=…/],
    [["train", "epochs=3"], /unknown key "epochs"; did you mean "training\.num_epochs"\?/],
    [["zzzzzz"], /unknown command 'zzzzzz'; entail --help lists them/],
  ];
  const results = await Promise.all(cases.map(([args]) => failure(args)));
  results.forEach(([code, line], i) => {
    assert.match(line, cases[i][1]);
    assert.equal(code, 2, line);
  });
});

Deno.test("entail best, report: a storage's only study needs no name", async () => {
  await inTemporaryFolder(async (folder) => {
    const storage = `hpo.storage=sqlite:///${join(folder, "s.db")}`;
    const study = await createStudy({ storage: storage.slice("hpo.storage=".length), studyName: "mine" });
    await study.close();
    const [[, only], [, named]] = await Promise.all([
      failure(["best", storage]),
      failure(["best", storage, "hpo.study_name=yours"]),
    ]);
    assert.match(only, /study mine has no completed trial yet/);
    assert.match(named, /no study yours in the storage, which holds mine/);
    const report = await shell(`$entail report ${storage}`, folder);
    assert.equal(report.code, 0, report.stderr);
    assert.match(report.stderr, /written to outputs\/report\/mine/);
    assert.match((await shell(`$entail report yours ${storage}`, folder)).stderr, /no study yours/);
  });
});

Deno.test("entail: a full disk behind stdout is status 3 and one line, whatever is printed", async () => {
  await inTemporaryFolder(async (folder) => {
    const storage = `sqlite:///${join(folder, "s.db")}`;
    await createStudy({ storage, studyName: "s" });
    for (const command of ["--help", "help train", "--version", "train --cfg job", `status hpo.storage=${storage}`]) {
      const { code, stderr } = await shell(`$entail ${command} >/dev/full`);
      assert.deepEqual([code, stderr], [3, "error: no space left on device\n"], command);
    }
    const { code } = await shell("$entail trian 2>/dev/full");
    assert.equal(code, 2, "where not even the error can be said, the status says it");
  });
});

Deno.test("entail: a reader that has seen enough ends the command without a word", async () => {
  await inTemporaryFolder(async (folder) => {
    const storage = `sqlite:///${join(folder, "s.db")}`;
    await createStudy({ storage, studyName: "s" });
    for (const command of ["--help", "train --cfg job", `status hpo.storage=${storage}`]) {
      const { code, stderr } = await shell(
        `{ sleep 0.1; $entail ${command}; echo $? >status; } | true; cat status >&2`,
        folder,
      );
      assert.deepEqual([code, stderr], [0, "0\n"], command);
    }
    const watch = start(["status", "--watch", `hpo.storage=${storage}`]);
    await watch.stdout.cancel();
    const said = new Response(watch.stderr).text();
    assert.deepEqual([(await watch.status).code, await said], [0, ""]);
  });
});

Deno.test("entail: places that the system refuses are named", async () => {
  const cases: [string[], RegExp][] = [
    [
      ["train", "--fold", "0", "mlflow.tracking_uri=http://localhost:1", "output_dir=/proc/run"],
      /^error: \/proc\/run: /,
    ],
    [["train", "mlflow.tracking_uri=/proc/runs"], /^error: \/proc\/runs.*: cannot be written/],
    [["compile", "--output", "/no/such/entail.bin"], /^error: --output \/no\/such\/entail\.bin: there is no folder/],
    [["compile", "--output", "/"], /is a folder, name a file/],
    [["train", "--config-dir", MAIN, "--cfg", "job"], /--config-dir .*main\.ts: there is no such folder/],
  ];
  const results = await Promise.all(cases.map(([args]) => failure(args)));
  results.forEach(([code, line], i) => {
    assert.match(line, cases[i][1]);
    assert.equal(code, 2, line);
  });
});

Deno.test("entail: in a folder that has been removed, help works and the rest says so in one line", async () => {
  await inTemporaryFolder(async (folder) => {
    const there = (args: string) =>
      shell(`mkdir gone && cd gone && rmdir ../gone && exec '${LAUNCHER}' ${args}`, folder);
    for (const args of ["--help", "train --help", "help train", "--version"]) {
      const { code, stdout } = await there(args);
      assert.equal(code, 0, args);
      assert.notEqual(stdout, "");
    }
    for (const args of ["status", "train --fold 0"]) {
      const { code, stderr } = await there(args);
      assert.equal(code, 2, stderr);
      assert.match(errorLine(stderr), /the current folder is gone; change to one that is there/);
    }
  });
});
