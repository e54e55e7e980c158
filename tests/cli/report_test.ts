/** `report` on the command line: its files, what it prints, and what it refuses. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { openStorage } from "../../src/studies/open_storage.ts";
import { RandomSampler } from "../../src/studies/random_sampler.ts";
import { createStudy } from "../../src/studies/study.ts";
import { paramImportances } from "../../src/studies/importance.ts";
import { inTemporaryFolder } from "../support/run_data.ts";
import { writeRunFiles } from "../support/run_files.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);

async function report(folder: string, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const run = ["run", "-A", "--no-check", "--quiet", `--config=${ROOT}deno.json`, `${ROOT}src/cli/main.ts`, "report"];
  const command = new Deno.Command(Deno.execPath(), { args: [...run, ...args], cwd: folder, env: { NO_COLOR: "1" } });
  const { code, stdout, stderr } = await command.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

Deno.test("entail report: writes the report, prints the importances, refuses what has none", async () => {
  await inTemporaryFolder(async (folder) => {
    const url = `sqlite:///${join(folder, "study.db")}`;
    const study = await createStudy({ studyName: "small", storage: url, sampler: new RandomSampler({ seed: 2 }) });
    await study.optimize((trial) => trial.suggestFloat("x", 0, 1) + trial.suggestInt("n", 0, 3) / 100, { nTrials: 12 });
    const importances = paramImportances(study.trials, "minimize");
    await study.close();
    const storage = await openStorage(url);
    await storage.createStudy("two", ["minimize", "minimize"]);
    await storage.close();

    const override = `hpo.storage=${url}`;
    const [plain, elsewhere, two, none, nowhere] = await Promise.all([
      report(folder, override, "hpo.study_name=small"),
      report(folder, "--quiet", "--output", join(folder, "elsewhere"), override, "hpo.study_name=small"),
      report(folder, override, "hpo.study_name=two"),
      report(folder, override, "hpo.study_name=none"),
      report(folder, "hpo.storage=sqlite:///missing.db"),
    ]);
    assert.equal(plain.code, 0, plain.stderr);
    const lines = Object.entries(importances).map(([name, share]) => `${name}\t${share.toFixed(4)}\n`);
    assert.equal(plain.stdout, ["parameter\timportance\n", ...lines].join(""));
    assert.match(plain.stderr, /^written to outputs\/report\/small: open outputs\/report\/small\/report\.html$/m);
    const files = (path: string) => [...Deno.readDirSync(join(folder, path))].map(({ name }) => name).sort();
    const charts = ["contour", "edf", "history", "importances", "parallel", "rank", "slices", "timeline"];
    const expected = [...charts.map((name) => `${name}.svg`), "report.html", "report.md"].sort();
    assert.deepEqual(files("outputs/report/small"), expected);

    assert.deepEqual([elsewhere.code, elsewhere.stderr], [0, ""]);
    assert.equal(elsewhere.stdout, plain.stdout);
    assert.deepEqual(files("elsewhere"), expected);

    const escaping = await createStudy({ studyName: "../../x", storage: url });
    await escaping.close();
    const inside = await report(join(folder, "elsewhere"), override, "hpo.study_name=../../x");
    assert.equal(inside.code, 0, inside.stderr);
    const [written] = Deno.readDirSync(join(folder, "elsewhere/outputs/report"));
    assert.match(written.name, /^_\._\.\._x-[0-9a-f]{8}$/);

    assert.deepEqual([two.code, none.code, nowhere.code], [3, 3, 3]);
    assert.match(two.stderr, /^error: study two has 2 objectives/m);
    assert.match(none.stderr, /^error: hpo\.study_name: no study none in the storage, which holds small, two$/m);
    assert.match(nowhere.stderr, /^error: missing\.db: no such file; run hpo first/m);
  });
});

Deno.test("entail report: with nothing named, the study or else the run; a study by its name, whatever lies there", async () => {
  await inTemporaryFolder(async (folder) => {
    await writeRunFiles(join(folder, "outputs/entail"));
    const run = await report(folder);
    assert.deepEqual([run.code, run.stdout], [0, ""], run.stderr);
    assert.match(run.stderr, /^written to outputs\/entail\/report: /);

    const study = await createStudy({ studyName: "entail", storage: `sqlite:///${join(folder, "optuna.db")}` });
    await study.close();
    Deno.writeTextFileSync(join(folder, "entail"), "not a run");
    const [unnamed, named, asked] = await Promise.all([
      report(folder),
      report(folder, "entail"),
      report(folder, "output_dir=outputs/entail"),
    ]);
    for (const { stderr } of [unnamed, named]) assert.match(stderr, /^written to outputs\/report\/entail: /);
    assert.match(asked.stderr, /^written to outputs\/entail\/report: /);
  });
});
