import assert from "node:assert/strict";
import { composeConfig, printConfig } from "../../src/config/config.ts";
import { bestTrials } from "../../src/search/best_trials.ts";
import { CONFIG_ATTRIBUTE, storeConfig, storedConfig } from "../../src/search/stored_config.ts";
import { createStudy, type Study } from "../../src/studies/study.ts";
import type { Trial } from "../../src/studies/trial.ts";

const config = (...overrides: string[]) =>
  composeConfig([
    "hpo.search_space={rate: {key: training.weight_decay, type: float, low: 0, high: 0.1}}",
    ...overrides,
  ]);
const fallback = config("data.max_length=40");

async function record({ storage, studyName }: Study) {
  return (await storage.findStudy(studyName))!;
}

const rated = (values: (number | null)[]) => (trial: Trial) => {
  trial.suggestFloat("rate", 0, 0.1);
  return values[trial.number] ?? NaN;
};

Deno.test("bestTrials: ranks COMPLETE feasible trials, the earlier of equals first, in both directions", async () => {
  for (const direction of ["maximize", "minimize"] as const) {
    const study = await createStudy({ direction });
    await study.optimize(rated([3, null, 1, 3, 2, 2]), { nTrials: 6 });
    const excluded = await study.ask();
    await excluded.setConstraint("c", 1);
    await study.tell(excluded, direction === "maximize" ? 9 : -9);
    const best = (top: number) => record(study).then((found) => bestTrials(found, study.trials, top, fallback));
    const order = direction === "maximize" ? [0, 3, 4, 5, 2] : [2, 4, 5, 0, 3];
    assert.deepEqual((await best(99)).map(({ trial }) => trial.number), order);
    const [first, second, ...rest] = await best(2);
    assert.deepEqual([first.trial.number, second.trial.number, rest.length], [...order.slice(0, 2), 0]);
    assert.equal(first.trial.number, study.bestTrial.number);
    assert.equal(second.config.output_dir, `outputs/${study.studyName}_best_2`);
    assert.equal(second.config.checkpoint_dir, `outputs/${study.studyName}_best_2/checkpoints`);
  }
});

Deno.test("bestTrials: a trial's configuration is the one that it trained with, whatever the study was continued with", async () => {
  const study = await createStudy({ direction: "maximize" });
  const sitting = async (...overrides: string[]) => {
    const version = await storeConfig(study, config(...overrides));
    await study.optimize(async (trial) => {
      await trial.setUserAttr(CONFIG_ATTRIBUTE, version);
      return rated([1, 2, 3])(trial);
    }, { nTrials: 1 });
  };
  await sitting("data.max_length=64");
  await sitting(
    "data.max_length=96",
    "hpo.search_space={rate: {key: training.warmup_ratio, type: float, low: 0, high: 0.1}}",
  );
  await sitting("data.max_length=64");
  await study.optimize((trial) => trial.suggestFloat("rate", 0, 0.1), { nTrials: 1 }); // By another program.
  const found = bestTrials(await record(study), study.trials, 4, fallback);
  assert.deepEqual(found.map(({ trial }) => trial.number), [2, 1, 0, 3]);
  assert.deepEqual(found.map(({ config }) => config.data.max_length), [64, 96, 64, 64]);
  const rates = found.map(({ trial, config: { training } }) => {
    return trial.number === 1 ? training.warmup_ratio : training.weight_decay;
  });
  assert.deepEqual(rates, found.map(({ trial }) => trial.params.rate));
  const { userAttrs, systemAttrs } = await record(study);
  assert.equal(storedConfig(await record(study))?.data.max_length, 64);
  assert.equal(Object.keys(systemAttrs).length, 2);
  // What tables show is a version, no text.
  assert.deepEqual(Object.keys(userAttrs), [CONFIG_ATTRIBUTE]);
  assert.match(`${userAttrs[CONFIG_ATTRIBUTE]}`, /^[0-9a-f]{12}$/);
});

Deno.test("bestTrials: a study whose texts are user attributes, as they were first, is read, and continued as now", async () => {
  const study = await createStudy({ direction: "maximize" });
  const text = printConfig(config("data.max_length=64")).replace(
    /^ {2}storage: .*$/m,
    "  storage: postgresql://me:s3cret@db/x\n  removed_since: {a: 1}",
  );
  await study.setUserAttr(CONFIG_ATTRIBUTE, text);
  await study.setUserAttr(`${CONFIG_ATTRIBUTE}:0123456789ab`, text);
  await study.optimize(async (trial) => {
    await trial.setUserAttr(CONFIG_ATTRIBUTE, "0123456789ab");
    return rated([1])(trial);
  }, { nTrials: 1 });
  const lengthOfBest = async () => bestTrials(await record(study), study.trials, 1, fallback)[0].config.data.max_length;
  assert.equal(storedConfig(await record(study))?.data.max_length, 64);
  assert.equal(await lengthOfBest(), 64);

  await storeConfig(study, config("data.max_length=96"));
  assert.equal(storedConfig(await record(study))?.data.max_length, 96);
  assert.equal(await lengthOfBest(), 64);
  const after = await record(study);
  for (const value of Object.values(after.userAttrs)) assert.match(`${value}`, /^[0-9a-f]{12}$/);
  assert.doesNotMatch(JSON.stringify(after), /s3cret/);
});

Deno.test("bestTrials: a study of another program takes the given configuration", async () => {
  const study = await createStudy();
  await study.optimize(rated([1]), { nTrials: 1 });
  const [{ trial, config }] = bestTrials(await record(study), study.trials, 1, fallback);
  assert.deepEqual([config.data.max_length, config.training.weight_decay], [40, trial.params.rate]);
});
