/** Trials that are added and queued, tables of trials, and several trials at a time. */
import assert from "node:assert/strict";
import { createTrial, type CreateTrialOptions } from "../../src/studies/create_trial.ts";
import { floatDistribution, type ParamValue } from "../../src/studies/distributions.ts";
import { RandomSampler } from "../../src/studies/random_sampler.ts";
import { createStudy, loadStudy } from "../../src/studies/study.ts";
import { EntailError } from "../../src/errors.ts";
import type { Trial } from "../../src/studies/trial.ts";

/** What Optuna 5.0.0 says; see tests/oracles/trial_rows.py. */
const expected: {
  rows: Record<string, unknown>[];
  columns: string[];
  named: string[];
  repeats: { before: Record<string, ParamValue>[]; params: Record<string, ParamValue>; skipped: boolean }[];
} = JSON.parse(Deno.readTextFileSync(new URL("../fixtures/studies/trial_rows.json", import.meta.url)));

const usage = (message: RegExp) => (error: unknown) =>
  error instanceof EntailError && error.kind === "usage" && message.test(error.message);

const memoryStudy = () => createStudy({ sampler: new RandomSampler({ seed: 1 }), heartbeat: null });

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "entail-studies-" });
  try {
    await body(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("Study.trialRows: Optuna's table of its own study", () =>
  inFolder(async (folder) => {
    Deno.copyFileSync(new URL("../fixtures/studies/optuna.db", import.meta.url), `${folder}/optuna.db`);
    const study = await loadStudy({ storage: `sqlite:///${folder}/optuna.db` });
    const rows = await study.trialRows();
    assert.deepEqual(Object.keys(rows[0]), expected.columns);
    for (const row of expected.rows) {
      const own = rows[row.number as number];
      for (const [column, value] of Object.entries(row)) {
        const is = own[column] instanceof Date ? (own[column] as Date).toISOString() : own[column];
        if (column === "duration" && value !== null) assert.ok(Math.abs(Number(is) - Number(value)) <= 2e-3);
        else {assert.deepEqual(
            is === Infinity ? "inf" : is === -Infinity ? "-inf" : is,
            value,
            `${row.number} ${column}`,
          );}
      }
    }
    await study.storage.setStudyAttr(study.studyId, "system", "study:metric_names", ["F1"]);
    assert.deepEqual(Object.keys((await study.trialRows())[0]), expected.named);
    await study.close();
  }));

Deno.test("Study.enqueueTrial: skipIfExists takes for the same what Optuna does", async () => {
  for (const { before, params, skipped } of expected.repeats) {
    const study = await memoryStudy();
    for (const each of before) await study.enqueueTrial(each);
    await study.enqueueTrial(params, { skipIfExists: true });
    const message = JSON.stringify([before, params]);
    assert.equal(study.trials.length, before.length + (skipped ? 0 : 1), message);
  }
});

Deno.test("Study.addTrial: trials made by hand, and those of another study, are as if they had run", () =>
  inFolder(async (folder) => {
    const distributions = { x: floatDistribution(0, 10) };
    const study = await createStudy({ storage: `sqlite:///${folder}/a.db`, direction: "maximize" });
    await study.addTrial(createTrial({
      params: { x: 2 },
      distributions,
      value: 4,
      userAttrs: { by: "hand" },
      intermediateValues: { 1: 3, 2: 4 },
    }));
    await study.addTrial(createTrial({ params: { x: 3 }, distributions, value: 9, constraints: { size: 1 } }));
    await study.enqueueTrial({ x: 1 });
    assert.deepEqual([study.bestTrial.number, study.bestParams], [0, { x: 2 }], "one with a violation is not the best");
    await study.optimize((trial) => trial.suggestFloat("x", 0, 10), { nTrials: 1 });

    const other = await memoryStudy();
    await other.addTrials(study.trials);
    const stripped = (trials: typeof study.trials) => trials.map(({ trialId: _, ...trial }) => trial);
    assert.deepEqual(stripped(other.trials), stripped(study.trials));
    assert.deepEqual(other.trials.map(({ state, value }) => [state, value]), [
      ["COMPLETE", 4],
      ["COMPLETE", 9],
      ["COMPLETE", 1],
    ]);
    await study.close();
  }));

Deno.test("createTrial: refuses what contradicts itself", () => {
  const x = floatDistribution(0, 1);
  const cases: [CreateTrialOptions, RegExp][] = [
    [{}, /COMPLETE trial needs a value/],
    [{ value: NaN }, /COMPLETE trial needs a value/],
    [{ state: "FAIL", value: 1 }, /FAIL trial has no value/],
    [{ value: 1, params: { x: 0 } }, /x has a value and no distribution/],
    [{ value: 1, distributions: { x } }, /x has a distribution and no value/],
    [{ value: 1, params: { x: 2 }, distributions: { x } }, /the value 2 of parameter x is not in/],
  ];
  for (const [options, message] of cases) assert.throws(() => createTrial(options), usage(message));
});

Deno.test("Study.optimize: nJobs trials at a time, so many in all, each with its callbacks", async () => {
  const study = await memoryStudy();
  let running = 0;
  let most = 0;
  const seen: number[] = [];
  const objective = async (trial: Trial) => {
    most = Math.max(most, ++running);
    const x = trial.suggestFloat("x", 0, 1);
    await new Promise((resolve) => setTimeout(resolve, 1));
    running--;
    return x;
  };
  await study.optimize(objective, { nTrials: 10, nJobs: 3, callbacks: [(_, { number }) => void seen.push(number)] });
  assert.deepEqual([most, study.trials.length], [3, 10]);
  assert.deepEqual(seen.toSorted((a, b) => a - b), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);

  // An error lets the trials beside it end.
  const failing = async (trial: Trial) => {
    if (trial.number === 11) throw new RangeError("broken");
    return await objective(trial);
  };
  await assert.rejects(study.optimize(failing, { nTrials: 50, nJobs: 2 }), RangeError);
  assert.deepEqual(study.trials.slice(10).map(({ state }) => state), ["COMPLETE", "FAIL"]);
  await assert.rejects(study.optimize(objective, { nTrials: 1, nJobs: 0 }), usage(/nJobs/));
});

Deno.test("Study.optimize: no trial begins once the time is over, nor after stop in one of several jobs", async () => {
  const study = await memoryStudy();
  const objective = async () => {
    await new Promise((resolve) => setTimeout(resolve, 30));
    return 1;
  };
  await study.optimize(objective, { timeout: 0.02 });
  assert.deepEqual(study.trials.map(({ state }) => state), ["COMPLETE"]);
  await study.optimize(objective, { timeout: 0 });
  await study.optimize(objective, { nJobs: 2, callbacks: [(study) => study.stop()] });
  assert.equal(study.trials.length, 3);
});
