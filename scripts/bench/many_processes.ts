/**
 * Many processes that start in the same second on one new SQLite file: is every trial there, with its own number?
 *
 *     deno run -A scripts/bench/many_processes.ts [processes=32] [trials per process=20]
 */

import { fileURLToPath } from "node:url";
import { loadStudy } from "../../src/studies/study.ts";

const processes = Number(Deno.args[0] ?? 32);
const trials = Number(Deno.args[1] ?? 20);
const worker = fileURLToPath(new URL("../../tests/studies/worker.ts", import.meta.url));
const folder = Deno.makeTempDirSync({ prefix: "entail-bench-" });
const url = `sqlite:///${folder}/study.db`;

/** Starting Deno takes a second of a core: the common start leaves every process time to be up. */
const start = Date.now() + 2000 + processes * 400;
const children = Array.from({ length: processes }, () =>
  new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", worker, url, "many", String(trials), `start=${start}`],
    stdout: "null",
    stderr: "piped",
  }).spawn());
const results = await Promise.all(children.map((child) => child.output()));
const seconds = (Date.now() - start) / 1000;

const failures = results.filter((result) => !result.success);
for (const failure of failures) console.error(new TextDecoder().decode(failure.stderr));
const study = await loadStudy({ storage: url });
const numbers = study.trials.map((trial) => trial.number);
const complete = study.trials.filter((trial) => trial.state === "COMPLETE").length;
const gapless = numbers.every((number, i) => number === i);
await study.close();
Deno.removeSync(folder, { recursive: true });

console.log(
  `${processes} processes × ${trials} trials in ${
    seconds.toFixed(1)
  } s: ${numbers.length} trials, ${complete} COMPLETE, ` +
    `numbers 0 to ${numbers.length - 1} ${gapless ? "without gap" : "WITH GAPS OR DUPLICATES"}, ` +
    `${failures.length} processes failed, ${Math.round(numbers.length / seconds * 60)} trials per minute`,
);
if (failures.length > 0 || !gapless || complete !== processes * trials) Deno.exit(1);
