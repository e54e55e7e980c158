/** Scoring texts with a checkpoint: what `predict` and the library's `CrossEncoder` do. */
import { checkWeights, loadWeights, readModelConfig } from "../models/checkpoint.ts";
import { longestSequence } from "../models/model.ts";
import { type ModelConfig, pairMaxLength } from "../models/model_config.ts";
import { type CarriedDecision, carriedDecision } from "../models/decision.ts";
import { EntailError } from "../errors.ts";
import { probabilityOf } from "../evaluation/calibration.ts";
import type { Gpu } from "../gpu/device.ts";
import { modelFolder, type ModelFolderOptions } from "../hub/model_folder.ts";
import { positiveLogit } from "../nn/loss.ts";
import type { Precision } from "../nn/plan.ts";
import { carriedPrediction } from "./decisions.ts";
import { scorePairs } from "./evaluate.ts";
import { type AskedPrecision, choosePrecision } from "./precision.ts";
import { scoringCapacity } from "./run.ts";
import { tokenizeFor } from "./run_data.ts";
import { openSession, type Session } from "./session.ts";

export interface TextPair {
  post: string;
  criterion: string;
}

/** `probability` is that of the positive class: softmax of two logits, sigmoid of one, calibrated where the model is. */
export interface TextScore {
  logits: number[];
  probability: number;
  /** Of a model whose thresholds or temperature were chosen when it was trained: 1 where the pair is positive, else 0. */
  prediction?: number;
}

export interface Scorer {
  readonly config: ModelConfig;
  /** What was chosen when the model was trained. */
  readonly decision: CarriedDecision | null;
  readonly folder: string;
  readonly maxLength: number;
  readonly batchSize: number;
  readonly precision: Precision;
  readonly numWorkers?: number | null;
  readonly gpu: Gpu;
  /** Made when the first texts show how large it must be, and anew when later ones need more room. */
  session: Session | null;
  release(): void;
}

/** Tokens of a pair where neither the caller nor the checkpoint says. */
const DEFAULT_MAX_LENGTH = 512;

/** Pairs that are tokenized and scored at a time. */
const WINDOW = 8192;

export interface ScorerOptions {
  maxLength?: number;
  batchSize?: number;
  precision?: AskedPrecision;
  numWorkers?: number | null;
  /** Who is told of a download, and may stop it. */
  download?: ModelFolderOptions;
}

/**
 * Opens a Hugging Face folder, or a model of the hub, for scoring. `maxLength` defaults to what the checkpoint was trained
 * with, else 512, or what it has positions for; `precision` to what suits the adapter.
 * Data errors name the folder's file.
 */
export async function openScorer(
  gpu: Gpu,
  checkpoint: string,
  { maxLength, batchSize = 32, precision = "auto", numWorkers, download }: ScorerOptions = {},
): Promise<Scorer> {
  const folder = await modelFolder(checkpoint, { accept: readModelConfig, ...download });
  const config = await readModelConfig(folder);
  await checkWeights(config, folder, { trained: true });
  const scorer: Scorer = {
    config,
    decision: carriedDecision(config),
    folder,
    maxLength: maxLength ?? pairMaxLength(config) ?? Math.min(DEFAULT_MAX_LENGTH, longestSequence(config)),
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

/** Logits and probability of each pair, in order. */
export async function scoreTexts(
  scorer: Scorer,
  pairs: readonly TextPair[],
  { signal, onProgress = () => {} }: { signal?: AbortSignal; onProgress?: (done: number) => void } = {},
): Promise<TextScore[]> {
  const { gpu, config, folder, maxLength, batchSize, precision, numWorkers } = scorer;
  const scores: TextScore[] = [];
  for (let at = 0; at < pairs.length; at += WINDOW) {
    const window = pairs.slice(at, at + WINDOW);
    const tokens = await tokenizeFor({ config, tokenizerFolder: folder }, window, { maxLength, numWorkers });
    const needed = scoringCapacity(gpu, config, tokens, batchSize, precision);
    const room = scorer.session?.inference;
    const fits = room && needed.longest <= room.longest && needed.tokens <= room.tokens &&
      needed.sequences <= room.sequences;
    if (!fits) {
      scorer.session?.release();
      scorer.session = await openSession(gpu, config, { inference: needed, precision });
      await loadWeights(scorer.session.parameters, config, folder);
    }
    const logits = await scorePairs(scorer.session!, tokens, tokens.map((_, i) => i), (done) => onProgress(at + done));
    logits.forEach((row, i) => scores.push(textScore(row, window[i].criterion, scorer.decision)));
    if (signal?.aborted) throw new EntailError("interrupted", "interrupted before all pairs were scored");
  }
  return scores;
}

function textScore(logits: Float32Array, criterion: string, decision: CarriedDecision | null): TextScore {
  const probability = probabilityOf(positiveLogit(logits), decision?.temperature);
  const score = { logits: [...logits], probability };
  return decision === null ? score : { ...score, prediction: carriedPrediction(decision, criterion, probability) };
}
