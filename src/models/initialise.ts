/**
 * Initial values of parameters, distributed as in transformers' `…ForSequenceClassification`: weights and
 * embeddings normal(0, initializer_range), biases 0, LayerNorms 1 and 0, the padding token's embedding 0. Adapters as in
 * `peft`: A uniform between ±1/√in (He et al., 2015, with the slope √5), B 0.
 *
 * An element's value depends on the seed, the parameter's name and the element's index alone: Philox 4x32-10 (Salmon et
 * al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) keyed by seed and name, counted by index / 4, four words
 * to four normal numbers by Box and Muller's method, or to four uniform ones.
 */
import { elements } from "../gpu/tensor.ts";
import type { ParameterSpec } from "../nn/parameters.ts";
import type { ModelConfig } from "./model_config.ts";

/** Elements at a time for large tables. */
const PIECE = 1 << 22;

/** Values of elements `offset` … `offset + count` (default: all) of a parameter. `seed` is an unsigned 32-bit number. */
export function initialValues(
  { name, shape }: ParameterSpec,
  config: ModelConfig,
  seed: number,
  offset = 0,
  count = elements(shape) - offset,
): Float32Array<ArrayBuffer> {
  const values = new Float32Array(count);
  if (name.endsWith(".bias") || name.endsWith(".lora_B.weight")) return values;
  if (/(LayerNorm|layer_norm)\.weight$/.test(name)) return values.fill(1);
  if (name.endsWith(".lora_A.weight")) {
    const bound = 1 / Math.sqrt(shape[1]);
    fill(values, seed, nameKey(name), offset, (words, into) => {
      for (let i = 0; i < 4; i++) into[i] = bound * (words[i] / 2 ** 31 - 1);
    });
    return values;
  }
  const deviation = config.initializerRange || 0.02;
  fill(values, seed, nameKey(name), offset, (words, into) => {
    boxMuller(into, 0, words[0], words[1], deviation);
    boxMuller(into, 2, words[2], words[3], deviation);
  });
  if (name.endsWith("word_embeddings.weight") && config.padTokenId !== null) {
    const begin = config.padTokenId * shape[1] - offset;
    values.fill(0, Math.max(begin, 0), Math.max(begin + shape[1], 0));
  }
  return values;
}

/** The same in pieces of bounded size, for upload one after another. */
export function* initialPieces(
  spec: ParameterSpec,
  config: ModelConfig,
  seed: number,
): Generator<{ offset: number; values: Float32Array<ArrayBuffer> }> {
  const total = elements(spec.shape);
  for (let offset = 0; offset < total; offset += PIECE) {
    yield { offset, values: initialValues(spec, config, seed, offset, Math.min(PIECE, total - offset)) };
  }
}

/** FNV-1a of the name's UTF-8 bytes. */
function nameKey(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** High word of the 64-bit product of two unsigned 32-bit numbers, in int32 arithmetic: no partial sum overflows. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = (Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16)) | 0;
  const cross = (Math.imul(aLow, bHigh) + (middle & 0xffff)) | 0;
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (cross >>> 16)) | 0;
}

/** values[i] = number `offset + i` of the stream (seed, stream), four of which are made from four words. */
function fill(
  values: Float32Array,
  seed: number,
  stream: number,
  offset: number,
  distribute: (words: Uint32Array, into: Float64Array) => void,
): void {
  const first = Math.floor(offset / 4);
  const last = Math.floor((offset + values.length - 1) / 4);
  const words = new Uint32Array(4);
  const numbers = new Float64Array(4);
  for (let block = first; block <= last; block++) {
    let c0 = block | 0;
    let c1 = Math.floor(block / 2 ** 32) | 0;
    let c2 = 0;
    let c3 = 0;
    let k0 = seed | 0;
    let k1 = stream | 0;
    for (let round = 0; round < 10; round++) {
      const high0 = multiplyHigh(0xD2511F53, c0);
      const high1 = multiplyHigh(0xCD9E8D57, c2);
      const low0 = Math.imul(0xD2511F53, c0);
      const low1 = Math.imul(0xCD9E8D57, c2);
      c0 = high1 ^ c1 ^ k0;
      c1 = low1;
      c2 = high0 ^ c3 ^ k1;
      c3 = low0;
      k0 = (k0 + 0x9E3779B9) | 0;
      k1 = (k1 + 0xBB67AE85) | 0;
    }
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
    distribute(words, numbers);
    const at = block * 4 - offset;
    for (let i = 0; i < 4; i++) {
      if (at + i >= 0 && at + i < values.length) values[at + i] = numbers[i];
    }
  }
}

/** Two normal numbers from two uniform words. */
function boxMuller(into: Float64Array, at: number, word0: number, word1: number, deviation: number): void {
  const radius = deviation * Math.sqrt(-2 * Math.log((word0 + 1) / 2 ** 32));
  const angle = 2 * Math.PI * (word1 / 2 ** 32);
  into[at] = radius * Math.cos(angle);
  into[at + 1] = radius * Math.sin(angle);
}
