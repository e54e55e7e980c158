import assert from "node:assert/strict";
import { composeConfig } from "../../src/config/config.ts";
import { sampleValues } from "../../src/search/sampling.ts";
import type { ParamValue } from "../../src/studies/distributions.ts";
import { paramImportances } from "../../src/studies/importance.ts";
import { createStudy } from "../../src/studies/study.ts";
import { TPESampler } from "../../src/studies/tpe.ts";
import cases from "../fixtures/studies/conditions.json" with { type: "json" };

/** The space of tests/oracles/conditions.py; `top` waits for parameters that stand behind it. */
const SPACE = {
  loss: "{key: model.loss_type, type: categorical, choices: [ce, focal, cb_focal]}",
  gamma: "{key: model.focal_gamma, type: float, low: 1, high: 3, when: {model.loss_type: [focal, cb_focal]}}",
  top: "{key: evaluation.top_m, type: int, low: 1, high: 8, when: {agg: [LSE, top-m], loss: [ce, cb_focal]}}",
  agg: "{key: evaluation.agg_type, type: categorical, choices: [LSE, top-m, max]}",
  rate: "{key: training.warmup_ratio, type: float, low: 0, high: 1}",
};

function objective({ loss, gamma, agg, top, rate }: Record<string, ParamValue>): number {
  let value = { ce: 0.3, focal: 0.1, cb_focal: 0 }[loss as string]!;
  if (gamma !== undefined) value += 0.2 * (gamma as number - 1.7) ** 2;
  value += { LSE: 0.05, "top-m": 0, max: 0.2 }[agg as string]!;
  if (top !== undefined) value += 0.03 * Math.abs(top as number - 5);
  return value + 0.1 * (rate as number - 0.4) ** 2;
}

for (const { seed, group, params, values, importances } of cases) {
  Deno.test(`sampleValues: conditions with several values as Optuna's ifs, seed ${seed}, group ${group}`, async () => {
    const parameters = Object.entries(SPACE).map(([name, parameter]) => `${name}: ${parameter}`).join(", ");
    const config = composeConfig(["~hpo.search_space", `+hpo.search_space={${parameters}}`]);
    const study = await createStudy({ sampler: new TPESampler({ seed, group }) });
    await study.optimize((trial) => objective(sampleValues(trial, config)), { nTrials: params.length });
    study.trials.forEach((trial, i) => {
      assert.deepEqual(Object.keys(trial.params), Object.keys(params[i]), `trial ${i}`);
      for (const [name, value] of Object.entries<ParamValue>(params[i] as Record<string, ParamValue>)) {
        if (typeof value !== "number") assert.equal(trial.params[name], value, `${name} of trial ${i}`);
        else assert.ok(Math.abs(trial.params[name] as number - value) < 1e-9, `${name} of trial ${i}`);
      }
      assert.ok(Math.abs(trial.value! - values[i]) < 1e-9, `value of trial ${i}`);
    });
    for (const [name, share] of Object.entries(paramImportances(study.trials, "minimize"))) {
      assert.ok(
        Math.abs(share - importances[name as keyof typeof importances]) < 1e-9,
        `importance of ${name}: ${share}`,
      );
    }
  });
}
