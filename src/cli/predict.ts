/** `predict`: scores pairs from JSON lines or CSV, keeping their other fields. */
import { type AddedColumn, openTextPairs, recordWindows, type TextRecords } from "../dataset/text_pairs.ts";
import { writePiecesAtomic } from "../formats/atomic_write.ts";
import type { Config } from "../config/config.ts";
import type { Gpu } from "../gpu/device.ts";
import { type Chunking, recordedChunking } from "../models/chunking.ts";
import { pairMaxLength } from "../models/model_config.ts";
import { describePrecision } from "../training/precision.ts";
import { downloadReport, type Reporter } from "../training/reporter.ts";
import { checkpointOf } from "../training/run_checkpoint.ts";
import { openScorer, type ScoreOptions, type Scorer, type ScorerOptions, scoreWindows } from "../training/scorer.ts";
import { type Truncation, truncationText } from "../training/truncation.ts";
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
  const { input, output } = options;
  const reporter = createReporter(options);
  let gpu: Gpu | undefined;
  try {
    const { folder: checkpoint, notice } = await checkpointOf(options.checkpoint);
    if (notice !== null) reporter.info(notice);
    const total = await countRecords(input, reporter);
    reporter.working("loading the model and compiling kernels");
    gpu = await openConfiguredGpu(config);
    const scorer = await openScorer(gpu, checkpoint, {
      ...askedLengths(config, overrides),
      batchSize: config.training.eval_batch_size,
      precision: config.training.optimization.precision,
      numWorkers: config.training.num_workers,
      download: { ...downloadReport(reporter), signal },
    });
    reporter.info(describePrecision(gpu, config.training.optimization.precision, scorer.config));
    for (const line of askedInVain(scorer, overrides)) reporter.info(line);
    const otherwise = scoredOtherwise(scorer);
    if (otherwise !== null) reporter.warn(otherwise);
    const records = await openTextPairs(input, { also: addedColumns(scorer) });
    const scored = scoreRecords(records, scorer, {
      signal,
      onTokenized: truncationNotice(scorer, total, reporter),
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

/** What a scorer says of a pair beside logits and probability. */
const addedColumns = ({ chunking, decision }: Scorer): AddedColumn[] => [
  ...(chunking === null ? [] : ["chunks"] as const),
  ...(decision === null ? [] : ["prediction"] as const),
];

const isAsked = (overrides: readonly string[], key: string): boolean =>
  overrides.some((override) => override.replace(/^\+{0,2}/, "").startsWith(`${key}=`));

const CHUNK_KEYS = ["data.chunk_stride", "evaluation.agg_type", "evaluation.lse_tau", "evaluation.top_m"] as const;

/** What a command line says of lengths and chunks; the rest is as the checkpoint was trained. */
function askedLengths({ data, evaluation }: Config, overrides: readonly string[]): ScorerOptions {
  const asked = <T>(key: string, value: T): T | undefined => isAsked(overrides, key) ? value : undefined;
  const [stride, aggType, lseTau, topM] = CHUNK_KEYS;
  const chunking = Object.entries({
    stride: asked(stride, data.chunk_stride),
    aggType: asked(aggType, evaluation.agg_type),
    lseTau: asked(lseTau, evaluation.lse_tau),
    topM: asked(topM, evaluation.top_m),
  }).filter(([, value]) => value !== undefined);
  return {
    maxLength: asked("data.max_length", data.max_length),
    chunkMaxLength: asked("data.chunk_max_len", data.chunk_max_len),
    chunking: Object.fromEntries(chunking),
  };
}

/** A line about each key of a command line that the scorer has no use for. */
function askedInVain({ chunking }: Scorer, overrides: readonly string[]): string[] {
  const reason = chunking === null
    ? "posts are not read in chunks; set data.chunk_max_len"
    : "posts are read in chunks; set data.chunk_max_len, which is their length, or data.chunk_max_len=null";
  return (chunking === null ? CHUNK_KEYS : ["data.max_length"])
    .filter((key) => isAsked(overrides, key))
    .map((key) => `${key} has no effect: ${reason}`);
}

/** What the scores of pairs follow from besides the model, by the keys that say so. */
function scoringOf(maxLength: number | null, chunking: Chunking | null): Record<string, unknown> {
  if (chunking === null) return { "data.max_length": maxLength };
  const { stride, aggType, lseTau, topM } = chunking;
  return {
    "data.chunk_max_len": maxLength,
    "data.chunk_stride": stride,
    "evaluation.agg_type": aggType,
    ...(aggType === "LSE" && { "evaluation.lse_tau": lseTau }),
    ...(aggType === "top-m" && { "evaluation.top_m": topM }),
  };
}

/** A line where a checkpoint's temperature and thresholds were chosen for other scores than those made here. */
function scoredOtherwise({ config, decision, maxLength, chunking }: Scorer): string | null {
  if (decision === null) return null;
  const here = scoringOf(maxLength, chunking);
  const there = scoringOf(pairMaxLength(config), recordedChunking(config));
  const differing = (one: Record<string, unknown>, other: Record<string, unknown>) =>
    Object.entries(one).flatMap(([key, value]) => value === other[key] ? [] : [`${key}=${value}`]).join(" ");
  const asked = differing(here, there);
  if (asked === "") return null;
  const chosen = differing(there, here);
  return `${asked}: the checkpoint's temperature and thresholds were chosen with ${chosen} and may not suit such scores`;
}

/** Says before any pair is scored what is cut off, and once more at the end where not all pairs were known by then. */
function truncationNotice(
  { maxLength }: Scorer,
  total: number | undefined,
  reporter: Reporter,
): (truncation: Truncation) => void {
  const sum: Truncation = { pairs: 0, truncated: 0, tokens: 0 };
  let said = 0;
  return ({ pairs, truncated, tokens }) => {
    sum.pairs += pairs;
    sum.truncated += truncated;
    sum.tokens += tokens;
    const text = truncationText(sum, maxLength);
    if (text === null || said === sum.truncated || said > 0 && sum.pairs !== total) return;
    said = sum.truncated;
    reporter.warn(sum.pairs === total ? text : `so far ${text}`);
  };
}

/** The text of the output, piece by piece. `onProgress` is told of records scored and read, `onEnd` before the last piece. */
export async function* scoreRecords(
  { head, records }: TextRecords,
  scorer: Scorer,
  { onProgress, onEnd, ...options }: Omit<ScoreOptions, "onProgress"> & {
    onProgress(done: number, known: number): void;
    onEnd(): void;
  },
): AsyncGenerator<string> {
  yield head;
  let [done, known] = [0, 0];
  async function* windows() {
    for await (const window of recordWindows(records, WINDOW)) {
      known += window.length;
      yield window;
    }
  }
  const progress = { ...options, onProgress: (count: number) => onProgress(done + count, known) };
  for await (const { window, scores } of scoreWindows(scorer, windows(), progress)) {
    done += window.length;
    for (const [i, record] of window.entries()) yield record.withScore(scores[i]);
  }
  onEnd();
}
