/** K-fold training: the folds one after another, their files, and a summary over all of them. */
import { stringify } from "csv-stringify/sync";
import { join } from "node:path";
import { differences, loadConfigFile, printConfig } from "../config/config.ts";
import type { Config } from "../config/schema.ts";
import { EntailError } from "../errors.ts";
import { makeFolder, writeFileAtomic } from "../formats/atomic_write.ts";
import type { Gpu } from "../gpu/device.ts";
import { createAugmenter } from "./augmentation.ts";
import { type FoldResult, trainFold } from "./fold.ts";
import { evaluateBinary, meanStd, type Metrics, perCriterion } from "./metrics.ts";
import { openModelSource } from "./model_source.ts";
import { type Prediction, readPredictions } from "./predictions.ts";
import type { RunRecorder } from "./recorder.ts";
import type { Reporter } from "./reporter.ts";
import { openFittingSession } from "./physical_batch.ts";
import { checkAvailable, foldSettings, loadRunData } from "./run.ts";
import type { Session } from "./session.ts";

/** The metrics that are averaged over folds. */
export const SUMMARY_METRICS = ["f1", "precision", "recall", "accuracy", "auc"] as const;

export interface FoldSummary {
  fold: number;
  best_epoch: number;
  loss: number;
  metrics: Metrics;
}

export interface Summary {
  folds: FoldSummary[];
  /** Over folds. The standard deviation is the population's (NumPy's default). */
  mean: Record<typeof SUMMARY_METRICS[number], number>;
  std: Record<typeof SUMMARY_METRICS[number], number>;
  /** Over the validation pairs of all folds together. */
  overall: Metrics;
  per_criterion: Record<string, Metrics>;
}

/** What may differ between the sittings of a run without changing its bits. */
const MAY_DIFFER = /^(resume$|mlflow\.|gpu\.|hpo\.|training\.num_workers$|training\.eval_batch_size$)/;

export const foldFolder = (root: string, fold: number): string => join(root, `fold_${fold}`);

/** Trains all folds, or the one given, and writes the run's files. */
export async function crossValidate(
  gpu: Gpu,
  config: Config,
  { fold: only, reporter, recorder, signal }: {
    fold?: number;
    reporter: Reporter;
    recorder?: RunRecorder;
    signal?: AbortSignal;
  },
): Promise<Summary> {
  checkAvailable(config);
  const nSplits = config.kfold.n_splits;
  if (only !== undefined && only >= nSplits) {
    throw new EntailError("usage", `--fold ${only}: there are ${nSplits} folds, 0 to ${nSplits - 1}`);
  }
  const model = await openModelSource(config);
  const augmenter = createAugmenter(reporter);
  let session: Session | undefined;
  try {
    const loaded = await loadRunData(config, model, reporter);
    const augmentation = await augmenter.prepare(config, { model, data: loaded, gpu, signal });
    const data = { ...loaded, evidence: augmentation?.evidence };
    await prepareFolder(config, only);
    await writeFolds(config, data.pairs, data.folds);
    recorder?.runStarted();

    const opened = await openFittingSession(gpu, config, model.config, data);
    const { config: fitted } = opened;
    const { parameters } = session = opened.session;
    const indices = data.pairs.map((_, index) => index);
    const selected = only === undefined ? Array.from({ length: nSplits }, (_, fold) => fold) : [only];
    const results: { fold: number; result: FoldResult }[] = [];
    for (const fold of selected) {
      const train = indices.filter((index) => data.folds[index] !== fold);
      const settings = foldSettings(fitted, model.config, train.map((index) => data.pairs[index].label));
      const result = await trainFold({
        session,
        settings,
        fold,
        pairs: data.pairs,
        tokens: data.tokens,
        train,
        validation: indices.filter((index) => data.folds[index] === fold),
        augment: augmentation?.ofFold(train),
        initialise: () => model.initialise(parameters),
        tokenizerFolder: model.tokenizerFolder,
        outputFolder: foldFolder(config.output_dir, fold),
        checkpointFolder: foldFolder(config.checkpoint_dir, fold),
        resume: config.resume,
        reporter,
        recorder,
        signal,
      });
      recorder?.foldEnded(fold, result);
      results.push({ fold, result });
    }
    const summary = await summarise(config, results);
    await writeFileAtomic(join(config.output_dir, "summary.json"), JSON.stringify(summary, null, 2) + "\n");
    recorder?.runEnded(summary);
    return summary;
  } finally {
    session?.release();
    augmenter.close();
  }
}

/** Checks that a resumed run is the one that was begun; otherwise clears away what an earlier run has left. */
async function prepareFolder(config: Config, only: number | undefined): Promise<void> {
  const file = join(config.output_dir, "config.yaml");
  await makeFolder(config.output_dir);
  await makeFolder(config.checkpoint_dir);
  if (config.resume) {
    const before = await Deno.stat(file).then(() => loadConfigFile(file), () => null);
    const changed = before ? differences(before, config).filter((key) => !MAY_DIFFER.test(key)) : [];
    if (changed.length > 0) {
      throw new EntailError(
        "usage",
        `${
          changed.join(", ")
        }: differs from the run in ${config.output_dir}; resume with the same values, or choose another output_dir`,
      );
    }
  } else {
    const folds = only === undefined ? Array.from({ length: config.kfold.n_splits }, (_, fold) => fold) : [only];
    for (const root of [config.output_dir, config.checkpoint_dir]) {
      for (const fold of folds) await removeFolder(foldFolder(root, fold));
    }
  }
  await writeFileAtomic(file, printConfig(config));
}

async function removeFolder(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function writeFolds(
  config: Config,
  pairs: readonly { postId: string; criterionId: string }[],
  folds: readonly number[],
): Promise<void> {
  const rows = pairs.map(({ postId, criterionId }, index) => [postId, criterionId, folds[index]]);
  await writeFileAtomic(
    join(config.output_dir, "folds.csv"),
    stringify([["post_id", "criterion_id", "fold"], ...rows]),
  );
}

async function summarise(config: Config, results: { fold: number; result: FoldResult }[]): Promise<Summary> {
  const predictions: Prediction[] = [];
  for (const { fold } of results) {
    predictions.push(...await readPredictions(join(foldFolder(config.output_dir, fold), "predictions.csv")));
  }
  const folds = results.map(({ fold, result }) => ({
    fold,
    best_epoch: result.best!.epoch,
    loss: result.best!.loss,
    metrics: result.best!.metrics,
  }));
  return { folds, ...summariseFolds(folds, predictions, config.model.positive_threshold) };
}

/** Mean, deviation, overall and per-criterion metrics of folds and their validation predictions. */
export function summariseFolds(
  folds: readonly { metrics: Metrics }[],
  predictions: readonly Prediction[],
  threshold: number,
): Omit<Summary, "folds"> {
  const spread = SUMMARY_METRICS.map((name) => {
    return [name, meanStd(folds.map(({ metrics }) => metrics[name]))] as const;
  });
  const labels = predictions.map(({ label }) => label);
  const probabilities = predictions.map(({ probability }) => probability);
  const criteria = perCriterion(predictions.map(({ criterionId }) => criterionId), labels, probabilities, threshold);
  return {
    mean: Object.fromEntries(spread.map(([name, { mean }]) => [name, mean])) as Summary["mean"],
    std: Object.fromEntries(spread.map(([name, { std }]) => [name, std])) as Summary["std"],
    overall: evaluateBinary(labels, probabilities, threshold),
    per_criterion: Object.fromEntries([...criteria].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}
