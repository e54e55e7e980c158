/** Training on pairs that a program holds. */
import { join } from "node:path";
import type { Config } from "../config/schema.ts";
import { createConfig, type Options } from "../config/options.ts";
import { checkFolds, singleSplit } from "../dataset/folds.ts";
import { checkedPairs, type LabelledPair } from "../dataset/labelled_pairs.ts";
import { EntailError } from "../errors.ts";
import type { Metrics } from "../evaluation/metrics.ts";
import type { Gpu } from "../gpu/device.ts";
import { configuredGpu } from "./configured_gpu.ts";
import { CrossEncoder } from "./cross_encoder.ts";
import { crossValidate } from "./cross_validation.ts";
import { LOSSES } from "./losses.ts";
import type { RunRecorder } from "./recorder.ts";
import { type Reporter, silentReporter } from "./reporter.ts";
import { settingsInVain } from "./run.ts";
import { type RunSplit, splitPairs } from "./run_data.ts";
import { foldFolder } from "./run_folder.ts";
import { openScorer } from "./scorer.ts";
import type { Summary } from "./summary.ts";

/** Settings of `train`: those of `Options`, but for where pairs come from and for studies. */
export type TrainOptions = Omit<Options, "hpo" | "data" | "gpu"> & {
  /** Lengths of pairs, and files beside them: evidence for augmentation, scores of a teacher. */
  data?: Omit<NonNullable<Options["data"]>, "groundtruthCsv" | "criteriaJson" | "sampleSize" | "sampleSeed">;
  /**
   * What the model is judged on: a share of the posts (0.2; at most 0.5), pairs of its own, or "kfold": every fold of
   * `kfold.nSplits` in turn, by a model that is trained on the others.
   */
  validation?: number | readonly LabelledPair[] | "kfold";
  /** A device to share, or the settings of the one to open, which the model then has. */
  gpu?: Gpu | Options["gpu"];
  /** Told of progress; by default nobody is. */
  reporter?: Reporter;
  /** Takes the run down: a recorder, or what opens one, as `openTrainingTracker` does for MLflow. */
  recorder?: RunRecorder | ((config: Config, reporter: Reporter) => Promise<RunRecorder | undefined>);
  /** Ends the training after the step at hand, so that the same call goes on where it stopped. */
  signal?: AbortSignal;
};

/** What `train` returns. */
export interface Trained {
  /** Of the fold whose best epoch has the highest F1. */
  model: CrossEncoder;
  /** Over all validation pairs. */
  metrics: Metrics;
  /** Per fold and per criterion, with intervals; what summary.json holds. */
  summary: Summary;
  /** The folders of the folds' best checkpoints; empty without an `outputDir`. */
  checkpoints: string[];
}

/**
 * Trains a cross-encoder on labelled pairs. With `outputDir` everything is kept there as `entail train` keeps it, and the same
 * call goes on where it stopped; without one nothing is kept but the model. No text of a post is written.
 *
 * Throws `EntailError`: "usage" for options, "data" for pairs and models, "adapter" and "memory" for the device,
 * "interrupted" when the signal aborts.
 *
 * @example
 * const { model, metrics } = await train(pairs, { model: "microsoft/deberta-v3-base", training: { numEpochs: 3 } });
 * console.log(metrics.f1, await model.predict([["I barely sleep.", "Sleep problems."]]));
 * await model.savePretrained("my-model");
 */
