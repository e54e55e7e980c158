/** Evaluating the best checkpoints of a training run again, each on the fold that it was not trained on. */
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { loadGroundtruth } from "../dataset/groundtruth.ts";
import { checkWeights, loadWeights, readModelConfig, requireModelFolder } from "../deberta/checkpoint.ts";
import { EntailError } from "../errors.ts";
import { readCsv } from "../formats/csv.ts";
import type { Gpu } from "../gpu/device.ts";
import { foldFolder, type FoldSummary, summariseFolds, type Summary } from "./cross_validation.ts";
import { evaluatePairs } from "./evaluate.ts";
import type { Prediction } from "./predictions.ts";
import type { Reporter } from "./reporter.ts";
import { lossWeights, scoringCapacity, tokenizeFor } from "./run.ts";
import { openSession } from "./session.ts";
import { readState } from "./state.ts";

/** Metrics of every fold's best checkpoint, or of the one given; the folds are those that the run recorded. */
export async function evaluateRun(
  gpu: Gpu,
  config: Config,
  { fold: only, reporter }: { fold?: number; reporter: Reporter },
): Promise<Summary> {
  const { data, kfold, model, training } = config;
  if (only !== undefined && only >= kfold.n_splits) {
    throw new EntailError("usage", `--fold ${only}: there are ${kfold.n_splits} folds, 0 to ${kfold.n_splits - 1}`);
  }
  const pairs = await loadGroundtruth({
    groundtruthCsv: data.groundtruth_csv,
    criteriaJson: data.criteria_json,
    sampleSize: data.sample_size,
    sampleSeed: data.sample_seed,
  });
  const folds = await recordedFolds(join(config.output_dir, "folds.csv"), pairs, data.groundtruth_csv);
  const selected = only === undefined ? Array.from({ length: kfold.n_splits }, (_, fold) => fold) : [only];

  const summaries: FoldSummary[] = [];
  const predictions: Prediction[] = [];
  for (const fold of selected) {
    const checkpointFolder = foldFolder(config.checkpoint_dir, fold);
    const state = await readState(checkpointFolder);
    const folder = await bestFolder(checkpointFolder);
    const modelConfig = await readModelConfig(folder);
    await checkWeights(modelConfig, folder, { trained: true });
    const validation = pairs.flatMap((_, index) => folds[index] === fold ? [index] : []);
    const members = validation.map((index) => pairs[index]);
    const tokens = await tokenizeFor({ config: modelConfig, tokenizerFolder: folder }, members, {
      maxLength: data.max_length,
      numWorkers: training.num_workers,
    });
    const inference = scoringCapacity(gpu, modelConfig, tokens, training.eval_batch_size);
    const session = await openSession(gpu, modelConfig, { inference });
    try {
      await loadWeights(session.parameters, modelConfig, folder);
      const trainLabels = pairs.flatMap(({ label }, index) => folds[index] === fold ? [] : [label]);
      const { loss, metrics, probabilities } = await evaluatePairs(session, {
        tokens,
        labels: members.map(({ label }) => label),
        indices: members.map((_, index) => index),
        threshold: model.positive_threshold,
        lossKind: model.loss_type,
        weights: lossWeights(model, trainLabels),
      });
      summaries.push({ fold, best_epoch: state?.best?.epoch ?? 0, loss, metrics });
      members.forEach(({ criterionId, label }, i) =>
        predictions.push({ criterionId, label, probability: probabilities[i] })
      );
    } finally {
      session.release();
    }
    reporter.progress("evaluating folds", summaries.length, selected.length);
  }
  return { folds: summaries, ...summariseFolds(summaries, predictions, model.positive_threshold) };
}

/** The best checkpoint of a fold. Data error where the fold has not been trained. */
async function bestFolder(checkpointFolder: string): Promise<string> {
  const folder = join(checkpointFolder, "best");
  try {
    return await requireModelFolder(folder);
  } catch {
    throw new EntailError(
      "data",
      `${folder}: no checkpoint; train this fold first, or set output_dir to that of the run`,
    );
  }
}

/** The fold of each pair as the run wrote it. Data error for a pair that the run did not have. */
async function recordedFolds(
  path: string,
  pairs: readonly { postId: string; criterionId: string }[],
  groundtruth: string,
): Promise<number[]> {
  const { rows } = await readCsv(path, ["post_id", "criterion_id", "fold"]);
  const key = (postId: string, criterionId: string) => JSON.stringify([postId, criterionId]);
  const folds = new Map(rows.map(({ values }) => [key(values.post_id, values.criterion_id), Number(values.fold)]));
  return pairs.map(({ postId, criterionId }) => {
    const fold = folds.get(key(postId, criterionId));
    if (fold === undefined) {
      throw new EntailError(
        "data",
        `${path}: post ${postId}, criterion ${criterionId} of ${groundtruth} is not in it: the run had other data`,
      );
    }
    return fold;
  });
}
