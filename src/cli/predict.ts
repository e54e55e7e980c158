/** `predict`: scores pairs from JSON lines or CSV, keeping their other fields. */
import { openTextPairs, recordWindows, type TextRecords } from "../dataset/text_pairs.ts";
import { writePiecesAtomic } from "../formats/atomic_write.ts";
import type { Gpu } from "../gpu/device.ts";
import { describePrecision } from "../training/precision.ts";
import { downloadReport, type Reporter } from "../training/reporter.ts";
import { openScorer, type Scorer, scoreTexts } from "../training/scorer.ts";
import { openConfiguredGpu, resolveConfig } from "./context.ts";
import type { CommonOptions } from "./options.ts";
import { createReporter } from "./terminal.ts";

interface PredictOptions extends CommonOptions {
  checkpoint: string;
  input: string;
  output: string;
}

/** What is read, scored and written at a time. */
const WINDOW = { most: 8192, characters: 1 << 23 };

export async function predict(overrides: string[], options: PredictOptions, signal: AbortSignal): Promise<void> {
  const config = resolveConfig(overrides, options);
  if (!config) return;
  const { checkpoint, input, output } = options;
  const explicit = overrides.some((override) => /^\+{0,2}data\.max_length=/.test(override));
  const reporter = createReporter(options);
  let gpu: Gpu | undefined;
  try {
    const total = await countRecords(input, reporter);
    gpu = await openConfiguredGpu(config);
    const scorer = await openScorer(gpu, checkpoint, {
      maxLength: explicit ? config.data.max_length : undefined,
      batchSize: config.training.eval_batch_size,
      precision: config.training.optimization.precision,
      numWorkers: config.training.num_workers,
      download: { ...downloadReport(reporter), signal },
    });
    reporter.info(describePrecision(gpu, config.training.optimization.precision, scorer.config));
    const scored = scoreRecords(await openTextPairs(input, { predictions: scorer.decision !== null }), scorer, {
      signal,
      onProgress: (done, known) => reporter.progress("scoring", done, total ?? known),
      onEnd: () => reporter.close(),
    });
    await writePiecesAtomic(output === "-" ? "/dev/fd/1" : output, scored);
    scorer.release();
  } finally {
    reporter.close();
    gpu?.close();
  }
}

/**
 * Reads the whole input, so that a fault in its last line comes before hours of scoring, and counts its records;
 * undefined for stdin, pipes and the like, which can be read only once.
 */
async function countRecords(input: string, reporter: Reporter): Promise<number | undefined> {
  const info = input === "-" ? undefined : await Deno.stat(input).catch(() => undefined);
  if (input === "-" || info && !info.isFile && !info.isDirectory) return undefined;
  const size = info?.size ?? 0;
  const { records } = await openTextPairs(input, {
    onRead(bytes) {
      if (bytes < size) reporter.progress("reading", Math.floor(bytes / 1e6), Math.ceil(size / 1e6));
    },
  });
  let count = 0;
  for await (const _ of records) count++;
  return count;
}

interface ScoreOptions {
  signal: AbortSignal;
  /** Called with the number of records scored and of those that have been read. */
  onProgress(done: number, known: number): void;
  /** Called before the last piece is written. */
  onEnd(): void;
}

/** The text of the output, piece by piece. */
async function* scoreRecords(
  { head, records }: TextRecords,
  scorer: Scorer,
  { signal, onProgress, onEnd }: ScoreOptions,
): AsyncGenerator<string> {
  yield head;
  let done = 0;
  for await (const window of recordWindows(records, WINDOW)) {
    const known = done + window.length;
    const scores = await scoreTexts(scorer, window, { signal, onProgress: (count) => onProgress(done + count, known) });
    for (const [i, record] of window.entries()) yield record.withScore(scores[i]);
    done = known;
  }
  onEnd();
}
