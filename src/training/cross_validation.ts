/** K-fold training: the folds one after another, their files, and a summary over all of them. */
import { join } from "node:path";
import { type Config, setByPath } from "../config/config.ts";
import type { ModelConfig } from "../models/model_config.ts";
import { EntailError } from "../errors.ts";
import { fitDecision } from "../evaluation/decision.ts";
import { writeFileAtomic } from "../formats/atomic_write.ts";
import type { Gpu } from "../gpu/device.ts";
import { checkAugmentationKeys, createAugmenter } from "./augmentation.ts";
import { addChosenKernels, chosenKernels } from "./chosen_kernels.ts";
import { describeRunInCard } from "./describe_run.ts";
import { describeEpochs, trainFold } from "./fold.ts";
import { teacherTargets } from "./losses.ts";
import { type LiveStatusWriter, writeLiveStatus } from "./live_status.ts";
import { type ModelSource, openModelSource } from "./model_source.ts";
import { writePairLengths } from "./pair_lengths.ts";
import { openFittingSession } from "./physical_batch.ts";
import { choosePrecision, computingIn, describePrecision } from "./precision.ts";
import { decisionSettings } from "./decisions.ts";
import { readPredictions } from "./predictions.ts";
import type { RunRecorder } from "./recorder.ts";
import { type Reporter, silentReporter } from "./reporter.ts";
import { createRewriter } from "./rewriting.ts";
import { foldSettings } from "./run.ts";
import { loadSplit, type RunSplit, tokenizeSplit } from "./run_data.ts";
import {
  beginRun,
  clearFolds,
  describeInFolder,
  enterRun,
  foldFolder,
  foldStates,
  LENGTHS_FILE,
  lockRun,
  SUMMARY_FILE,
} from "./run_folder.ts";
import { describeRun, markerOf, type RunRecord } from "./run_record.ts";
import type { Startup } from "./startup.ts";
import { skippedSteps, type TrainerState } from "./state.ts";
import { type FoldFacts, type RunPrediction, summarise, type Summary } from "./summary.ts";
import { loadTeacher } from "./teacher.ts";
import { tunerOf } from "./tune_session.ts";

/** How `crossValidate` trains. */
export interface CrossValidateOptions {
  /** Train this fold only; those that were trained before stay as they are. */
  fold?: number;
  /** Pairs and folds instead of those that `data` and `kfold` make. */
  split?: RunSplit;
  /** Told of progress; by default nobody is. */
  reporter?: Reporter;
  /** Takes the run down. */
  recorder?: RunRecorder;
  /** Ends the training after the step at hand, saved. */
  signal?: AbortSignal;
  /**
   * Told when the data are there, and the kernels.
   * @internal
   */
  startup?: Pick<Startup, "ended">;
}

/**
 * Trains all folds, or the one given, and writes the run's files. A run that is there already goes on where it stopped;
 * a finished one is left as it is. Usage error where the folder holds another run. The summary is over all folds that
 * are trained by then.
 */
export async function crossValidate(gpu: Gpu, config: Config, options: CrossValidateOptions = {}): Promise<Summary> {
  const { fold, reporter = silentReporter } = options;
  checkAugmentationKeys(config);
  const { n_splits: nSplits } = config.kfold;
  if (fold !== undefined && fold >= nSplits) {
    throw new EntailError("usage", `--fold ${fold}: there are ${nSplits} folds, 0 to ${nSplits - 1}`);
  }
  reporter.working("loading the model");
  const model = await openModelSource(config, options);
  reporter.working("reading the data");
  const split = options.split ?? await loadSplit(config);
  const teacher = await loadTeacher(config, split.pairs);
  const described = await describeRun(config, model, split, { gpu, reporter });
  const unlock = await lockRun(config);
  try {
    const selected = fold === undefined ? Array.from({ length: nSplits }, (_, k) => k) : [fold];
    const plan = await planRun(config, described, selected, fold);
    if (plan.kind === "finished") {
      reporter.info(`${config.output_dir}: finished already; overwrite=true trains it anew`);
      return await summaryOf(config, plan.states);
    }
    if (plan.kind === "continue") reporter.info(continuation(config, plan.states));
    else if (model.newHead) reporter.info(model.newHead);
    if (plan.notice) reporter.info(plan.notice);
    reporter.info(precisionOfRun(gpu, config, model.config, plan));
    await trainFolds(gpu, config, { ...options, reporter, model, split, teacher, plan, selected });
    const summary = await summaryOf(config, await foldStates(config));
    await writeFileAtomic(join(config.output_dir, SUMMARY_FILE), JSON.stringify(summary, null, 2) + "\n");
    options.recorder?.runEnded(summary);
    return summary;
  } finally {
    unlock();
  }
}

