/** The training of one fold: epochs of optimizer steps, an evaluation after each, the best and the last checkpoint. */
import { join } from "node:path";
import { dealByTokens, type EncodedPair, epochBatches, packBatch } from "../dataset/batches.ts";
import { groupNumbers } from "../dataset/groundtruth.ts";
import { sampledCounts } from "../dataset/negatives.ts";
import { loadMoments, loadWeights } from "../models/checkpoint.ts";
import { EntailError } from "../errors.ts";
import { makeFolder } from "../formats/atomic_write.ts";
import { type DecisionSettings, isChosen } from "../evaluation/decision.ts";
import type { LossKind } from "../nn/loss.ts";
import { carryDecision } from "./decisions.ts";
import { type EpochPlan, epochsAfter, planEpochs, stepsOf } from "./epochs.ts";
import { evaluatePairs, type Evaluation } from "./evaluate.ts";
import { chooseEpoch, countExamples, epochExamples, type EpochSource, fitsChoice, likeChunksOf } from "./examples.ts";
import { appendEntries, epochEntry, type LogEntry, stepEntry, truncateLog } from "./metrics_log.ts";
import { createPace } from "./pace.ts";
import { writePredictions } from "./predictions.ts";
import type { RunRecorder } from "./recorder.ts";
import type { Reporter } from "./reporter.ts";
import type { RewrittenEpoch } from "./rewriting.ts";
import { learningRateAt, type SchedulerType } from "./schedule.ts";
import type { Session } from "./session.ts";
import {
  type BestEpoch,
  checkCounters,
  type FoldResult,
  initialState,
  readState,
  saveBest,
  saveLast,
  skippedSteps,
  STATE_FILE,
  type TrainerState,
} from "./state.ts";
import { LOG_STEPS, type StepRecord, type StepSettings } from "./step.ts";

export type FoldSettings = EpochSource["settings"] & {
  batchSize: number;
  accumulation: number;
  /** Tokens of a micro-batch at most, which batches are dealt into; null: each batch is one. */
  tokenBudget: number | null;
  shuffle: boolean;
  learningRate: number;
  warmupRatio: number;
  scheduler: SchedulerType;
  epochs: number;
  /** Optimizer steps after which training ends, and the length of the schedule; null: `epochs` decides. */
  maxSteps: number | null;
  /** Evaluations without a better F1 after which training ends; null: never. */
  patience: number | null;
  decision: DecisionSettings;
  lossKind: LossKind;
  /** What the pairs of a micro-batch have in common that the loss compares; null: it compares none. */
  compareWithin: "postId" | "criterionId" | null;
  step: StepSettings;
};

export interface FoldInput extends EpochSource {
  session: Session;
  settings: FoldSettings;
  fold: number;
  /** Indices of pairs, in file order. */
  validation: readonly number[];
  /** The tokens of the training pairs that an epoch changes; absent: `tokens` as they are. */
  rewrite?: RewrittenEpoch;
  /** What the loss reads of a teacher, by index of the pair; null: it learns from none. */
  teacher: Float32Array | null;
  /** Uploads the parameters that training starts from. */
  initialise(): Promise<void>;
  tokenizerFolder: string;
  /** Where metrics.jsonl and predictions.csv go; null: nothing is written, as in a trial. */
  outputFolder: string | null;
  checkpointFolder: string | null;
  /** What the header of each model.safetensors says, beside its format. */
  marker?: Record<string, string>;
  reporter: Reporter;
  /** Folds of the same command that come after this one; 0 by default. */
  foldsLeft?: number;
  recorder?: Pick<RunRecorder, "foldStarted" | "logged">;
  signal?: AbortSignal;
  /** Called after each evaluation with the best epoch so far; may throw to end the training, as a pruned trial does. */
  onEvaluation?(epoch: number, best: BestEpoch): Promise<void>;
}

/** The loss or the gradient is no longer a number. */
export class Diverged extends EntailError {
  constructor(fold: number, step: number) {
    super(
      "usage",
      `training.learning_rate: the loss of fold ${fold} is no longer a number at step ${step}; lower the learning ` +
        "rate or set training.max_grad_norm",
    );
  }
}

/** Gradients that overflow fp16 even when they are scaled down this far: no scale will help. */
const LOWEST_SCALE = 2 ** -14;

