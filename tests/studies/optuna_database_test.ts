import assert from "node:assert/strict";
import { NopPruner } from "../../src/studies/nop_pruner.ts";
import type { ParamValue } from "../../src/studies/distributions.ts";
import { loadStudy } from "../../src/studies/study.ts";
import { TPESampler } from "../../src/studies/tpe.ts";
import { runSpace } from "./functions.ts";
import { type PostgresServer, startPostgres } from "./postgres_server.ts";

const fixture = (name: string): URL => new URL(`../fixtures/studies/${name}`, import.meta.url);

/** What Optuna 5.0.0 reads from its own database, and how it continues it; see tests/oracles/studies_fixtures.py. */
const expected: {
  trials: {
    number: number;
    state: string;
    value: string;
    params: Record<string, ParamValue>;
    reports: Record<string, string>;
    userAttrs: Record<string, number>;
    start: string | null;
  }[];
  best: number;
  continued: { params: Record<string, ParamValue>; value: number }[];
} = JSON.parse(Deno.readTextFileSync(fixture("optuna_db.json")));

let server: PostgresServer;
Deno.test.beforeAll(async () => {
  server = await startPostgres();
});
Deno.test.afterAll(() => server.remove());

/** The same study in both kinds of database. */
const DATABASES: Record<string, (body: (url: string) => Promise<void>) => Promise<void>> = {
  async SQLite(body) {
    const folder = Deno.makeTempDirSync({ prefix: "entail-studies-" });
    try {
      Deno.copyFileSync(fixture("optuna.db"), `${folder}/optuna.db`);
      await body(`sqlite:///${folder}/optuna.db`);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
  async PostgreSQL(body) {
    const url = await server.newDatabase();
    await server.run(url, Deno.readTextFileSync(fixture("optuna.sql")));
    await body(url);
  },
};

function testDatabases(name: string, body: (url: string) => Promise<void>): void {
  for (const [database, withCopy] of Object.entries(DATABASES)) {
    Deno.test(`${name} (${database})`, () => withCopy(body));
  }
}

/** Python's `str` of a float that JavaScript prints the same way, of None and of the infinities. */
function numberOf(text: string): number | null {
  if (text === "None") return null;
  return text === "inf" ? Infinity : text === "-inf" ? -Infinity : Number(text);
}

testDatabases("loadStudy: reads a database made by Optuna", async (storage) => {
  const study = await loadStudy({ storage });
  assert.equal(study.studyName, "by optuna");
  assert.deepEqual(await study.userAttrs(), { note: { text: "é", nan: NaN, list: [1, 2.5, null] } });
  assert.equal(study.trials.length, expected.trials.length);
  for (const [i, trial] of study.trials.entries()) {
    const other = expected.trials[i];
    assert.deepEqual([trial.number, trial.state], [other.number, other.state]);
    assert.equal(trial.value, numberOf(other.value));
    assert.deepEqual(Object.entries(trial.params), Object.entries(other.params));
    const reports = [...trial.intermediateValues].map(([step, value]) => [String(step), value]);
    assert.deepEqual(reports, Object.entries(other.reports).map(([step, text]) => [step, numberOf(text)]));
    assert.deepEqual(trial.userAttrs, other.userAttrs);
    assert.equal(trial.datetimeStart?.toISOString() ?? null, other.start === null ? null : `${other.start}Z`);
  }
  assert.deepEqual(study.trials.at(-1)!.systemAttrs, { fixed_params: { lr: 3e-5, layers: 3 } });
  assert.equal(study.bestTrial.number, expected.best);
  await study.close();
});

testDatabases("Study.optimize: continues a database made by Optuna as Optuna would", async (storage) => {
  const study = await loadStudy({ storage, sampler: new TPESampler({ seed: 7 }), pruner: new NopPruner() });
  await study.optimize(runSpace, { nTrials: expected.continued.length });
  const continued = study.trials.slice(15);
  assert.equal(continued.length, expected.continued.length);
  for (const [i, trial] of continued.entries()) {
    const other = expected.continued[i];
    for (const name in other.params) {
      const [own, theirs] = [trial.params[name], other.params[name]];
      if (typeof theirs !== "number") assert.equal(own, theirs);
      else {assert.ok(
          Math.abs(Number(own) - theirs) <= 1e-9,
          `${name} of trial ${trial.number}: ${own}, not ${theirs}`,
        );}
    }
    assert.ok(Math.abs(trial.value! - other.value) <= 1e-9);
  }
  await study.close();
});
