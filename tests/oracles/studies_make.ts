/** Makes the database that tests/oracles/studies_check.py examines: studies_make.ts FILE [URL] [--continue] */

import { HyperbandPruner } from "../../src/studies/hyperband_pruner.ts";
import { paramImportances } from "../../src/studies/importance.ts";
import { createStudy } from "../../src/studies/study.ts";
import { TPESampler } from "../../src/studies/tpe.ts";
import { type Trial, TrialPruned } from "../../src/studies/trial.ts";
import { curve, runSpace } from "../studies/functions.ts";

async function objective(trial: Trial): Promise<number> {
  const value = runSpace(trial);
  await trial.setUserAttr("note", { "é": [1, 0.5, null], number: trial.number });
  for (let step = 1; step <= 9; step++) {
    await trial.report(trial.number === 3 ? Infinity : curve(value, trial.number, step), step);
    if (await trial.shouldPrune()) throw new TrialPruned();
  }
  return trial.number === 9 ? NaN : value;
}

const [path, url = `sqlite:///${path}`] = Deno.args.filter((each) => each !== "--continue");
const study = await createStudy({
  studyName: "made here",
  storage: url,
  loadIfExists: true,
  sampler: new TPESampler({ seed: 5 }),
  pruner: new HyperbandPruner({ minResource: 1, maxResource: 9, reductionFactor: 3 }),
});
if (Deno.args.includes("--continue")) {
  await study.optimize(objective, { nTrials: 10 });
} else {
  await study.setUserAttr("made", { by: "entail", nan: NaN });
  await study.optimize(objective, { nTrials: 40 });
  await study.tell(await study.ask(), Infinity);
  runSpace(await study.ask()); // stays RUNNING
  await study.addTrials(study.trials.slice(2, 5));
  await study.enqueueTrial({ lr: 3e-5, kind: null });
  await new Promise((resolve) => setTimeout(resolve, 10));
  const text = (value: number | null) =>
    value === null || Number.isFinite(value) ? value : `${value}`.replace("inity", "").toLowerCase();
  const trials = (await study.refresh()).map((trial) => ({
    number: trial.number,
    state: trial.state,
    value: text(trial.value),
    params: trial.params,
    userAttrs: trial.userAttrs,
    reports: Object.fromEntries([...trial.intermediateValues].map(([step, value]) => [step, text(value)])),
  }));
  const expected = {
    trials,
    best: study.bestTrial.number,
    importances: paramImportances(study.trials, "minimize"),
  };
  Deno.writeTextFileSync(`${path}.json`, JSON.stringify(expected));
}
await study.close();