/** Throws where the training cannot go on after step `first + i + 1`, whose record is the i-th. */
function checkRecords(records: readonly StepRecord[], fold: number, first: number): void {
  for (const [i, { loss, gradNorm, skipped, scale }] of records.entries()) {
    if (!skipped && !(Number.isFinite(loss) && Number.isFinite(gradNorm))) throw new Diverged(fold, first + i + 1);
    if (!skipped || scale > LOWEST_SCALE) continue;
    throw new EntailError(
      "usage",
      `training.optimization.precision: fold ${fold} overflows fp16 at step ${first + i + 1} and did so for every ` +
        "loss scale; set it to bf16 or fp32, or lower training.learning_rate",
    );
  }
}

/** Trains a fold, from its beginning or from where `last` stands. Throws "interrupted" after saving. */
export async function trainFold(input: FoldInput): Promise<FoldResult> {
  const {
    session,
    settings,
    fold,
    pairs,
    tokens,
    validation,
    outputFolder,
    checkpointFolder,
    teacher,
    reporter,
  } = input;
  const labels = pairs.map((pair) => pair.label);
  const groups = settings.compareWithin && groupNumbers(pairs, settings.compareWithin);
  const step = session.step!;
  const metricsFile = outputFolder && join(outputFolder, "metrics.jsonl");
  if (outputFolder) await makeFolder(outputFolder);

  const log = async (entries: readonly LogEntry[]) => {
    input.recorder?.logged(fold, entries);
    if (metricsFile) await appendEntries(metricsFile, entries);
  };

  const plan = planFold(input);
  const { totalSteps, batches: { length: epochs } } = plan;
  const state = await startFold(input, plan, metricsFile);
  input.recorder?.foldStarted(fold);
  const schedule = {
    type: settings.scheduler,
    learningRate: settings.learningRate,
    warmupRatio: settings.warmupRatio,
    totalSteps,
  };

  const sittingStart = performance.now();
  const secondsBefore = state.seconds;
  let epochLoss = { sum: 0, count: 0, since: performance.now(), samples: 0 };
  let logged = state.counters.updates;
  let unreported = 0;
  let skipped = skippedSteps(state);

  /** Reads the log of the steps since the last time and writes their lines. */
  const pace = createPace({
    async read() {
      const samples = unreported;
      unreported = 0;
      return { samples, records: await step.readRecords() };
    },
    async seen({ samples, records }, milliseconds) {
      const first = logged;
      await log(records.map((record, i) => stepEntry(first + i + 1, epochsAfter(plan, first + i + 1), record)));
      checkRecords(records, fold, first);
      logged += records.length;
      const losses = records.map(({ loss }) => loss).filter(Number.isFinite);
      for (const loss of losses) epochLoss.sum += loss;
      epochLoss.count += losses.length;
      epochLoss.samples += samples;
      skipped += records.filter((record) => record.skipped).length;
      reporter.training({
        fold,
        epoch: state.epoch + 1,
        epochs,
        step: logged,
        steps: totalSteps,
        loss: losses.at(-1) ?? NaN,
        skipped,
        bestF1: state.best?.metrics.f1 ?? null,
        samplesPerSecond: samples / (milliseconds / 1000),
        foldsLeft: input.foldsLeft ?? 0,
      });
    },
    most: LOG_STEPS,
  });

  const save = async (evaluation?: Evaluation) => {
    state.counters = step.counters;
    state.scaler = await step.readScaler();
    state.seconds = secondsBefore + (performance.now() - sittingStart) / 1000;
    if (!checkpointFolder) return;
    const config = evaluation && configOf(input, evaluation);
    await saveLast(session, input.tokenizerFolder, checkpointFolder, state, input.marker, config);
  };
  const stopIfAsked = async () => {
    if (!input.signal?.aborted) return;
    await pace.drain();
    await save();
    throw new EntailError("interrupted", "interrupted; the same command (without overwrite) goes on from here");
  };

  let prepared: Promise<readonly EncodedPair[]> | undefined;
  while (!state.finished) {
    const epochTokens = await (prepared ?? prepareEpoch(input, state.epoch));
    // The next epoch's, while the device works on this one.
    if (state.epoch + 1 < epochs) prepared = prepareEpoch(input, state.epoch + 1);
    epochLoss = { sum: 0, count: 0, since: performance.now(), samples: 0 };
    const examples = epochExamples(input, state.epoch, epochTokens, state);
    const sequences = examples.map(({ tokens }) => tokens);
    const lengths = sequences.map(({ ids }) => ids.length);
    const dealt = dealing(settings, lengths, groups && examples.map(({ pair }) => groups[pair]));
    const batches = epochBatches({
      lengths,
      batchSize: settings.batchSize,
      shuffle: settings.shuffle,
      seed: settings.step.seed,
      epoch: state.epoch,
    });
    for (let at = state.stepInEpoch * settings.accumulation; at < batches.length; at += settings.accumulation) {
      if (step.counters.updates >= totalSteps) break;
      const microBatches = batches.slice(at, at + settings.accumulation).flatMap(dealt).map((members) => {
        const ofPairs = <T>(values: ArrayLike<T>): T[] => members.map((member) => values[examples[member].pair]);
        return {
          batch: packBatch(sequences, members),
          labels: Uint32Array.from(ofPairs(labels)),
          groups: groups ? Uint32Array.from(ofPairs(groups)) : undefined,
          teacher: teacher ? Float32Array.from(ofPairs(teacher)) : undefined,
        };
      });
      step.step(microBatches, learningRateAt(schedule, step.counters.updates));
      unreported += microBatches.reduce((sum, micro) => sum + micro.labels.length, 0);
      state.stepInEpoch++;
      if (await pace.queued()) await stopIfAsked();
    }
    await pace.drain();
    const seconds = (performance.now() - epochLoss.since) / 1000;
    reporter.working(`fold ${fold}: evaluating`);
    const evaluation = await evaluatePairs(session, {
      tokens,
      pairs,
      indices: validation,
      aggregation: settings.aggregation,
      settings: settings.decision,
      lossKind: settings.lossKind,
      weights: settings.step.loss,
    });
    // A last epoch that `maxSteps` cut short counts as the fraction of an epoch that it is.
    const wholeEpoch = state.stepInEpoch === stepsOf(plan, state.epoch);
    const epoch = wholeEpoch ? state.epoch + 1 : epochsAfter(plan, step.counters.updates);
    await log([epochEntry(epoch, evaluation)]);
    reporter.working(`fold ${fold}: saving`);
    await noteEvaluation(input, state, epoch, evaluation);
    if (wholeEpoch) {
      state.epoch++;
      state.stepInEpoch = 0;
    }
    const isWhole = step.counters.updates >= totalSteps;
    const isStopped = !isWhole && settings.patience !== null && state.evaluationsSinceBest >= settings.patience;
    state.finished = isWhole || isStopped;
    if (!state.finished) Object.assign(state, await chooseEpoch(session, input, state.epoch));
    await save(evaluation);
    reporter.epoch({
      fold,
      epoch,
      epochs,
      loss: epochLoss.sum / epochLoss.count,
      skipped,
      evalLoss: evaluation.loss,
      f1: evaluation.metrics.f1,
      bestF1: state.best!.metrics.f1,
      bestEpoch: state.best!.epoch,
      samplesPerSecond: epochLoss.samples / seconds,
      seconds: state.seconds,
      stoppedAfter: isStopped ? settings.patience : null,
    });
    await input.onEvaluation?.(epoch, state.best!);
    if (!state.finished) await stopIfAsked();
    pace.restart();
  }
  const { best, evaluations, seconds, counters: { updates } } = state;
  return { best, evaluations, seconds, updates, skipped: skippedSteps(state) };
}

