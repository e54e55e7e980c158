/** Searches with an objective of one's own, over pairs of the groundtruth's form: search.ts MODEL GROUNDTRUTH CRITERIA */
import { createStudy, loadGroundtruth, openGpu, TPESampler, train } from "../../mod.ts";

const [model, groundtruthCsv, criteriaJson] = Deno.args;
const pairs = await loadGroundtruth({ groundtruthCsv, criteriaJson, sampleSize: 60 });
const gpu = await openGpu(); // kernels are compiled once for all trials

const study = await createStudy({
  studyName: "mine",
  storage: "sqlite:///study.db", // Optuna reads and continues it
  direction: "minimize",
  sampler: new TPESampler({ seed: 1 }),
  loadIfExists: true,
});
await study.enqueueTrial({ learningRate: 1e-3 }, { skipIfExists: true });
await study.optimize(async (trial) => {
  const learningRate = trial.suggestFloat("learningRate", 1e-5, 1e-2, { log: true });
  const batchSize = trial.suggestCategorical("batchSize", [8, 16]);
  const trained = await train(pairs, {
    gpu,
    model: { modelName: model, lossType: "ce" },
    data: { maxLength: 64 },
    training: { learningRate, batchSize, maxSteps: 4 },
  });
  trained.model.close();
  await trial.setUserAttr("f1", trained.metrics.f1);
  return trained.summary.folds[0].loss;
}, { nTrials: 2, callbacks: [(study, { number }) => console.log(`trial ${number}, best ${study.bestValue}`)] });

console.table((await study.trialRows()).map(({ number, value, state, params_learningRate }) => {
  return { number, value, state, params_learningRate };
}));
await study.close();
gpu.close();
