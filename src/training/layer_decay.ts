/**
 * Layer-wise decay of the learning rate: the head's is the configured one, that of the encoder's last layer is the head's
 * times the decay, and so on down to the embeddings. Howard and Ruder, "Universal Language Model Fine-tuning", 2018.
 */
import type { ModelConfig } from "../models/model_config.ts";
import { isEncoderParameter } from "../models/parameters.ts";
import type { ParameterChunk } from "../nn/parameters.ts";

type LayeredModel = Pick<ModelConfig, "modelType" | "numHiddenLayers">;

/** How many depths the parameters of a model can have. */
export const depths = ({ numHiddenLayers }: LayeredModel): number => numHiddenLayers + 2;

/** How far below the head a parameter stands: 0 is the head, 1 the last layer; the embeddings are deepest. */
export function depthOf(name: string, config: LayeredModel): number {
  if (!isEncoderParameter(config, name)) return 0;
  const [, layer] = /\.encoder\.layer\.(\d+)\./.exec(name) ?? [];
  const { numHiddenLayers: layers } = config;
  return layer === undefined ? layers + 1 : layers - Number(layer);
}

/** Elements `begin` … `end` of a chunk, whose parameters have one depth. */
export interface Stretch {
  depth: number;
  begin: number;
  end: number;
}

/** A chunk's elements by depth, in order. */
export function stretchesOf({ parts }: Pick<ParameterChunk, "parts">, config: LayeredModel): Stretch[] {
  const stretches: Stretch[] = [];
  for (const { name, begin, end } of parts) {
    const depth = depthOf(name, config);
    const last = stretches.at(-1);
    if (last?.depth === depth) last.end = end;
    else stretches.push({ depth, begin, end });
  }
  return stretches;
}
