/** Small numbers as uniforms: what tells replays of one kernel apart without compiling it again. */
import type { Gpu } from "../gpu/device.ts";
import { createUniform, type Tensor, TENSOR_ALIGNMENT, viewOf, writeTensor } from "../gpu/tensor.ts";

/** Indices go from 0 to one below this. */
export const INDEX_UNIFORMS = 256;

const uniforms = new WeakMap<GPUDevice, Tensor>();

/** A uniform (`var<uniform> name: u32`) that always holds `index`. */
export function indexUniform(gpu: Gpu, index: number): Tensor {
  const words = TENSOR_ALIGNMENT / 4;
  let all = uniforms.get(gpu.device);
  if (!all) {
    all = createUniform(gpu, "indices", INDEX_UNIFORMS * words);
    writeTensor(gpu, all, Uint32Array.from({ length: INDEX_UNIFORMS * words }, (_, at) => Math.floor(at / words)));
    uniforms.set(gpu.device, all);
  }
  return viewOf(all, `index ${index}`, index * words, [4]);
}
