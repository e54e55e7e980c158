/** metrics.jsonl of a fold: a line per optimizer step and a line per epoch, appended whole. */
import { writeFileAtomic } from "../formats/atomic_write.ts";
import { readError } from "../formats/text.ts";
import type { StepRecord } from "./step.ts";
import type { Evaluation } from "./evaluate.ts";

/** A line of the log, with the names that it has in the file. */
export type LogEntry = StepEntry | EpochEntry;

/** A line of metrics.jsonl about an optimizer step. */
export interface StepEntry {
  /** From 1. */
  step: number;
  /** Epochs done after it, as a fraction. */
  epoch: number;
  /** Null where it is not finite. */
  loss: number | null;
  /** That this update used. */
  learning_rate: number;
  /** Before clipping, unscaled; null where it is not finite. */
  grad_norm: number | null;
  /** The step updated nothing. */
  skipped?: true;
}

/** A line of metrics.jsonl about an evaluation. */
export interface EpochEntry {
  /** Epochs done before it. */
  epoch: number;
  /** Mean over the validation pairs. */
  eval_loss: number;
  /** See `Metrics`. */
  eval_f1: number;
  /** See `Metrics`. */
  eval_precision: number;
  /** See `Metrics`. */
  eval_recall: number;
  /** See `Metrics`. */
  eval_accuracy: number;
  /** See `Metrics`. */
  eval_auc: number | null;
  /** Of decisions that were not chosen on what they judge, as `Evaluation.secondary`. */
  eval_macro_f1: number;
  /** Mean of the criteria's. */
  eval_macro_pr_auc: number | null;
  /** See `Metrics`. */
  eval_ece: number | null;
  /** Where thresholds or a temperature are chosen: the F1 that `hpo` goes by, chosen on other posts than it judges. */
  eval_f1_cross_fitted?: number;
}

export function stepEntry(
  step: number,
  epoch: number,
  { loss, learningRate, gradNorm, skipped }: StepRecord,
): StepEntry {
  const entry = {
    step,
    epoch,
    loss: finite(loss),
    learning_rate: learningRate,
    grad_norm: finite(gradNorm),
  };
  return skipped ? { ...entry, skipped } : entry;
}

/** JSON has no other numbers. */
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

export function epochEntry(epoch: number, { loss, metrics, crossFittedF1, secondary }: Evaluation): EpochEntry {
  return {
    epoch,
    eval_loss: loss,
    eval_f1: metrics.f1,
    eval_precision: metrics.precision,
    eval_recall: metrics.recall,
    eval_accuracy: metrics.accuracy,
    eval_auc: metrics.auc,
    eval_macro_f1: secondary.macro_f1,
    eval_macro_pr_auc: secondary.macro_pr_auc,
    eval_ece: secondary.ece,
    ...(crossFittedF1 === null ? {} : { eval_f1_cross_fitted: crossFittedF1 }),
  };
}

/** Appends whole lines in one write. */
export async function appendEntries(path: string, entries: readonly LogEntry[]): Promise<void> {
  if (entries.length === 0) return;
  const lines = entries.map((entry) => JSON.stringify(entry) + "\n");
  await Deno.writeTextFile(path, lines.join(""), { append: true, create: true });
}

/**
 * Cuts the log back to what a checkpoint knows: steps up to `updates` and the epochs evaluated by then. Lines written
 * after the checkpoint, and whatever a kill or a broken disk left that is no line of a log, go: the resumed run writes
 * them again.
 */
export async function truncateLog(path: string, updates: number, evaluations: number): Promise<void> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return; // nothing was logged yet
    throw readError(error, path);
  }
  const kept: string[] = [];
  let epochs = 0;
  for (const line of new TextDecoder().decode(bytes).split("\n")) {
    const entry = parseEntry(line);
    if (entry === null) continue;
    if ("step" in entry ? entry.step <= updates : epochs++ < evaluations) kept.push(line + "\n");
  }
  await writeFileAtomic(path, kept.join(""));
}

/** The entries of a log, which may be growing; none where there is no log. */
export function readLog(path: string): LogEntry[] {
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return []; // nothing was logged yet
    throw readError(error, path);
  }
  return text.split("\n").map(parseEntry).filter((entry) => entry !== null);
}

/** Null for the empty end of a log, a line that was cut off, and whatever else is no line of a log. */
export function parseEntry(line: string): LogEntry | null {
  try {
    const entry = JSON.parse(line);
    return typeof entry?.step === "number" || entry?.eval_f1 !== undefined ? entry : null;
  } catch {
    return null;
  }
}
