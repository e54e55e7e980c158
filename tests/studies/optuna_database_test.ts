import assert from "node:assert/strict";
import { NopPruner } from "../../src/studies/nop_pruner.ts";
import type { ParamValue } from "../../src/studies/distributions.ts";
import { loadStudy } from "../../src/studies/study.ts";
import { TPESampler } from "../../src/studies/tpe.ts";
import { runSpace } from "./functions.ts";

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
} = JSON.parse(Deno.readTextFileSync(new URL("../fixtures/studies/optuna_db.json", import.meta.url)));

async function withCopy(body: (url: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "entail-studies-" });
  try {
    Deno.copyFileSync(new URL("../fixtures/studies/optuna.db", import.meta.url), `${folder}/optuna.db`);
    await body(`sqlite:///${folder}/optuna.db`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Python's `str` of a float that JavaScript prints the same way, of None and of the infinities. */
function numberOf(text: string): number | null {
  if (text === "None") return null;
  return text === "inf" ? Infinity : text === "-inf" ? -Infinity : Number(text);
}

Deno.test("loadStudy: reads a database made by Optuna", () =>
  withCopy(async (storage) => {
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
  }));

Deno.test("Study.optimize: continues a database made by Optuna as Optuna would", () =>
  withCopy(async (storage) => {
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
  }));