/** What people are told of a fold's epochs; null where they have every pair. */
export function describeEpochs(
  fold: number,
  trainLabels: readonly number[],
  { negatives: sampling }: Pick<FoldSettings, "negatives">,
): string | null {
  if (!sampling) return null;
  const { positives, negatives, hard } = sampledCounts(trainLabels, sampling);
  const total = positives + negatives;
  const mined = hard === 0
    ? ""
    : `, ${hard} of them from the second epoch on the hardest for the model of the epoch before`;
  return `fold ${fold}: an epoch has ${total} of ${trainLabels.length} pairs, ${positives} positives and ${negatives} ` +
    `negatives${mined}`;
}

/** The lengths of a fold's epochs, all the same unless each draws its negatives and posts have more than one chunk. */
function planFold(input: FoldInput): EpochPlan {
  const { settings, fold, pairs, tokens, train } = input;
  if (settings.negatives && !train.some((index) => pairs[index].label === 1)) {
    throw new EntailError("data", `training.neg_per_pos: fold ${fold} trains on no positive pair; set it to null`);
  }
  const batchesOf = (epoch: number) => Math.ceil(countExamples(input, epoch) / settings.batchSize);
  const first = batchesOf(0);
  const varies = settings.negatives !== null && train.some((index) => tokens[index].chunks.length > 1);
  const parts = settings.tokenBudget === null ? 1 : settings.batchSize;
  return planEpochs((epoch) => varies ? batchesOf(epoch) : first, { ...settings, parts });
}

