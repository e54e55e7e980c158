/**
 * Many processes that start in the same second on one new SQLite file: is every trial there, with its own number?
 *
 *     deno run -A scripts/bench/many_processes.ts [processes=32] [trials per process=20] [--postgres [--kills N]]
 *
 * `--postgres`: on a new database of a PostgreSQL server, which is killed and started again N times meanwhile.
 */

import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadStudy } from "../../src/studies/study.ts";
import { startPostgres } from "../../tests/studies/postgres_server.ts";

const { values: options, positionals } = parseArgs({
  options: { postgres: { type: "boolean", default: false }, kills: { type: "string", default: "0" } },
  allowPositionals: true,
});
const [processes, trials] = [Number(positionals[0] ?? 32), Number(positionals[1] ?? 20)];
const worker = fileURLToPath(new URL("../../tests/studies/worker.ts", import.meta.url));
const folder = Deno.makeTempDirSync({ prefix: "entail-bench-" });
const server = options.postgres ? await startPostgres() : null;
const url = await server?.newDatabase() ?? `sqlite:///${folder}/study.db`;

/** Starting Deno takes a second of a core: the common start leaves every process time to be up. */
const start = Date.now() + 2000 + processes * 400;
const children = Array.from({ length: processes }, () =>
  new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", worker, url, "many", String(trials), `start=${start}`],
    stdout: "null",
    stderr: "piped",
  }).spawn());
const ending = Promise.all(children.map((child) => child.output()));
for (let kill = 1; kill <= Number(options.kills); kill++) {
  const at = processes * trials * kill / (Number(options.kills) + 1);
  const ended = "SELECT count(*)::int AS ended FROM trials WHERE state = 'COMPLETE'";
  const reached = async () => Number((await server!.run(url, ended).catch(() => []))[0]?.ended) >= at;
  while (!await reached()) await new Promise((resolve) => setTimeout(resolve, 50));
  await server!.kill();
  await server!.start();
}
const results = await ending;
const seconds = (Date.now() - start) / 1000;

const failures = results.filter((result) => !result.success);
for (const failure of failures) console.error(new TextDecoder().decode(failure.stderr));
const study = await loadStudy({ storage: url });
const numbers = study.trials.map((trial) => trial.number);
const complete = study.trials.filter((trial) => trial.state === "COMPLETE").length;
const gapless = numbers.every((number, i) => number === i);
await study.close();
await server?.remove();
Deno.removeSync(folder, { recursive: true });

console.log(
  `${processes} processes × ${trials} trials in ${
    seconds.toFixed(1)
  } s: ${numbers.length} trials, ${complete} COMPLETE, ` +
    `numbers 0 to ${numbers.length - 1} ${gapless ? "without gap" : "WITH GAPS OR DUPLICATES"}, ` +
    `${failures.length} processes failed, ${Math.round(numbers.length / seconds * 60)} trials per minute`,
);
if (failures.length > 0 || !gapless || complete !== processes * trials) Deno.exit(1);
