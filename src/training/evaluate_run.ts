/** Evaluating the best checkpoints of a training run again, each on the fold that it was not trained on. */
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { checkWeights, loadWeights } from "../models/checkpoint.ts";
import type { Pair } from "../dataset/groundtruth.ts";
import { checkedPairs, type LabelledPair } from "../dataset/labelled_pairs.ts";
import { EntailError } from "../errors.ts";
import { filesDigest } from "../formats/digest.ts";
import type { Gpu } from "../gpu/device.ts";
import { openCheckpoint } from "./checkpoint_folder.ts";
import { chunkingOf, pairLimits } from "./chunking.ts";
import { decisionOf, decisionSettings, decisionsInVain } from "./decisions.ts";
import { evaluatePairs } from "./evaluate.ts";
import { readFolds } from "./folds_file.ts";
import { LOSSES, lossWeights } from "./losses.ts";
import { computingIn } from "./precision.ts";
import { type Reporter, silentReporter } from "./reporter.ts";
import { scoringCapacity } from "./run.ts";
import { loadPairs, tokenizeFor } from "./run_data.ts";
import { checkMarker, CONFIG_FILE, foldFolder, FOLDS_FILE, type OpenRun } from "./run_folder.ts";
import { GIVEN_PAIRS, markerOf, pathOfRun, type RunRecord, settingDifferences, tokenizerDigest } from "./run_record.ts";
import { openSession } from "./session.ts";
import { readState, skippedSteps } from "./state.ts";
import { type FoldFacts, type RunPrediction, summarise, type Summary } from "./summary.ts";
import { truncationOf, truncationText } from "./truncation.ts";

/** How a run is evaluated. */
export interface EvaluateRunOptions {
  /** This fold only. */
  fold?: number;
  /** Those of a run that a program trained on pairs of its own. */
  pairs?: readonly LabelledPair[];
  /** Told of progress; by default nobody is. */
  reporter?: Reporter;
}

/** The summary of `scoreRun`. */
export async function evaluateRun(gpu: Gpu, run: OpenRun, options: EvaluateRunOptions = {}): Promise<Summary> {
  return summariseRun(run, await scoreRun(gpu, run, options));
}

/** What a run's checkpoints say of their validation pairs. */
export interface ScoredRun {
  /** What each came to. */
  folds: FoldFacts[];
  /** Of all of them. */
  predictions: RunPrediction[];
}

/** What the scores of a run come to. */
export const summariseRun = ({ config }: OpenRun, { folds, predictions }: ScoredRun): Summary =>
  summarise(folds, predictions, { settings: decisionSettings(config), seed: config.seed });

/**
 * Scores the validation pairs of every fold, or of the one given, with the fold's best checkpoint, and decides as that
 * does. `model.positive_threshold` and `evaluation.*` may be other ones than in training: then the decision is chosen anew,
 * on the fold's own validation pairs. Data errors where the data, the criteria, the folds or a checkpoint are not those of
 * the run: no pair is ever scored with a checkpoint that was trained on it.
 */
export async function scoreRun(
  gpu: Gpu,
  { config, record }: OpenRun,
  { fold: only, pairs: given, reporter = silentReporter }: EvaluateRunOptions = {},
): Promise<ScoredRun> {
  const { kfold, training } = config;
  if (only !== undefined && only >= kfold.n_splits) {
    throw new EntailError("usage", `--fold ${only}: there are ${kfold.n_splits} folds, 0 to ${kfold.n_splits - 1}`);
  }
  const otherDecision = checkSettings(config, record).some((key) => OF_A_DECISION.test(key));
  for (const line of decisionsInVain(config)) reporter.info(line);
  const { data } = config;
  const pairs = given ? givenPairs(given, config, record) : await loadPairs({ data: await runFiles(config, record) });
  const folds = await recordedFolds(config, record, pairs);
  const selected = only === undefined ? Array.from({ length: kfold.n_splits }, (_, fold) => fold) : [only];

  // `auto` was decided when the run was begun.
  const asked = training.optimization.precision;
  const precision = asked === "auto" ? record.precision : asked;
  reporter.info(computingIn(gpu, precision, asked === "auto" ? "auto: as the run was trained" : "as asked for"));

  const scored: ScoredRun = { folds: [], predictions: [] };
  for (const fold of selected) {
    const checkpointFolder = foldFolder(config.checkpoint_dir, fold);
    const state = await readState(checkpointFolder);
    const folder = await bestFolder(checkpointFolder, record, fold);
    const { weights, config: modelConfig, tokenizerFolder } = await openCheckpoint(folder);
    await checkWeights(modelConfig, weights, { trained: true });
    const validation = pairs.flatMap((_, index) => folds[index] === fold ? [index] : []);
    const members = validation.map((index) => pairs[index]);
    const tokens = await tokenizeFor({ config: modelConfig, tokenizerFolder }, members, {
      ...pairLimits(data),
      numWorkers: training.num_workers,
    });
    const truncated = truncationText(truncationOf(tokens), pairLimits(data).maxLength);
    if (truncated !== null) reporter.warn(`fold ${fold}: ${truncated}`);
    const inference = scoringCapacity(gpu, modelConfig, tokens, training.eval_batch_size, precision);
    const session = await openSession(gpu, modelConfig, { inference, precision });
    try {
      await loadWeights(session.parameters, modelConfig, weights);
      const trainLabels = pairs.flatMap(({ label }, index) => folds[index] === fold ? [] : [label]);
      const { loss, decision, predictions } = await evaluatePairs(session, {
        tokens,
        pairs: members,
        indices: members.map((_, index) => index),
        aggregation: chunkingOf(config),
        settings: decisionSettings(config),
        decision: otherDecision ? undefined : decisionOf(modelConfig, members),
        lossKind: LOSSES[config.model.loss_type].kind,
        weights: lossWeights(config.model, trainLabels),
      });
      const skipped = state ? skippedSteps(state) : 0;
      scored.folds.push({ fold, best_epoch: state?.best?.epoch ?? 0, skipped_steps: skipped, loss, decision });
      for (const prediction of predictions) scored.predictions.push({ ...prediction, fold });
    } finally {
      session.release();
    }
    reporter.progress("evaluating folds", scored.folds.length, selected.length);
  }
  return scored;
}

