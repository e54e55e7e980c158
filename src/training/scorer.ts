/** Scoring texts with a checkpoint: what `predict` and the library's `CrossEncoder` do. */
import { join } from "node:path";
import type { EncodedPair } from "../dataset/batches.ts";
import type { WeightsFolder } from "../models/adapter.ts";
import { checkWeights, loadWeights } from "../models/checkpoint.ts";
import { type Chunking, DEFAULT_CHUNKING, recordedChunking } from "../models/chunking.ts";
import { longestSequence } from "../models/model.ts";
import { type ModelConfig, pairMaxLength } from "../models/model_config.ts";
import { type CarriedDecision, carriedDecision } from "../models/decision.ts";
import { EntailError } from "../errors.ts";
import { probabilityOf } from "../evaluation/calibration.ts";
import type { Gpu } from "../gpu/device.ts";
import type { ModelFolderOptions } from "../hub/model_folder.ts";
import type { Precision } from "../nn/plan.ts";
import { openCheckpoint } from "./checkpoint_folder.ts";
import { carriedPrediction } from "./decisions.ts";
import { type PairScore, scorePairs } from "./evaluate.ts";
import { type AskedPrecision, choosePrecision } from "./precision.ts";
import { scoringCapacity } from "./run.ts";
import { ahead } from "./ahead.ts";
import { openTokenizingFor } from "./run_data.ts";
import { openSession, type Session } from "./session.ts";
import { type Truncation, truncationOf } from "./truncation.ts";

/** A pair to be scored. */
export interface TextPair {
  /** The first text. */
  post: string;
  /** The second. */
  criterion: string;
}

/**
 * `probability` is that of the positive class: softmax of two logits, sigmoid of one, calibrated where the model is. Where
 * posts are read in chunks it is that of all chunks together, and `logits` are those of the chunk that scores highest.
 */
export interface TextScore {
  /** One or two, as the model has labels. */
  logits: number[];
  /** Of the positive class. */
  probability: number;
  /** The number of the post's chunks, where posts are read in chunks. */
  chunks?: number;
  /** Of a model whose thresholds or temperature were chosen when it was trained: 1 where the pair is positive, else 0. */
  prediction?: number;
}

export interface Scorer {
  readonly config: ModelConfig;
  /** What was chosen when the model was trained. */
  readonly decision: CarriedDecision | null;
  readonly weights: WeightsFolder;
  readonly tokenizerFolder: string;
  /** Tokens of a sequence at most. */
  readonly maxLength: number;
  /** How posts are read in chunks; null: they are cut at their end. */
  readonly chunking: Chunking | null;
  readonly batchSize: number;
  readonly precision: Precision;
  readonly numWorkers?: number | null;
  readonly gpu: Gpu;
  /** Made when the first texts show how large it must be, and anew when later ones need much more room. */
  session: Session | null;
  release(): void;
}

/** Tokens of a pair where neither the caller nor the checkpoint says. */
const DEFAULT_MAX_LENGTH = 512;

/** Pairs that are tokenized and scored at a time. */
const WINDOW = 8192;

/** Times the room of a session: less is no reason to make it anew, as batches may be smaller. */
const MOST_WANTED = 1.5;

/** What is absent is as the checkpoint was trained, or the usual. */
export interface ScorerOptions {
  /** Tokens of a pair whose post is cut at its end. */
  maxLength?: number;
  /** Tokens of a chunk; null: posts are not read in chunks. */
  chunkMaxLength?: number | null;
  chunking?: Partial<Chunking>;
  batchSize?: number;
  precision?: AskedPrecision;
  numWorkers?: number | null;
  /** Who is told of a download, and may stop it. */
  download?: ModelFolderOptions;
}

/**
 * Opens a Hugging Face folder, or a model of the hub, for scoring. Lengths default to what the checkpoint was trained with,
 * else 512, or what it has positions for; `precision` to what suits the adapter.
 * Data errors name the folder's file.
 */
