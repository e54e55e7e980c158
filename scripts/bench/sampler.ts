/**
 * Time of one trial on the nine-parameter space: ask with nine suggestions, and tell, after N finished trials.
 *
 *     deno run -A scripts/bench/sampler.ts [--optuna PYTHON] [--postgres] [N …]
 *
 * `--optuna` names a Python with Optuna; scripts/bench/sampler_optuna.py then measures the same on copies of the same
 * database, so both columns come from one run on one machine. Medians of 25 trials after 25 that warm up,
 * for both. `--postgres` takes a PostgreSQL server of its own instead of SQLite files (and Optuna's psycopg2).
 */

import { cpuUsage } from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Mt19937 } from "../../src/random/mt19937.ts";
import type { StoredParam } from "../../src/studies/storage.ts";
import { type Distribution, toInternal } from "../../src/studies/distributions.ts";
import { floatDistribution } from "../../src/studies/distributions.ts";
import { NopPruner } from "../../src/studies/nop_pruner.ts";
import { RandomSampler } from "../../src/studies/random_sampler.ts";
import type { Sampler } from "../../src/studies/sampler.ts";
import { createStudy, loadStudy, type Study } from "../../src/studies/study.ts";
import { TPESampler } from "../../src/studies/tpe.ts";
import { sqlitePath } from "../../src/studies/sqlite_storage.ts";
import type { Storage } from "../../src/studies/storage.ts";
import { spaceA } from "../../tests/studies/functions.ts";
import { startPostgres } from "../../tests/studies/postgres_server.ts";

const WARM_UP = 25;
const REPEATS = 25;
const SAMPLERS: Record<string, () => Sampler> = {
  "TPE": () => new TPESampler({ seed: 0 }),
  "TPE multivariate=false": () => new TPESampler({ seed: 0, multivariate: false }),
  "random": () => new RandomSampler({ seed: 0 }),
};

interface Timing {
  openMs: number;
  askMs: number;
  tellMs: number;
  /** CPU time of a whole trial, which other programs on the machine disturb less. */
  cpuMs: number;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1];
}

/** Fills a study with N random COMPLETE trials of space A. */
async function fill(storage: string | null | Storage, size: number): Promise<Study> {
  const study = await createStudy({
    studyName: "bench",
    storage,
    sampler: new RandomSampler({ seed: 3 }),
    heartbeat: null,
  });
  const probe = await study.ask();
  spaceA(probe);
  await study.tell(probe, 1);
  const domains = Object.entries(study.trials[0].distributions) as [string, Distribution][];
  const random = new Mt19937(7);
  for (let i = 1; i < size; i++) {
    const params: StoredParam[] = domains.map(([name, distribution]) => {
      if (distribution.kind === "categorical") {
        const internal = random.interval(distribution.choices.length - 1);
        return { name, distribution, internal };
      }
      const { low, high, log } = distribution;
      const u = random.random();
      const internal = log ? low * (high / low) ** u : low + (high - low) * u;
      return { name, distribution, internal: toInternal(floatDistribution(low, high), internal) };
    });
    const now = new Date();
    const values = [random.random()];
    await study.storage.createTrial(study.studyId, {
      state: "COMPLETE",
      params,
      values,
      datetimeStart: now,
      datetimeComplete: now,
    });
  }
  return study;
}

async function measure(storage: string | Storage, sampler: Sampler): Promise<Timing> {
  const opened = performance.now();
  const study = await loadStudy({ studyName: "bench", storage, sampler, pruner: new NopPruner(), heartbeat: null });
  const openMs = performance.now() - opened;
  const [ask, tell]: number[][] = [[], []];
  let cpu = cpuUsage();
  for (let i = 0; i < WARM_UP + REPEATS; i++) {
    if (i === WARM_UP) cpu = cpuUsage();
    const from = performance.now();
    const trial = await study.ask();
    spaceA(trial);
    await trial.settle();
    const asked = performance.now();
    await study.tell(trial, Math.random());
    const told = performance.now();
    if (i < WARM_UP) continue;
    ask.push(asked - from);
    tell.push(told - asked);
  }
  if (typeof storage === "string") await study.close();
  const used = cpuUsage(cpu);
  const cpuMs = (used.user + used.system) / 1000 / REPEATS;
  return { openMs, askMs: median(ask), tellMs: median(tell), cpuMs };
}

async function measureOptuna(python: string, url: string, sampler: string): Promise<Timing> {
  const script = fileURLToPath(new URL("./sampler_optuna.py", import.meta.url));
  const { stdout, stderr, success } = await new Deno.Command(python, { args: [script, url, sampler] }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Databases of one kind: new ones, and copies of those. */
interface Databases {
  make(): Promise<string>;
  copy(url: string): Promise<string>;
  remove(): Promise<void>;
}

async function sqliteFiles(): Promise<Databases> {
  const folder = await Deno.makeTempDir({ prefix: "entail-bench-" });
  let files = 0;
  const path = () => `${folder}/${files++}.db`;
  return {
    make: () => Promise.resolve(`sqlite:///${path()}`),
    async copy(url) {
      const copied = path();
      await Deno.copyFile(sqlitePath(url), copied);
      return `sqlite:///${copied}`;
    },
    remove: () => Deno.remove(folder, { recursive: true }),
  };
}

async function postgresDatabases(): Promise<Databases> {
  const server = await startPostgres();
  return { make: () => server.newDatabase(), copy: (url) => server.newDatabase(url), remove: () => server.remove() };
}

const { values: options, positionals } = parseArgs({
  options: { optuna: { type: "string" }, postgres: { type: "boolean", default: false } },
  allowPositionals: true,
});
const sizes = positionals.length > 0 ? positionals.map(Number) : [100, 1000, 2000];
const databases = await (options.postgres ? postgresDatabases() : sqliteFiles());
const kind = options.postgres ? "postgres" : "sqlite";
console.log("storage   N      sampler                  open ms   ask ms  tell ms   cpu ms");
const line = (storage: string, size: number, name: string, { openMs, askMs, tellMs, cpuMs }: Timing) => {
  const numbers = [openMs, askMs, tellMs, cpuMs].map((ms) => ms.toFixed(2).padStart(9)).join("");
  console.log(`${storage.padEnd(10)}${String(size).padEnd(7)}${name.padEnd(24)}${numbers}`);
};
try {
  for (const size of sizes) {
    const full = await databases.make();
    await (await fill(full, size)).close();
    for (const [name, make] of Object.entries(SAMPLERS)) {
      line(kind, size, name, await measure(await databases.copy(full), make()));
      if (options.optuna !== undefined) {
        const url = (await databases.copy(full)).replace(/^postgresql:/, "postgresql+psycopg2:");
        line(kind, size, `${name} (Optuna)`, await measureOptuna(options.optuna, url, name));
      }
      if (!options.postgres) line("memory", size, name, await measure((await fill(null, size)).storage, make()));
    }
  }
} finally {
  await databases.remove();
}
