import assert from "node:assert/strict";
import { paramImportances } from "../../src/studies/importance.ts";
import { createStudy } from "../../src/studies/study.ts";
import { TPESampler } from "../../src/studies/tpe.ts";
import { FUNCTIONS } from "./functions.ts";

const cases: { function: string; seed: number; importances: Record<string, number> }[] = JSON.parse(
  Deno.readTextFileSync(new URL("../fixtures/studies/importances.json", import.meta.url)),
);

for (const { function: name, seed, importances } of cases) {
  Deno.test(`paramImportances: gives Optuna's numbers for ${name}`, async () => {
    // The same seed makes the same study as in Optuna, see suggestions_test.ts.
    const study = await createStudy({ sampler: new TPESampler({ seed }), heartbeat: null });
    await study.optimize(FUNCTIONS[name], { nTrials: 60 });
    const actual = paramImportances(study.trials, "minimize");
    assert.deepEqual(Object.keys(actual).sort(), Object.keys(importances).sort());
    for (const key in importances) {
      assert.ok(Math.abs(actual[key] - importances[key]) < 1e-9, `${key}: ${actual[key]}, not ${importances[key]}`);
    }
    const values = Object.values(actual);
    assert.deepEqual(values, [...values].sort((a, b) => b - a));
    assert.ok(Math.abs(values.reduce((a, b) => a + b) - 1) < 1e-12);
  });
}

Deno.test("paramImportances: shares are equal when there is nothing to compare", async () => {
  const study = await createStudy({ heartbeat: null });
  assert.deepEqual(paramImportances(study.trials, "minimize"), {});
  await study.optimize((trial) => trial.suggestFloat("x", 0, 1) + trial.suggestInt("n", 1, 3), { nTrials: 1 });
  assert.deepEqual(paramImportances(study.trials, "minimize"), { x: 0.5, n: 0.5 });
});