/** How a batch is dealt into micro-batches; where the loss compares the sequences of a group, they stay together. */
function dealing(
  { tokenBudget }: FoldSettings,
  lengths: readonly number[],
  groups: readonly number[] | null,
): (members: number[]) => number[][] {
  return (members) =>
    tokenBudget === null ? [members] : dealByTokens(members, lengths, tokenBudget, groups ?? undefined);
}

/** The tokens that an epoch trains on. Not awaited at once: an error is thrown where the epoch begins. */
function prepareEpoch({ tokens, rewrite }: FoldInput, epoch: number): Promise<readonly EncodedPair[]> {
  const prepared = rewrite
    ? rewrite(epoch).then((changed) =>
      tokens.map((own, index) => changed.has(index) ? likeChunksOf(own, changed.get(index)!) : own)
    )
    : Promise.resolve(tokens);
  prepared.catch(() => {});
  return prepared;
}

/** Puts parameters, moments, counters and the log where the fold begins or where it was left. */
async function startFold(input: FoldInput, plan: EpochPlan, metricsFile: string | null): Promise<TrainerState> {
  const { session, settings, checkpointFolder } = input;
  const state = checkpointFolder ? await readState(checkpointFolder) : null;
  if (state) checkCounters(state, plan, session.precision, checkpointFolder!);
  if (state && state.epoch > 0 && !state.finished && !fitsChoice(state, input, state.epoch)) {
    throw new EntailError(
      "data",
      `${join(checkpointFolder!, "last", STATE_FILE)}: its chunks or hard negatives are not those of this training; ` +
        "train anew with overwrite=true",
    );
  }
  if (state && !state.finished) {
    const last = join(checkpointFolder!, "last");
    // Beside adapters the encoder is as it was at first.
    if (session.config.adapter) await input.initialise();
    else await loadWeights(session.parameters, session.config, last);
    await loadMoments(session.parameters, last);
  } else if (!state) {
    await input.initialise();
    session.parameters.clearMoments();
  }
  if (metricsFile) await truncateLog(metricsFile, state?.counters.updates ?? 0, state?.evaluations ?? 0);
  const start = state ?? initialState(session.precision);
  session.step!.start(settings.step, start);
  return start;
}

/** Counts an evaluation and, if its F1 is the highest so far, keeps its model and its predictions. */
async function noteEvaluation(
  input: FoldInput,
  state: TrainerState,
  epoch: number,
  evaluation: Evaluation,
): Promise<void> {
  const { session, settings, outputFolder, checkpointFolder } = input;
  state.evaluations++;
  if (state.best && evaluation.metrics.f1 <= state.best.metrics.f1) {
    state.evaluationsSinceBest++;
    return;
  }
  state.evaluationsSinceBest = 0;
  const { loss, metrics, decision, crossFittedF1, predictions } = evaluation;
  const chosen = crossFittedF1 === null ? {} : { chosen: { decision, crossFittedF1 } };
  state.best = { epoch, loss, metrics, ...chosen };
  if (checkpointFolder) {
    const config = configOf(input, evaluation);
    await saveBest(session, input.tokenizerFolder, checkpointFolder, input.marker, metrics, config);
  }
  if (outputFolder) {
    const withScores = isChosen(settings.decision);
    await writePredictions(join(outputFolder, "predictions.csv"), predictions, { withScores });
  }
}

/** The session's configuration with what was chosen for its parameters as they are. */
const configOf = ({ session, settings, pairs }: FoldInput, { decision }: Evaluation): Session["config"] =>
  isChosen(settings.decision) ? carryDecision(session.config, decision, pairs) : session.config;
