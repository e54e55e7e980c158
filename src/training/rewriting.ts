/** What an epoch trains on in other words than the files: augmented posts and paraphrased criteria, tokenized together. */
import type { Config } from "../config/schema.ts";
import type { EncodedPair } from "../dataset/batches.ts";
import { openTokenizerPool, type TokenizerPool } from "../dataset/tokenize.ts";
import type { Augmentation } from "./augmentation.ts";
import { pairLimits } from "./chunking.ts";
import type { ModelSource } from "./model_source.ts";
import { paraphraseEpoch } from "./paraphrases.ts";
import type { RunData } from "./run_data.ts";

/** The tokens of the training pairs that an epoch rewrites, counted from 0, by index of the pair. */
export type RewrittenEpoch = (epoch: number) => Promise<ReadonlyMap<number, EncodedPair>>;

/** Rewrites the training pairs of the runs or trials of a process, with threads that stay. */
export interface Rewriter {
  /**
   * For a fold with these training pairs; undefined where nothing is rewritten. A function of (seed, epoch, pair), whatever
   * the fold.
   */
  ofFold(
    train: readonly number[],
    parts: { config: Config; model: ModelSource; data: RunData; augmentation: Augmentation | null },
  ): RewrittenEpoch | undefined;
  close(): void;
}

export function createRewriter(): Rewriter {
  let pool: { key: string; pool: TokenizerPool } | undefined;

  function openPool({ data, training }: Config, folder: string): TokenizerPool {
    const numWorkers = training.num_workers === 0 ? 0 : 1;
    const limits = pairLimits(data);
    const key = JSON.stringify([folder, limits, numWorkers]);
    if (pool?.key !== key) {
      pool?.pool.close();
      pool = { key, pool: openTokenizerPool({ folder, ...limits }, numWorkers) };
    }
    return pool.pool;
  }

  return {
    ofFold(train, { config, model, data: { pairs }, augmentation }) {
      if (augmentation === null && !train.some((index) => pairs[index].paraphrases !== undefined)) return undefined;
      const tokenizer = openPool(config, model.tokenizerFolder);
      const { seed } = config;
      return async (epoch) => {
        const posts = augmentation?.postsOf(train, epoch) ?? new Map<number, string>();
        const criteria = paraphraseEpoch(pairs, train, { seed, epoch });
        const changed = [...new Set([...posts.keys(), ...criteria.keys()])];
        const tokens = await tokenizer.encode(changed.map((index) => ({
          post: posts.get(index) ?? pairs[index].post,
          criterion: criteria.get(index) ?? pairs[index].criterion,
        })));
        return new Map(changed.map((index, i) => [index, tokens[i]]));
      };
    },
    close() {
      pool?.pool.close();
      pool = undefined;
    },
  };
}