/** What an evaluation may choose for itself. */
const OF_A_DECISION =
  /^(model\.positive_threshold|evaluation\.(agg_type|lse_tau|top_m|calibration|threshold_mode|threshold_global_init))$/;
const OF_A_SCORE = /^training\.optimization\.(precision|use_bf16)$/;

/** The keys that are other ones than in training. Data error for one that may not be. */
function checkSettings(config: Config, record: RunRecord): string[] {
  const differing = settingDifferences(record, config);
  const changed = differing.filter(({ key }) => !OF_A_DECISION.test(key) && !OF_A_SCORE.test(key));
  if (changed.length === 0) return differing.map(({ key }) => key);
  const { key, was, is } = changed[0];
  throw new EntailError(
    "data",
    `${join(config.output_dir, CONFIG_FILE)}: ${key} is ${JSON.stringify(is)}, but the run was trained with ` +
      `${JSON.stringify(was)}`,
  );
}

/** Pairs of a program, which must be those that the run was trained on. */
function givenPairs(given: readonly LabelledPair[], { output_dir }: Config, { content }: RunRecord): Pair[] {
  const { pairs, digest } = checkedPairs(given);
  if (content[GIVEN_PAIRS] === digest) return pairs;
  throw new EntailError("data", `${output_dir}: was trained on other pairs than those given`);
}

/** The data section of a run's configuration, its files being where they are now and what they were in training. */
async function runFiles({ data, output_dir }: Config, record: RunRecord): Promise<Config["data"]> {
  if (GIVEN_PAIRS in record.content) {
    throw new EntailError(
      "data",
      `${output_dir}: was trained by a program on pairs of its own; give them to evaluateRun`,
    );
  }
  const found = { ...data };
  for (const key of ["groundtruth_csv", "criteria_json"] as const) {
    const path = found[key] = await pathOfRun(record, data[key]);
    if (await filesDigest([path]) === record.content[`data.${key}`]) continue;
    throw new EntailError(
      "data",
      `data.${key}: ${path}: has other content than the run was trained with; bring that back, or train anew`,
    );
  }
  return found;
}

/** The fold of each pair, as the run divided them. */
async function recordedFolds(
  { output_dir }: Config,
  { content }: RunRecord,
  pairs: readonly { postId: string; criterionId: string }[],
): Promise<number[]> {
  const path = join(output_dir, FOLDS_FILE);
  if (await filesDigest([path]) !== content[FOLDS_FILE]) {
    throw new EntailError("data", `${path}: has other content than the run wrote`);
  }
  return await readFolds(path, pairs);
}

/** The best checkpoint of a fold. Data error where the fold has not been trained, or the checkpoint is not its own. */
async function bestFolder(checkpointFolder: string, record: RunRecord, fold: number): Promise<string> {
  const folder = join(checkpointFolder, "best");
  if (!await Deno.stat(folder).then((info) => info.isDirectory, () => false)) {
    throw new EntailError(
      "data",
      `${folder}: no checkpoint; train this fold first, or set output_dir to that of the run`,
    );
  }
  await checkMarker(folder, markerOf(record, fold));
  if (await tokenizerDigest(folder) !== record.content.tokenizer) {
    throw new EntailError(
      "data",
      `${join(folder, "tokenizer.json")}: is not the tokenizer that the run was trained with`,
    );
  }
  return folder;
}