/** What is to be done in the run's folder. `clear` are folds of this run to be trained anew. */
type RunPlan =
  | { kind: "begin"; record: RunRecord; notice: null }
  | {
    kind: "continue";
    record: RunRecord;
    states: (TrainerState | null)[];
    clear: readonly number[];
    notice: string | null;
  }
  | { kind: "finished"; states: (TrainerState | null)[] };

type BegunRun = Exclude<RunPlan, { kind: "finished" }>;

async function planRun(
  config: Config,
  described: RunRecord,
  selected: readonly number[],
  fold: number | undefined,
): Promise<RunPlan> {
  const { output_dir, overwrite } = config;
  const entry = await enterRun(config, described, fold);
  if (entry.kind === "new" || (overwrite && fold === undefined)) {
    return { kind: "begin", record: described, notice: null };
  }
  const { record, notice } = entry;
  const states = await foldStates(config, overwrite ? selected : []);
  if (overwrite) return { kind: "continue", record, states, clear: selected, notice };
  const isWritten = await exists(join(output_dir, SUMMARY_FILE));
  if (isWritten && selected.every((k) => states[k]?.finished)) return { kind: "finished", states };
  if (config.resume === false) {
    for (const k of selected) {
      if (states[k] === null && !await exists(foldFolder(output_dir, k))) continue;
      throw new EntailError(
        "usage",
        `resume=false: ${output_dir} holds this run, unfinished; leave resume out to continue it, or add overwrite=true ` +
          "to start anew",
      );
    }
  }
  return { kind: "continue", record, states, clear: [], notice };
}

const exists = (path: string): Promise<boolean> => Deno.stat(path).then(() => true, () => false);

const isFinished = (plan: BegunRun, fold: number): boolean =>
  plan.kind === "continue" && (plan.states[fold]?.finished ?? false);
const RECOMPUTING =
  "training.recompute=auto: activations are computed again in the backward, since the device has no memory for them";

const PRECISION = "training.optimization.precision";

/** A run that goes on keeps its precision, whatever `auto` would choose on the adapter that it has now. */
function precisionOfRun(gpu: Gpu, config: Config, model: ModelConfig, { kind, record }: BegunRun): string {
  const { precision: asked } = config.training.optimization;
  const isKept = kind === "continue" && record.precision !== choosePrecision(gpu, asked);
  return isKept ? computingIn(gpu, record.precision, "as this run was begun") : describePrecision(gpu, asked, model);
}

/** How far a run that goes on has come. */
function continuation({ output_dir }: Config, states: readonly (TrainerState | null)[]): string {
  const folds = states.flatMap((state, fold) => {
    if (state === null) return [];
    return [`fold ${fold} ${state.finished ? "finished" : `at step ${state.counters.updates}`}`];
  });
  return `continuing the run in ${output_dir}${folds.length === 0 ? "" : `: ${folds.join(", ")}`}`;
}

