/** The library's face of a trained model. */
import type { Chunking } from "../models/chunking.ts";
import { type Gpu, openGpu } from "../gpu/device.ts";
import type { AskedPrecision } from "./precision.ts";
import { openScorer, type Scorer, scoreTexts, type TextPair, type TextScore } from "./scorer.ts";

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

/**
 * A cross-encoder from a Hugging Face folder, or from the hub by its id.
 *
 * @example
 * const model = await CrossEncoder.fromPretrained("outputs/entail/checkpoints/fold_0/best");
 * const [{ probability }] = await model.predict([{ post: "I barely sleep.", criterion: "Sleep problems." }]);
 * model.close();
 */
export class CrossEncoder {
  private constructor(private readonly scorer: Scorer, private readonly ownGpu: Gpu | null) {}

  /** Reads config, tokenizer and weights. Throws `EntailError`: "data" for the folder, "adapter" for the device. */
  static async fromPretrained(folder: string, { gpu, ...options }: CrossEncoderOptions = {}): Promise<CrossEncoder> {
    const device = gpu ?? await openGpu();
    try {
      return new CrossEncoder(await openScorer(device, folder, options), gpu ? null : device);
    } catch (error) {
      if (!gpu) device.close();
      throw error;
    }
  }

  /** Logits and the positive class's probability of each pair, in order. */
  predict(pairs: readonly TextPair[]): Promise<TextScore[]> {
    return scoreTexts(this.scorer, pairs);
  }

  /** Gives device memory back. */
  close(): void {
    this.scorer.release();
    this.ownGpu?.close();
  }
}
