/**
 * Layer-wise decay of the learning rate: the head's is the configured one, that of the encoder's last layer is the head's
 * times the decay, and so on down to the embeddings. Howard and Ruder, "Universal Language Model Fine-tuning", 2018.
 */
import { isBackbone } from "../deberta/parameters.ts";
import type { ParameterChunk } from "../nn/parameters.ts";

/** Depths that the parameters of an encoder with so many layers, and its head, can have. */
export const depths = (layers: number): number => layers + 2;

/** How far below the head a parameter stands: 0 is the head, 1 the last layer; the embeddings are deepest. */
export function depthOf(name: string, layers: number): number {
  if (!isBackbone(name)) return 0;
  const [, layer] = /\.encoder\.layer\.(\d+)\./.exec(name) ?? [];
  return layer === undefined ? layers + 1 : layers - Number(layer);
}

/** Elements `begin` … `end` of a chunk, whose parameters have one depth. */
export interface Stretch {
  depth: number;
  begin: number;
  end: number;
}

/** A chunk's elements by depth, in order. */
export function stretchesOf({ parts }: Pick<ParameterChunk, "parts">, layers: number): Stretch[] {
  const stretches: Stretch[] = [];
  for (const { name, begin, end } of parts) {
    const depth = depthOf(name, layers);
    const last = stretches.at(-1);
    if (last?.depth === depth) last.end = end;
    else stretches.push({ depth, begin, end });
  }
  return stretches;
}
