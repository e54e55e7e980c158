/** The library's face of a trained model. */
import { join } from "node:path";
import { atomicFile, makeFolder, writeAll } from "../formats/atomic_write.ts";
import type { Chunking } from "../models/chunking.ts";
import { OPTIMIZER_FILE } from "../models/checkpoint.ts";
import { type Gpu, openGpu } from "../gpu/device.ts";
import type { AskedPrecision } from "./precision.ts";
import { openScorer, type Scorer, scoreTexts, type TextPair, type TextScore } from "./scorer.ts";
import { STATE_FILE } from "./state.ts";

/** How `CrossEncoder.fromPretrained` opens a model. */
export interface CrossEncoderOptions {
  /** A device to share; by default the model opens one of its own and closes it with `close`. */
  gpu?: Gpu;
  /** Tokens of a pair at most, a longer post being cut; by default what the checkpoint was trained with, else 512. */
  maxLength?: number;
  /** Tokens of a chunk, to read longer posts in chunks; null: not; by default as the checkpoint was trained. */
  chunkMaxLength?: number | null;
  /** How posts are read in chunks; what is absent is as the checkpoint was trained, or the usual. */
  chunking?: Partial<Chunking>;
  /** Pairs scored at once. */
  batchSize?: number;
  /** How it computes: "auto" (default) takes fp32 on a software adapter, fp16 on a hardware one. */
  precision?: AskedPrecision;
}

/** How `rank` answers. */
export interface RankOptions {
  /** So many of the best; by default all. */
  topK?: number;
  /** Whether each rank has its document's text. */
  returnDocuments?: boolean;
}

/** A document's place in a ranking, as sentence-transformers gives it. */
export interface RankedDocument {
  /** Its index among the documents. */
  corpusId: number;
  /** The probability of the positive class. */
  score: number;
  /** With `returnDocuments`. */
  text?: string;
}

/**
 * A cross-encoder from a Hugging Face folder, or from the hub by its id.
 *
 * @example
 * using model = await CrossEncoder.fromPretrained("outputs/entail/checkpoints/fold_0/best");
 * const [{ probability }] = await model.predict([{ post: "I barely sleep.", criterion: "Sleep problems." }]);
 */
export class CrossEncoder {
  readonly #scorer: Scorer;
  #release: () => void;

  /** Made by `fromPretrained` and `train`. */
  constructor(scorer: Scorer, release: () => void) {
    this.#scorer = scorer;
    this.#release = release;
  }

  /** Reads config, tokenizer and weights. Throws `EntailError`: "data" for the folder, "adapter" for the device. */
  static async fromPretrained(folder: string, { gpu, ...options }: CrossEncoderOptions = {}): Promise<CrossEncoder> {
    const device = gpu ?? await openGpu();
    const release = () => {
      if (!gpu) device.close();
    };
    try {
      return new CrossEncoder(await openScorer(device, folder, options), release);
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Logits and the positive class's probability of each pair, in order; a pair may be written `[post, criterion]`. */
  predict(pairs: readonly (TextPair | readonly [post: string, criterion: string])[]): Promise<TextScore[]> {
    return scoreTexts(
      this.#scorer,
      pairs.map((pair) => "post" in pair ? pair : { post: pair[0], criterion: pair[1] }),
    );
  }

  /**
   * The documents by their scores with the query, the best first, as sentence-transformers' `CrossEncoder.rank`: the query is
   * the first text of each pair. Of a model for posts and criteria that is a post, whose criteria are ranked.
   */
  async rank(
    query: string,
    documents: readonly string[],
    { topK = documents.length, returnDocuments = false }: RankOptions = {},
  ): Promise<RankedDocument[]> {
    const scores = await this.predict(documents.map((document) => [query, document]));
    return scores.map(({ probability }, corpusId) => ({
      corpusId,
      score: probability,
      ...(returnDocuments ? { text: documents[corpusId] } : {}),
    })).sort((a, b) => b.score - a.score).slice(0, topK);
  }

  /**
   * Writes the files that the model was read from into a folder, for `fromPretrained` here and in transformers. An adapter
   * stays an adapter of its base model. Usage error where the folder cannot be written.
   */
  async savePretrained(folder: string): Promise<void> {
    const { weights } = this.#scorer;
    const source = typeof weights === "string" ? weights : weights.adapter;
    await makeFolder(folder);
    for await (const { name } of Deno.readDir(source)) {
      const isOfTraining = name === OPTIMIZER_FILE || name === STATE_FILE;
      if (isOfTraining || !(await Deno.stat(join(source, name))).isFile) continue;
      await atomicFile(join(folder, name), async (file) => {
        for await (const bytes of (await Deno.open(join(source, name))).readable) await writeAll(file, bytes);
      });
    }
  }

  /** Gives device memory back, and what only this model used: the device, the files of a training that kept none. */
  close(): void {
    this.#scorer.release();
    this.#release();
    this.#release = () => {};
  }

  /** The same, at the end of a block with `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}
