/** Databases that somebody has written into: what cannot be read is named, and nothing is guessed. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { main } from "../../src/cli/main.ts";
import { openStorage } from "../../src/studies/open_storage.ts";
import { createStudy, loadStudy } from "../../src/studies/study.ts";
import { TPESampler } from "../../src/studies/tpe.ts";
import { inTemporaryFolder } from "../support/run_data.ts";

async function makeStudy(folder: string): Promise<string> {
  const path = join(folder, "study.db");
  const study = await createStudy({
    studyName: "s",
    storage: `sqlite:///${path}`,
    sampler: new TPESampler({ seed: 1 }),
  });
  await study.optimize(async (trial) => {
    await trial.report(1, 0);
    await trial.setUserAttr("note", "x");
    return trial.suggestFloat("lr", 1e-5, 1e-2, { log: true }) + trial.suggestCategorical("kind", [0, 1]);
  }, { nTrials: 3 });
  await study.setUserAttr("entail:n_trials", 5);
  await study.close();
  return path;
}

const OF_TRIAL_1 = "WHERE trial_id = 2";
const LR = `${OF_TRIAL_1} AND param_name = 'lr'`;

const CASES: [sql: string, message: RegExp][] = [
  [
    `UPDATE trial_params SET distribution_json = '{"name": ' ${LR}`,
    /trial 1: parameter lr: the distribution .* cannot/,
  ],
  [`UPDATE trial_params SET distribution_json = 'null' ${LR}`, /trial 1: parameter lr: /],
  [
    `UPDATE trial_params SET distribution_json = '{"name": "Odd", "attributes": {}}' ${LR}`,
    /parameter lr: .*of that name/,
  ],
  [
    `UPDATE trial_params SET distribution_json = '{"name": "FloatDistribution", "attributes": {"low": "a", "high": 1}}' ${LR}`,
    /parameter lr: .*low must be a number, got "a"/,
  ],
  [
    `UPDATE trial_params SET distribution_json = '{"name": "CategoricalDistribution", "attributes": {"choices": 3}}' ${LR}`,
    /parameter lr: /,
  ],
  [`UPDATE trial_params SET param_value = 'many' ${LR}`, /trial 1: parameter lr: "many" is not a value/],
  [`UPDATE trial_params SET param_value = -1 ${LR}`, /parameter lr: -1 is not in its logarithmic domain/],
  [
    `UPDATE trial_params SET param_value = 7 ${OF_TRIAL_1} AND param_name = 'kind'`,
    /parameter kind: choice 7 does not/,
  ],
  [`UPDATE trials SET state = 'ODD' ${OF_TRIAL_1}`, /trial 1: its state "ODD" is unknown/],
  [`UPDATE trials SET number = 'one' ${OF_TRIAL_1}`, /its number is "one"/],
  [`UPDATE trials SET datetime_start = 'noon' ${OF_TRIAL_1}`, /trial 1: "noon" is not a time/],
  [`UPDATE trials SET datetime_complete = '2026-19-45 99:99:99' ${OF_TRIAL_1}`, /trial 1: .* is not a time/],
  [`UPDATE trial_values SET value_type = 'ODD' ${OF_TRIAL_1}`, /trial 1: a stored value of type ODD/],
  [`UPDATE trial_values SET objective = 2 ${OF_TRIAL_1}`, /trial 1: it has no value of an objective/],
  [`DELETE FROM trial_values ${OF_TRIAL_1}`, /trial 1: it has no value of an objective/],
  [`UPDATE trial_intermediate_values SET step = -1 ${OF_TRIAL_1}`, /trial 1: its step is -1/],
  [`UPDATE trial_user_attributes SET value_json = '{' ${OF_TRIAL_1}`, /trial 1: attribute note: "{" is not JSON/],
  [
    `UPDATE trial_system_attributes SET value_json = '{"positions": 1}' ${OF_TRIAL_1}`,
    /trial 1: attribute entail:random_stream: /,
  ],
  ["UPDATE study_user_attributes SET value_json = '['", /study s, attribute entail:n_trials: "\[" is not JSON/],
  ["UPDATE study_directions SET direction = 'SIDEWAYS'", /study s, its direction "SIDEWAYS" is unknown/],
];

Deno.test("RdbStorage: what cannot be read is a data error that names database, study, trial and parameter", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = await makeStudy(folder);
    for (const [sql, message] of CASES) {
      const copy = join(folder, "copy.db");
      Deno.copyFileSync(path, copy);
      const database = new DatabaseSync(copy);
      assert.ok(database.prepare(sql).run().changes > 0, sql);
      database.close();
      await assert.rejects(loadStudy({ studyName: "s", storage: `sqlite:///${copy}` }), (error: Error) => {
        assert.equal((error as { kind?: string }).kind, "data", sql);
        assert.ok(error.message.startsWith(`${copy}: study s, `), error.message);
        assert.match(error.message, message);
        return true;
      });
      Deno.removeSync(copy);
    }
    const storage = await openStorage(`sqlite:///${path}`);
    assert.equal((await storage.trials(1)).length, 3);
    await storage.close();
  });
});

Deno.test("entail status, best, report, hpo: a broken distribution ends them with status 3", async () => {
  await inTemporaryFolder(async (folder) => {
    const path = await makeStudy(folder);
    const database = new DatabaseSync(path);
    database.exec(CASES[0][0]);
    database.close();
    const lines: string[] = [];
    const original = console.error;
    console.error = (line: string) => void lines.push(line);
    try {
      for (const command of [["status"], ["best"], ["report"], ["hpo", "--n-trials", "0", "hpo.direction=minimize"]]) {
        const overrides = [`hpo.storage=sqlite:///${path}`, "hpo.study_name=s", "mlflow.enable=false"];
        assert.equal(await main([...command, ...overrides]), 3, command[0]);
        assert.match(lines.at(-1)!, /^error: .*study\.db: study s, trial 1: parameter lr: /);
      }
    } finally {
      console.error = original;
    }
  });
});
