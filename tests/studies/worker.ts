/**
 * A worker process of the tests and measurements: runs trials of one study.
 *
 *     worker.ts URL STUDY N [start=EPOCH_MS] [hang=TRIAL] [total=TRIALS]
 *
 * `total` ends when the study has so many finished trials; `start` waits for a common moment; `hang` prints a line inside the N-th trial of this process and never returns from it.
 */

import { MedianPruner } from "../../src/studies/median_pruner.ts";
import { createStudy } from "../../src/studies/study.ts";

const [storage, studyName, n, ...options] = Deno.args;
const option = (name: string) => {
  const found = options.find((text) => text.startsWith(`${name}=`));
  return found === undefined ? null : Number(found.slice(name.length + 1));
};

const start = option("start");
if (start !== null) await new Promise((resolve) => setTimeout(resolve, start - Date.now()));

const study = await createStudy({
  studyName,
  storage,
  loadIfExists: true,
  pruner: new MedianPruner(),
  heartbeat: { intervalSeconds: 1, graceSeconds: 2 },
});
let done = 0;
await study.optimize(async (trial) => {
  const x = trial.suggestFloat("x", 0, 1);
  const kind = trial.suggestCategorical("kind", ["a", "b"]);
  await trial.report(x, 1);
  await trial.shouldPrune();
  if (++done === option("hang")) {
    console.log(`hanging in trial ${trial.number}`);
    await new Promise(() => setInterval(() => {}, 1000));
  }
  return x + (kind === "a" ? 1 : 0);
}, { nTrials: Number(n), totalTrials: option("total") ?? undefined });
await study.close();
