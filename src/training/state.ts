/** trainer_state.json: where a fold stands, so that it can go on from `last` with the same bits. */
import { join } from "node:path";
import { z } from "../packages/zod.ts";
import { saveModel, saveMoments } from "../models/checkpoint.ts";
import { EntailError } from "../errors.ts";
import { recoverFolder, replaceFolder } from "../formats/atomic_folder.ts";
import { writeFileAtomic } from "../formats/atomic_write.ts";
import { readJson } from "../formats/json.ts";
import type { Precision } from "../nn/plan.ts";
import { initialScaler, type ScalerState } from "../nn/scaler.ts";
import type { Decision } from "../evaluation/decision.ts";
import type { Metrics } from "../evaluation/metrics.ts";
import type { EpochPlan } from "./epochs.ts";
import type { EpochChoice } from "./examples.ts";
import type { Session } from "./session.ts";
import type { StepCounters } from "./step.ts";

/** Its choice is for the epoch that is next or under way. */
export interface TrainerState extends EpochChoice {
  version: 2;
  counters: StepCounters;
  scaler: ScalerState;
  /** Epochs completed, and optimizer steps taken in the one that is under way. */
  epoch: number;
  stepInEpoch: number;
  /** Evaluations done, and those since the best one. */
  evaluations: number;
  evaluationsSinceBest: number;
  best: BestEpoch | null;
  /** The training is over: all steps are done, or it was stopped early. */
  finished: boolean;
  /** Seconds spent so far, over all sittings. */
  seconds: number;
}

/** The epoch with the highest F1, and what its checkpoint decides by. */
export interface BestEpoch {
  /** Its number, from 1; a fraction where it was cut short. */
  epoch: number;
  /** Mean over the validation pairs. */
  loss: number;
  /** Of the validation pairs. */
  metrics: Metrics;
  /** Absent where nothing was chosen. */
  chosen?: { decision: Decision; crossFittedF1: number };
}

/** The F1 that a fold is judged by: of decisions that were not chosen on what they judge. */
export const judgedF1 = ({ metrics, chosen }: BestEpoch): number => chosen?.crossFittedF1 ?? metrics.f1;

/** What a fold's training has come to. */
export interface FoldResult {
  /** Its best epoch; null before the first evaluation. */
  best: BestEpoch | null;
  /** Evaluations done. */
  evaluations: number;
  /** Over all sittings. */
  seconds: number;
  /** Optimizer steps. */
  updates: number;
  /** Those that updated nothing. */
  skipped: number;
}

export const STATE_FILE = "trainer_state.json";

export const initialState = (precision: Precision): TrainerState => ({
  version: 2,
  counters: { updates: 0, microBatches: 0 },
  scaler: initialScaler(precision),
  epoch: 0,
  stepInEpoch: 0,
  evaluations: 0,
  evaluationsSinceBest: 0,
  best: null,
  keptChunks: null,
  hardNegatives: null,
  finished: false,
  seconds: 0,
});

/** Steps that updated nothing. */
export const skippedSteps = ({ counters, scaler }: Pick<TrainerState, "counters" | "scaler">): number =>
  counters.updates - scaler.applied;

const count = z.int().min(0);
const share = z.number().min(0).max(1);

const StateSchema = z.object({
  version: z.literal(2),
  counters: z.object({ updates: count, microBatches: count }),
  scaler: z.object({ scale: z.number().positive(), goodSteps: count, applied: count }),
  epoch: count,
  stepInEpoch: count,
  evaluations: count,
  evaluationsSinceBest: count,
  best: z.object({
    epoch: z.number().positive(),
    loss: z.number(),
    metrics: z.looseObject({
      count,
      f1: share,
      precision: share,
      recall: share,
      accuracy: share,
      auc: share.nullable(),
    }),
    chosen: z.object({
      decision: z.object({
        temperature: z.number().positive(),
        threshold: share,
        criterion_thresholds: z.record(z.string(), share).nullable(),
      }),
      crossFittedF1: share,
    }).optional(),
  }).nullable(),
  keptChunks: z.record(z.string().regex(/^\d+$/), z.array(count)).nullable().default(null),
  hardNegatives: z.array(count).nullable().default(null),
  finished: z.boolean(),
  seconds: z.number().min(0),
});

