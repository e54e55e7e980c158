/** The pairs of a run, their folds and their tokens. */
import type { EvidenceOfPairs } from "../augmentation/evidence.ts";
import type { Config } from "../config/schema.ts";
import type { EncodedPair } from "../dataset/batches.ts";
import { checkFolds, stratifiedGroupKFold, stratifiedKFold } from "../dataset/folds.ts";
import { loadGroundtruth, type Pair } from "../dataset/groundtruth.ts";
import { openTokenizing, type TokenizerPool } from "../dataset/tokenize.ts";
import { loadFittingTokenizer, type PairLimits } from "../dataset/tokenizer.ts";
import { EntailError } from "../errors.ts";
import { longestSequence } from "../models/model.ts";
import type { ModelConfig } from "../models/model_config.ts";
import { pairLimits } from "./chunking.ts";
import type { ModelSource } from "./model_source.ts";
import { describeParaphrases, paraphraseGrowth } from "./paraphrases.ts";
import type { Reporter } from "./reporter.ts";
import { type Truncation, warnOfTruncation } from "./truncation.ts";

/** Which pairs a run has, and on which of them each fold is validated. */
export interface RunSplit {
  /** In their order. */
  readonly pairs: readonly Pair[];
  /** Validation fold of each pair. */
  readonly folds: readonly number[];
  /** Folds. */
  readonly nSplits: number;
  /** Of pairs that a program gave: the digest of what they say; absent: they are those of the files in `data`. */
  readonly digest?: string;
}

export interface RunData extends RunSplit {
  readonly tokens: readonly EncodedPair[];
  readonly truncation: Truncation;
  /** With augmentation: pairs that may become longer in training, up to the limit. */
  readonly evidence?: EvidenceOfPairs;
  /** Tokens by which the text of a criterion may grow in training, by its id. */
  readonly growth?: ReadonlyMap<string, number>;
}

/** Loads the pairs that a configuration names. */
export function loadPairs({ data }: Pick<Config, "data">): Promise<Pair[]> {
  return loadGroundtruth({
    groundtruthCsv: data.groundtruth_csv,
    criteriaJson: data.criteria_json,
    sampleSize: data.sample_size,
    sampleSeed: data.sample_seed,
  });
}

/** Loads the pairs and assigns the folds. */
export const loadSplit = async (config: Config): Promise<RunSplit> => splitPairs(await loadPairs(config), config);

/** Assigns the folds. */
export function splitPairs(pairs: readonly Pair[], { kfold, seed }: Pick<Config, "kfold" | "seed">): RunSplit {
  const labels = pairs.map((pair) => pair.label);
  const options = { nSplits: kfold.n_splits, seed, shuffle: true } as const;
  const folds = kfold.group_by_post
    ? stratifiedGroupKFold(labels, pairs.map((pair) => pair.postId), options)
    : stratifiedKFold(labels, options);
  checkFolds(folds, labels, kfold.n_splits);
  return { pairs, folds, nSplits: kfold.n_splits };
}

/** Loads and tokenizes the pairs and assigns the folds. */
export async function loadRunData(config: Config, model: ModelSource, reporter: Reporter): Promise<RunData> {
  return await tokenizeSplit(config, await loadSplit(config), model, reporter);
}

export async function tokenizeSplit(
  config: Config,
  split: RunSplit,
  model: ModelSource,
  reporter: Reporter,
): Promise<RunData> {
  const { pairs } = split;
  const limits = pairLimits(config.data);
  const tokens = await tokenizeFor(model, pairs, {
    ...limits,
    numWorkers: config.training.num_workers,
    onProgress: (done, total) => reporter.progress("tokenizing", done, total),
  });
  const { tokenizerFolder } = model;
  const truncation = await warnOfTruncation(config, pairs, tokens, { reporter, tokenizerFolder });
  const paraphrases = describeParaphrases(pairs);
  if (paraphrases !== null) reporter.info(paraphrases);
  return { ...split, tokens, truncation, growth: await paraphraseGrowth(pairs, tokens, tokenizerFolder, limits) };
}

/** Tokenizes pairs with the model's tokenizer, after checking that the model has an embedding for each of its ids. */
export async function tokenizeFor(
  model: Pick<ModelSource, "config" | "tokenizerFolder">,
  pairs: readonly { post: string; criterion: string }[],
  { onProgress, ...options }: PairLimits & {
    numWorkers?: number | null;
    onProgress?: (done: number, total: number) => void;
  },
): Promise<EncodedPair[]> {
  const pool = await openTokenizingFor(model, options);
  try {
    return await pool.encode(pairs, onProgress);
  } finally {
    pool.close();
  }
}

/** What tokenizes for a model, one call after another, with the same checks. */
export async function openTokenizingFor(
  { config, tokenizerFolder: folder }: Pick<ModelSource, "config" | "tokenizerFolder">,
  options: PairLimits & { numWorkers?: number | null },
): Promise<TokenizerPool> {
  await loadFittingTokenizer(folder, config.vocabSize);
  if (options.maxLength > longestSequence(config)) {
    throw new EntailError(
      "usage",
      `data.${
        options.chunkStride == null ? "max_length" : "chunk_max_len"
      }: is ${options.maxLength}, but the model has only ${longestSequence(config)} positions`,
    );
  }
  const pool = openTokenizing({ folder, ...options });
  return {
    ...pool,
    async encode(pairs, onProgress) {
      const tokens = await pool.encode(pairs, onProgress);
      checkTypes(tokens, config, folder);
      return tokens;
    },
  };
}

/** Data error where a tokenizer gives segments that the model has no embedding for; a model without any ignores them. */
function checkTypes(pairs: readonly EncodedPair[], { typeVocabSize }: ModelConfig, folder: string): void {
  if (typeVocabSize === 0) return;
  const sequences = pairs.flatMap(({ chunks }) => chunks);
  const unknown = sequences.flatMap(({ typeIds }) => typeIds.find((type) => type >= typeVocabSize) ?? []);
  if (unknown.length === 0) return;
  throw new EntailError(
    "data",
    `${folder}: the tokenizer gives a token the type ${unknown[0]}, but the model has only ${typeVocabSize} ` +
      "(type_vocab_size); the tokenizer belongs to another model",
  );
}