export async function openScorer(
  gpu: Gpu,
  checkpoint: string,
  options: ScorerOptions = {},
): Promise<Scorer> {
  const { batchSize = 32, precision = "auto", numWorkers, download } = options;
  const { weights, config, tokenizerFolder } = await openCheckpoint(checkpoint, download);
  await checkWeights(config, weights, { trained: true });
  const recorded = recordedChunking(config, join(tokenizerFolder, "config.json"));
  const { chunkMaxLength } = options;
  const inChunks = chunkMaxLength === undefined ? recorded !== null : chunkMaxLength !== null;
  const asked = inChunks ? chunkMaxLength : options.maxLength;
  const maxLength = asked ?? pairMaxLength(config) ?? Math.min(DEFAULT_MAX_LENGTH, longestSequence(config));
  const chunking = inChunks ? { ...DEFAULT_CHUNKING, ...recorded, ...options.chunking } : null;
  const scorer: Scorer = {
    config,
    decision: carriedDecision(config),
    weights,
    tokenizerFolder,
    maxLength,
    chunking,
    batchSize,
    precision: choosePrecision(gpu, precision),
    numWorkers,
    gpu,
    session: null,
    release() {
      scorer.session?.release();
      scorer.session = null;
    },
  };
  return scorer;
}

export interface ScoreOptions {
  signal?: AbortSignal;
  /** Told how many of the pairs at hand have been scored. */
  onProgress?: (done: number) => void;
  /** Told what is cut off of the next pairs, before they are scored. */
  onTokenized?: (truncation: Truncation) => void;
}

/** Logits and probability of each pair, in order. */
export async function scoreTexts(
  scorer: Scorer,
  pairs: readonly TextPair[],
  { onProgress = () => {}, ...options }: ScoreOptions = {},
): Promise<TextScore[]> {
  const windows = Array.from(
    { length: Math.ceil(pairs.length / WINDOW) },
    (_, i) => pairs.slice(i * WINDOW, (i + 1) * WINDOW),
  );
  const scores: TextScore[] = [];
  const progress = { ...options, onProgress: (done: number) => onProgress(scores.length + done) };
  for await (const scored of scoreWindows(scorer, windows, progress)) scores.push(...scored.scores);
  return scores;
}

/**
 * Pairs, window by window, with their scores: while the device scores one, the next is read and tokenized, and what the
 * caller does with the one before has its time.
 */
export function scoreWindows<Pair extends TextPair>(
  scorer: Scorer,
  windows: Iterable<readonly Pair[]> | AsyncIterable<readonly Pair[]>,
  options: ScoreOptions = {},
): AsyncGenerator<{ window: readonly Pair[]; scores: TextScore[] }> {
  async function* tokenized() {
    const { maxLength, chunking, numWorkers } = scorer;
    const tokenizer = await openTokenizingFor(scorer, { maxLength, chunkStride: chunking?.stride, numWorkers });
    try {
      for await (const window of windows) yield { window, tokens: await tokenizer.encode(window) };
    } finally {
      tokenizer.close();
    }
  }
  async function* scored() {
    for await (const { window, tokens } of ahead(tokenized())) {
      yield { window, scores: await scoreTokens(scorer, window, tokens, options) };
    }
  }
  return ahead(scored());
}

async function scoreTokens(
  scorer: Scorer,
  window: readonly TextPair[],
  tokens: readonly EncodedPair[],
  { signal, onProgress, onTokenized }: ScoreOptions,
): Promise<TextScore[]> {
  const { gpu, config, weights, chunking, batchSize, precision } = scorer;
  onTokenized?.(truncationOf(tokens));
  const needed = scoringCapacity(gpu, config, tokens, batchSize, precision);
  const room = scorer.session?.inference;
  const fits = room && needed.longest <= room.longest && needed.tokens <= MOST_WANTED * room.tokens;
  if (!fits) {
    scorer.session?.release();
    scorer.session = await openSession(gpu, config, { inference: needed, precision });
    await loadWeights(scorer.session.parameters, config, weights);
  }
  const scored = await scorePairs(scorer.session!, tokens, chunking, onProgress);
  if (signal?.aborted) throw new EntailError("interrupted", "interrupted before all pairs were scored");
  return scored.map((pair, i) => textScore(pair, window[i], tokens[i], scorer));
}

function textScore(
  { logits, score }: PairScore,
  { criterion }: TextPair,
  { chunks }: EncodedPair,
  { chunking, decision }: Scorer,
): TextScore {
  const probability = probabilityOf(score, decision?.temperature);
  return {
    logits: [...logits],
    probability,
    ...(chunking === null ? {} : { chunks: chunks.length }),
    ...(decision === null ? {} : { prediction: carriedPrediction(decision, criterion, probability) }),
  };
}