/** The state in `<checkpointFolder>/last`, or null where there is none yet. Puts right what a kill has left. */
export async function readState(checkpointFolder: string): Promise<TrainerState | null> {
  recoverFolder(join(checkpointFolder, "best"));
  recoverFolder(join(checkpointFolder, "last"));
  return await peekState(checkpointFolder);
}

/** The state as it lies there, for whoever only looks: a training may be at work on it. */
export async function peekState(checkpointFolder: string): Promise<TrainerState | null> {
  const file = join(checkpointFolder, "last", STATE_FILE);
  try {
    await Deno.stat(file);
  } catch {
    return null;
  }
  const { data, error } = StateSchema.safeParse(await readJson(file));
  if (data) return data as TrainerState;
  const { path, message } = error.issues[0];
  throw new EntailError("data", `${file}: ${[...path, message].join(": ")}; train anew with overwrite=true`);
}

/** Data error where a state's counters do not fit each other, or not the training that goes on from it. */
export function checkCounters(
  { counters, scaler, epoch, stepInEpoch, evaluations, evaluationsSinceBest, best, finished }: TrainerState,
  { batches, accumulation, parts, stepsBefore, totalSteps }: EpochPlan,
  precision: Precision,
  checkpointFolder: string,
): void {
  const batchesBefore = batches.slice(0, epoch).reduce((sum, count) => sum + count, 0);
  const batchesInEpoch = batches[epoch] ?? 0;
  const batchesSeen = batchesBefore + Math.min(stepInEpoch * accumulation, batchesInEpoch);
  const cutShort = finished && stepInEpoch > 0;
  const fits = stepInEpoch <= Math.ceil(batchesInEpoch / accumulation) &&
    counters.updates === stepsBefore[epoch] + stepInEpoch && counters.updates <= totalSteps &&
    counters.microBatches >= batchesSeen && counters.microBatches <= batchesSeen * parts &&
    evaluations === epoch + (cutShort ? 1 : 0) && evaluationsSinceBest <= evaluations &&
    (best !== null) === (evaluations > 0) &&
    scaler.goodSteps <= scaler.applied && scaler.applied <= counters.updates &&
    Number.isInteger(Math.log2(scaler.scale)) &&
    (precision === "fp16" || scaler.scale === 1 && scaler.applied === counters.updates);
  if (fits) return;
  throw new EntailError(
    "data",
    `${join(checkpointFolder, "last", STATE_FILE)}: its counters cannot be those of this training; train anew with ` +
      "overwrite=true",
  );
}

/**
 * Replaces `<checkpointFolder>/last`: the model, its optimizer and the state, all or nothing. `config` is the session's,
 * with what was chosen for these parameters.
 */
export async function saveLast(
  session: Session,
  tokenizerFolder: string,
  checkpointFolder: string,
  state: TrainerState,
  marker?: Record<string, string>,
  config = session.config,
): Promise<void> {
  await replaceFolder(join(checkpointFolder, "last"), async (folder) => {
    await saveModel(session.parameters, config, tokenizerFolder, folder, marker);
    await saveMoments(session.parameters, folder);
    await writeFileAtomic(join(folder, STATE_FILE), JSON.stringify(state, null, 2) + "\n");
  });
}

/**
 * Replaces `<checkpointFolder>/best` by the model as it is now, with what was chosen for it in `config`; its card tells
 * the `metrics` of its validation.
 */
export async function saveBest(
  session: Session,
  tokenizerFolder: string,
  checkpointFolder: string,
  marker: Record<string, string> | undefined,
  { f1, precision, recall, accuracy, auc }: Metrics,
  config = session.config,
): Promise<void> {
  const metrics = { F1: f1, precision, recall, accuracy, ...(auc === null ? {} : { "ROC-AUC": auc }) };
  await replaceFolder(
    join(checkpointFolder, "best"),
    (folder) => saveModel(session.parameters, config, tokenizerFolder, folder, marker, metrics),
  );
}
