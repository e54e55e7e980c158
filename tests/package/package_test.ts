/** The package as others use it: by its path, from a folder of theirs, and packed for npm; its examples. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { VERSION } from "../../src/version.ts";
import { inTemporaryFolder } from "../support/run_data.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const MODEL = join(ROOT, "data/demo/model");
const FILES = ["groundtruth.csv", "criteria.json"].map((name) => join(ROOT, "data/demo", name));

const project: { version: string } = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json")));

/** What a Deno without this project's configuration says on stdout, called in `cwd`. */
async function deno(cwd: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd, env: { NO_COLOR: "1" } })
    .output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert.equal(code, 0, `deno ${args.join(" ")}: ${err}`);
  return out;
}

/** Writes an example into a folder of somebody's who calls mod.ts `name`. */
function copyExample(example: string, folder: string, name: string, ...edits: [from: string, to: string][]): string {
  let text = Deno.readTextFileSync(join(ROOT, "scripts/examples", example));
  for (const [from, to] of [["../../mod.ts", name], ...edits]) {
    assert.ok(text.includes(from), `${example} has no ${from}`);
    text = text.replace(from, to);
  }
  const path = join(folder, example);
  Deno.writeTextFileSync(path, text);
  return path;
}

const namesIn = (folder: string): string[] => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

Deno.test("VERSION: that of deno.json", () => assert.equal(VERSION, project.version));

Deno.test(
  "examples: train_on_arrays and rank run in a folder of their own, by an import map and without",
  () =>
    inTemporaryFolder(async (folder) => {
      const mod = new URL("../../mod.ts", import.meta.url).href;
      const trained = await deno(
        folder,
        "run",
        "-A",
        "--no-config",
        copyExample("train_on_arrays.ts", folder, mod),
        MODEL,
      );
      assert.match(trained, /^F1 \d\.\d\d on 2 pairs\nprobability 0\.\d{3}\n$/);
      assert.deepEqual(namesIn(folder), ["my-model", "train_on_arrays.ts"], "a program leaves what it saved");

      Deno.writeTextFileSync(join(folder, "deno.json"), JSON.stringify({ imports: { entail: mod } }));
      const ranked = await deno(folder, "run", "-A", copyExample("rank.ts", folder, "entail"), "my-model");
      assert.match(ranked, /^0\.\d{3} Sleeps too little or far too much\.\n0\.\d{3} [A-Z].*\.\n$/);
    }),
);

Deno.test("examples: search and resume_and_track, twice where that goes on", () =>
  inTemporaryFolder(async (folder) => {
    const run = (example: string) =>
      deno(folder, "run", "-A", "--no-config", join(ROOT, "scripts/examples", example), MODEL, ...FILES);
    const searched = await run("search.ts");
    assert.match(searched, /params_learningRate/);
    assert.match(searched, /^trial 0, best \S+\ntrial 1, best \S+\n/);
    assert.equal(searched.match(/ │ "COMPLETE" │ 0\.\d+ +│\n/g)?.length, 2, searched);
    const tracked = await run("resume_and_track.ts");
    assert.match(tracked, /^fold 0: F1 /);
    assert.match(tracked, /\nF1 \d\.\d{3}, 95 % in \[/);
    const again = await run("resume_and_track.ts");
    assert.match(again, /^F1 \d\.\d{3}, 95 %/, "a finished run is not trained again");
    assert.deepEqual(namesIn(folder), ["mlflow-store", "run", "study.db"]);
    assert.ok(namesIn(join(folder, "run")).includes("report"));
  }));

Deno.test("mod.ts from a server: studies run, and what reads kernels says that it cannot", () =>
  inTemporaryFolder(async (folder) => {
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async ({ url }) => {
      const bytes = await Deno.readFile(join(ROOT, new URL(url).pathname));
      return new Response(bytes, { headers: { "content-type": "application/typescript" } });
    });
    const program = join(folder, "main.ts");
    Deno.writeTextFileSync(
      program,
      `import { createStudy, CrossEncoder } from "http://127.0.0.1:${server.addr.port}/mod.ts";
       const study = await createStudy();
       await study.optimize((trial) => trial.suggestFloat("x", 0, 1), { nTrials: 2 });
       console.log(study.trials.length);
       await CrossEncoder.fromPretrained(${JSON.stringify(MODEL)})
         .catch((error) => console.log(error.kind, error.message));`,
    );
    const said = await deno(folder, "run", "-A", "--no-config", "--no-lock", program);
    assert.match(said, /^2\nusage http:.*\/kernels\/: kernels are read from disk; import mod\.ts from a folder, /);
    await server.shutdown();
  }));

Deno.test(
  "deno pack: what it packs works from node_modules, its workers too",
  () =>
    inTemporaryFolder(async (folder) => {
      const archive = join(folder, "entail.tgz");
      // Without types of modules that are nobody's business, which take most of its time.
      await deno(ROOT, "pack", "--quiet", "--allow-dirty", "--allow-slow-types", "--output", archive);
      const modules = join(folder, "node_modules/@entail");
      Deno.mkdirSync(modules, { recursive: true });
      await new Deno.Command("tar", { args: ["xzf", archive, "-C", modules] }).output();
      Deno.renameSync(join(modules, "package"), join(modules, "entail"));
      const packed = JSON.parse(Deno.readTextFileSync(join(modules, "entail/package.json")));
      assert.deepEqual([packed.version, packed.license], [project.version, "MIT"]);

      // Its dependencies as this project has them locked.
      Deno.copyFileSync(join(ROOT, "deno.lock"), join(folder, "deno.lock"));
      Deno.writeTextFileSync(join(folder, "deno.json"), JSON.stringify({ nodeModulesDir: "manual" }));
      const versions = Object.entries<string>(packed.dependencies).map((
        [name, range],
      ) => [name, range.replace("^", "")]);
      Deno.writeTextFileSync(
        join(folder, "package.json"),
        JSON.stringify({ dependencies: Object.fromEntries(versions) }),
      );
      const kept = join(folder, "packed");
      Deno.renameSync(join(folder, "node_modules"), kept);
      await deno(folder, "install", "--quiet");
      Deno.renameSync(join(kept, "@entail"), join(folder, "node_modules/@entail"));

      const edit: [string, string] = ["learningRate: 1e-4", "learningRate: 1e-4, numWorkers: 1"];
      const trained = await deno(
        folder,
        "run",
        "-A",
        copyExample("train_on_arrays.ts", folder, "@entail/entail", edit),
        MODEL,
      );
      assert.match(trained, /^F1 \d\.\d\d on 2 pairs\nprobability 0\.\d{3}\n$/);
    }),
);
