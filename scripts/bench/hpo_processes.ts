/**
 * One, two and four `hpo` processes on one SQLite study: trials per minute of real training of the demo model, and what
 * went wrong. Overrides replace the defaults that keep a trial at a few seconds.
 *
 *     deno run -A scripts/bench/hpo_processes.ts [trials=24] [override …]
 */

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Table from "cli-table3";
import { loadStudy } from "../../src/studies/study.ts";

const [trialsText = "24", ...overrides] = Deno.args;
const trials = Number(trialsText);
if (!Number.isInteger(trials) || trials < 1) {
  console.error(`error: ${trialsText} is no number of trials`);
  Deno.exit(2);
}
const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const root = fileURLToPath(new URL("../../", import.meta.url));
const folder = Deno.makeTempDirSync({ prefix: "entail-bench-" });

interface Measured {
  processes: number;
  seconds: number;
  states: Record<string, number>;
  /** Numbers are 0, 1, 2, … */
  isGapless: boolean;
  /** The last lines of the processes that did not end with status 0. */
  failures: string[];
}

/** Runs a fresh study of `trials` trials; the time is that from the first trial's start to the last one's end. */
async function measure(processes: number): Promise<Measured> {
  const storage = `sqlite:///${join(folder, `study_${processes}.db`)}`;
  const args = [
    ...["run", "--quiet", "-A", "--no-check", "--config", join(root, "deno.json"), main, "hpo", "--quiet"],
    ...["hpo=demo", "data.sample_size=200", "training.max_steps=10", "mlflow.enable=false"],
    ...[`hpo.n_trials=${trials}`, `hpo.storage=${storage}`, "hpo.study_name=bench", `output_dir=${folder}`],
    ...overrides,
  ];
  const children = Array.from(
    { length: processes },
    () =>
      new Deno.Command(Deno.execPath(), { args, cwd: root, stdin: "null", stdout: "null", stderr: "piped" }).spawn(),
  );
  const results = await Promise.all(children.map((child) => child.output()));
  const study = await loadStudy({ storage, studyName: "bench" });
  const states: Record<string, number> = {};
  for (const { state } of study.trials) states[state] = (states[state] ?? 0) + 1;
  const times = study.trials.flatMap((trial) => [trial.datetimeStart, trial.datetimeComplete]);
  const known = times.filter((time) => time !== null).map((time) => time.getTime());
  const isGapless = study.trials.every(({ number }, index) => number === index);
  await study.close();
  return {
    processes,
    seconds: (Math.max(...known) - Math.min(...known)) / 1000,
    states,
    isGapless,
    failures: results.filter(({ success }) => !success)
      .map(({ stderr }) => new TextDecoder().decode(stderr).trim().split("\n").at(-1)!),
  };
}

const table = new Table({
  head: ["processes", "trials", "states", "numbers", "processes failed", "seconds", "trials per minute"],
  style: { head: [], border: [] },
});
let isGood = true;
try {
  for (const processes of [1, 2, 4]) {
    const { seconds, states, isGapless, failures } = await measure(processes);
    for (const failure of failures) console.error(failure);
    const total = Object.values(states).reduce((sum, count) => sum + count, 0);
    const finished = total - (states.RUNNING ?? 0) - (states.WAITING ?? 0);
    isGood &&= failures.length === 0 && isGapless && finished === trials && !states.FAIL;
    table.push([
      processes,
      total,
      Object.entries(states).map(([state, count]) => `${count} ${state}`).join(", "),
      isGapless ? `0 to ${total - 1}` : "GAPS OR DUPLICATES",
      failures.length,
      seconds.toFixed(1),
      (finished / seconds * 60).toFixed(1),
    ]);
  }
} finally {
  Deno.removeSync(folder, { recursive: true });
}
console.log(table.toString());
if (!isGood) Deno.exit(1);