async function trainFolds(
  gpu: Gpu,
  config: Config,
  { model, split, teacher, plan, selected, reporter, recorder, signal, startup }: CrossValidateOptions & {
    reporter: Reporter;
    model: ModelSource;
    split: RunSplit;
    teacher: Float64Array | null;
    plan: BegunRun;
    selected: readonly number[];
  },
): Promise<void> {
  const rewriter = createRewriter();
  const held: { release(): void }[] = [];
  let live: LiveStatusWriter | undefined;
  try {
    const tokenized = await tokenizeSplit(config, split, model, reporter);
    const augmentation = await createAugmenter(reporter).prepare(config, { data: tokenized, gpu, signal });
    const data = { ...tokenized, evidence: augmentation?.evidence };
    const { pairs, tokens, folds, truncation } = data;
    startup?.ended("data");
    reporter.working("compiling kernels");
    const known = plan.kind === "continue" ? await chosenKernels(config.output_dir, gpu) : undefined;
    const asked = setByPath(config, PRECISION, plan.record.precision);
    const { session, tokenBudget } = await openFittingSession(gpu, asked, model.config, data, {
      known: plan.record.token_budget,
      tuned: tunerOf(config, { known, reporter, signal }),
    });
    held.push(session);
    startup?.ended("kernels");
    if (session.recompute && config.training.recompute === "auto") reporter.info(RECOMPUTING);

    const record = { ...plan.record, token_budget: tokenBudget, truncation, directory: Deno.cwd() };
    if (plan.kind === "begin") await beginRun(config, record, split);
    else {
      await clearFolds(config, plan.clear);
      await describeInFolder(config, record, split);
    }
    await writePairLengths(join(config.output_dir, LENGTHS_FILE), pairs, tokens);
    await addChosenKernels(config.output_dir, gpu, session.choices);
    recorder?.runStarted({ continued: plan.kind === "continue", content: record.content });
    live = writeLiveStatus(config.output_dir, { gpu, folds: selected, bytes: session.bytes, reporter });
    const indices = pairs.map((_, index) => index);
    for (const [at, fold] of selected.entries()) {
      reporter.working(`fold ${fold}: loading the weights`);
      const train = indices.filter((index) => folds[index] !== fold);
      const trainLabels = train.map((index) => pairs[index].label);
      const settings = foldSettings(config, model.config, trainLabels, tokenBudget);
      const epochs = describeEpochs(fold, trainLabels, settings);
      if (epochs !== null) reporter.info(epochs);
      const result = await trainFold({
        session,
        settings,
        fold,
        pairs,
        tokens,
        train,
        validation: indices.filter((index) => folds[index] === fold),
        rewrite: rewriter.ofFold(train, { config, model, data, augmentation }),
        teacher: teacher && teacherTargets(config.model, teacher),
        initialise: () => model.initialise(session.parameters),
        tokenizerFolder: model.tokenizerFolder,
        outputFolder: foldFolder(config.output_dir, fold),
        checkpointFolder: foldFolder(config.checkpoint_dir, fold),
        marker: markerOf(record, fold),
        reporter: live.reporter,
        foldsLeft: selected.slice(at + 1).filter((later) => !isFinished(plan, later)).length,
        recorder,
        signal,
      });
      if (result.best) await describeRunInCard(config, record, fold, result.best);
      recorder?.foldEnded(fold, result);
    }
  } finally {
    await live?.close();
    held.forEach((resource) => resource.release());
    rewriter.close();
  }
}

/** The summary over the folds that are trained to their end. */
async function summaryOf(config: Config, states: readonly (TrainerState | null)[]): Promise<Summary> {
  const settings = decisionSettings(config);
  const predictions: RunPrediction[] = [];
  const folds: FoldFacts[] = [];
  for (const [fold, state] of states.entries()) {
    if (!state?.finished) continue;
    const { epoch, loss, chosen } = state.best!;
    const decision = chosen?.decision ?? fitDecision([], settings);
    folds.push({ fold, best_epoch: epoch, skipped_steps: skippedSteps(state), loss, decision });
    const rows = await readPredictions(join(foldFolder(config.output_dir, fold), "predictions.csv"));
    predictions.push(...rows.map((row) => ({ ...row, fold })));
  }
  return summarise(folds, predictions, { settings, seed: config.seed });
}
