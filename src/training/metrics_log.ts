/** metrics.jsonl of a fold: a line per optimizer step and a line per epoch, appended whole. */
import { writeFileAtomic } from "../formats/atomic_write.ts";
import { readText } from "../formats/text.ts";
import type { StepRecord } from "./step.ts";
import type { Evaluation } from "./evaluate.ts";

/** A line without what JSON cannot say: NaN and infinities become null. */
const line = (value: object): string => JSON.stringify(value) + "\n";

export function stepLine(step: number, stepsPerEpoch: number, { loss, learningRate, gradNorm }: StepRecord): string {
  return line({ step, epoch: step / stepsPerEpoch, loss, learning_rate: learningRate, grad_norm: gradNorm });
}

export function epochLine(epoch: number, { loss, metrics }: Evaluation): string {
  return line({
    epoch,
    eval_loss: loss,
    eval_f1: metrics.f1,
    eval_precision: metrics.precision,
    eval_recall: metrics.recall,
    eval_accuracy: metrics.accuracy,
    eval_auc: metrics.auc,
  });
}

/** Appends whole lines in one write. */
export async function appendLines(path: string, lines: readonly string[]): Promise<void> {
  if (lines.length > 0) await Deno.writeTextFile(path, lines.join(""), { append: true, create: true });
}

/**
 * Cuts the log back to what a checkpoint knows: steps up to `updates` and the epochs evaluated by then. Lines written
 * after the checkpoint, and one that a kill cut off, go: the resumed run writes them again.
 */
export async function truncateLog(path: string, updates: number, evaluations: number): Promise<void> {
  let text: string;
  try {
    text = await readText(path);
  } catch {
    return; // nothing was logged yet
  }
  const kept: string[] = [];
  let epochs = 0;
  for (const entry of text.split("\n")) {
    let parsed: { step?: number };
    try {
      parsed = JSON.parse(entry);
    } catch {
      continue; // the empty end, or a line that was cut off
    }
    if (parsed.step === undefined ? epochs++ < evaluations : parsed.step <= updates) kept.push(entry + "\n");
  }
  await writeFileAtomic(path, kept.join(""));
}