export async function train(pairs: readonly LabelledPair[], options: TrainOptions = {}): Promise<Trained> {
  const { validation = 0.2, gpu, reporter = silentReporter, recorder, signal, ...rest } = options;
  const shared = gpu && "device" in gpu ? gpu : undefined;
  const settings: Options = { ...rest, gpu: shared ? undefined : gpu as Options["gpu"] };
  checkOptions(settings);
  if (recorder === undefined) {
    if (settings.mlflow) throw new EntailError("usage", "mlflow: has no effect without recorder: openTrainingTracker");
    settings.mlflow = { enable: false };
  }
  const isKept = settings.outputDir !== undefined;
  const outputDir = settings.outputDir ?? await Deno.makeTempDir({ prefix: "entail-" });
  let device = shared;
  const release = () => {
    if (!shared) device?.close();
    if (!isKept) Deno.removeSync(outputDir, { recursive: true });
  };
  try {
    const { config, split, fold } = divide(pairs, validation, { ...settings, outputDir });
    for (const line of settingsInVain(config)) reporter.info(line);
    const opened = device ??= await configuredGpu(config, reporter.warn);
    const opening = typeof recorder === "function" ? recorder(config, reporter) : recorder;
    const summary = await recorded(
      await opening,
      (recorder) => crossValidate(opened, config, { split, fold, reporter, recorder, signal }),
    );
    const best = summary.folds.reduce((a, b) => b.metrics.f1 > a.metrics.f1 ? b : a);
    const checkpointOf = (fold: number) => join(foldFolder(config.checkpoint_dir, fold), "best");
    const scorer = await openScorer(opened, checkpointOf(best.fold), {
      batchSize: config.training.eval_batch_size,
      precision: config.training.optimization.precision,
    });
    return {
      model: new CrossEncoder(scorer, release),
      metrics: summary.overall,
      summary,
      checkpoints: isKept ? summary.folds.map(({ fold }) => checkpointOf(fold)) : [],
    };
  } catch (error) {
    release();
    throw error;
  }
}

/** The options that other things have: pairs come from the program, and there is no study. */
const NOT_FOR_PAIRS = ["hpo", "data.groundtruthCsv", "data.criteriaJson", "data.sampleSize", "data.sampleSeed"];

function checkOptions({ data = {}, ...settings }: Options): void {
  const given = [...Object.keys(settings), ...Object.keys(data).map((key) => `data.${key}`)];
  const foreign = given.find((key) => NOT_FOR_PAIRS.includes(key));
  if (foreign !== undefined) {
    throw new EntailError("usage", `${foreign}: is no option of train, which is given its pairs`);
  }
}

/** The configuration of the run, its folds, and the one to train; undefined: all. */
function divide(
  given: readonly LabelledPair[],
  validation: NonNullable<TrainOptions["validation"]>,
  options: Options,
): { config: Config; split: RunSplit; fold?: number } {
  const { pairs, digest } = checkedPairs([...given, ...(Array.isArray(validation) ? validation : [])]);
  const nSplits = typeof validation === "number" ? splitsFor(validation) : validation === "kfold" ? undefined : 2;
  const place = "pairs of a program";
  const config = createConfig({
    ...options,
    data: { ...options.data, groundtruthCsv: place, criteriaJson: place },
    kfold: nSplits === undefined ? options.kfold : { ...options.kfold, nSplits },
  });
  const { teaching } = LOSSES[config.model.loss_type];
  if (teaching && config.data.teacher_scores === null) {
    throw new EntailError("usage", `model.lossType=${config.model.loss_type}: name a file in data.teacherScores`);
  }
  if (nSplits === undefined) return { config, split: { ...splitPairs(pairs, config), digest } };
  if (typeof validation === "number") {
    const split = splitPairs(pairs, config);
    return { config, split: { ...split, digest }, fold: singleSplit(split.folds, nSplits, validation) };
  }
  const folds = pairs.map((_, index) => index < given.length ? 1 : 0);
  checkFolds(folds, pairs.map(({ label }) => label), nSplits);
  const trained = new Set(pairs.slice(0, given.length).map(({ postId }) => postId));
  const shared = pairs.slice(given.length).find(({ postId }) => config.kfold.group_by_post && trained.has(postId));
  if (shared) {
    throw new EntailError(
      "data",
      `validation: ${shared.postId} is among the training pairs too; take it out, or set kfold.groupByPost to false`,
    );
  }
  return { config, split: { pairs, folds, nSplits, digest }, fold: 0 };
}

function splitsFor(share: number): number {
  if (share > 0 && share <= 0.5) return Math.round(1 / share);
  throw new EntailError("usage", `validation: a share must be above 0 and at most 0.5, not ${share}`);
}

/** Runs a training that a recorder is told of to its end, however that comes. */
async function recorded(
  recorder: RunRecorder | undefined,
  training: (recorder?: RunRecorder) => Promise<Summary>,
): Promise<Summary> {
  try {
    return await training(recorder);
  } catch (error) {
    recorder?.failed?.(error);
    throw error;
  } finally {
    await recorder?.close?.();
  }
}
