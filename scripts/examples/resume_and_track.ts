/** Folds in a folder, recorded for MLflow; after Ctrl-C the same call goes on: resume_and_track.ts MODEL GROUNDTRUTH CRITERIA */
import { EntailError, loadGroundtruth, openTrainingTracker, silentReporter, train, writeRunReport } from "../../mod.ts";

const [model, groundtruthCsv, criteriaJson] = Deno.args;
const controller = new AbortController();
Deno.addSignalListener("SIGINT", () => controller.abort());
try {
  const { metrics, summary, ...trained } = await train(
    await loadGroundtruth({ groundtruthCsv, criteriaJson, sampleSize: 60 }),
    {
      outputDir: "run",
      model: { modelName: model, lossType: "ce" },
      data: { maxLength: 64 },
      training: { learningRate: 1e-3, maxSteps: 4 },
      validation: "kfold",
      kfold: { nSplits: 2 },
      mlflow: { trackingUri: "file:mlflow-store", experimentName: "mine" },
      recorder: openTrainingTracker,
      reporter: {
        ...silentReporter,
        info: console.error,
        epoch: ({ fold, f1 }) => console.log(`fold ${fold}: F1 ${f1}`),
      },
      signal: controller.signal,
    },
  );
  trained.model.close();
  console.log(`F1 ${metrics.f1.toFixed(3)}, 95 % in`, summary.intervals.overall.f1);
  console.log("see", await writeRunReport("run"));
} catch (error) {
  if (!(error instanceof EntailError && error.kind === "interrupted")) throw error;
  console.error(error.message);
  Deno.exit(130);
}
Deno.exit(0); // the listener would keep the program waiting
