/**
 * Weights [rows, columns] in 8 or 4 bits, as a frozen base keeps them. `8bit`: integers −127 … 127 times the row's largest
 * absolute value / 127. `4bit`: the 16 levels of NormalFloat times the largest absolute value of 64 elements one after
 * another (Dettmers et al., "QLoRA", NeurIPS 2023, section 3 and appendix E). Codes lie in words, the first in the lowest
 * bits.
 */
import type { Gpu } from "../gpu/device.ts";
import { linearGrid } from "../gpu/program.ts";
import { createUniform, elements, type Tensor, writeTensor } from "../gpu/tensor.ts";
import type { Plan } from "./plan.ts";
import { quadsOf } from "./rows.ts";

export type QuantizedBits = "8bit" | "4bit";

/** Elements of one scale in 4 bits. */
const BLOCK = 64;

/** Quantiles of a normal distribution, scaled to [−1, 1]; one of them is 0. */
const NF4 = Float32Array.of(
  ...[-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453],
  ...[-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0],
  ...[0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224],
  ...[0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1],
);

/** Halfway from each level to the next. */
const HALFWAY = Float64Array.from({ length: 15 }, (_, i) => (NF4[i] + NF4[i + 1]) / 2);

const codesPerWord = { "8bit": 4, "4bit": 8 } as const;

const scaleLength = ([, columns]: readonly number[], bits: QuantizedBits): number => bits === "8bit" ? columns : BLOCK;

/** Words of codes, and scales, of a matrix. */
export const quantizedSizes = (shape: readonly number[], bits: QuantizedBits): { codes: number; scales: number } => ({
  codes: Math.ceil(elements(shape) / codesPerWord[bits]),
  scales: Math.ceil(elements(shape) / scaleLength(shape, bits)),
});

export interface Quantized {
  codes: Uint32Array<ArrayBuffer>;
  scales: Float32Array<ArrayBuffer>;
}

/** The nearest codes of a whole matrix. */
export function quantize(values: Float32Array, shape: readonly number[], bits: QuantizedBits): Quantized {
  const sizes = quantizedSizes(shape, bits);
  const codes = new Uint32Array(sizes.codes);
  const scales = new Float32Array(sizes.scales);
  const length = scaleLength(shape, bits);
  for (let part = 0; part < scales.length; part++) {
    const end = Math.min((part + 1) * length, values.length);
    let largest = 0;
    for (let i = part * length; i < end; i++) largest = Math.max(largest, Math.abs(values[i]));
    scales[part] = bits === "8bit" ? largest / 127 : largest;
    const inverse = scales[part] === 0 ? 0 : 1 / scales[part];
    for (let i = part * length; i < end; i++) {
      if (bits === "8bit") {
        const code = Math.min(127, Math.max(-127, Math.round(values[i] * inverse)));
        codes[i >>> 2] |= (code & 255) << 8 * (i & 3);
      } else {
        codes[i >>> 3] |= nearestLevel(values[i] * inverse) << 4 * (i & 7);
      }
    }
  }
  return { codes, scales };
}

/** A search of four steps, as there are 2⁴ levels. */
function nearestLevel(value: number): number {
  let level = 0;
  for (let step = 8; step > 0; step >>= 1) if (value > HALFWAY[level + step - 1]) level += step;
  return level;
}

/** The values that codes stand for, to the bits of the kernel. */
export function dequantized({ codes, scales }: Quantized, shape: readonly number[], bits: QuantizedBits): Float32Array {
  const values = new Float32Array(elements(shape));
  const length = scaleLength(shape, bits);
  for (let i = 0; i < values.length; i++) {
    const scale = scales[Math.floor(i / length)];
    values[i] = scale *
      (bits === "8bit" ? codes[i >>> 2] << 24 - 8 * (i & 3) >> 24 : NF4[codes[i >>> 3] >>> 4 * (i & 7) & 15]);
  }
  return values;
}

/** A matrix's codes, u32, and scales on the device. */
export interface QuantizedTensor {
  readonly bits: QuantizedBits;
  readonly shape: readonly number[];
  readonly codes: Tensor;
  readonly scales: Tensor;
}

const levels = new WeakMap<GPUDevice, Tensor>();

function levelsUniform(gpu: Gpu): Tensor {
  let tensor = levels.get(gpu.device);
  if (!tensor) {
    levels.set(gpu.device, tensor = createUniform(gpu, "levels of NormalFloat", NF4.length));
    writeTensor(gpu, tensor, NF4);
  }
  return tensor;
}

/** y [rows, columns], of any type = the values of the codes. */
export function dequantize(
  plan: Plan,
  { bits, shape: [rows, columns], codes, scales }: QuantizedTensor,
  y: Tensor,
): void {
  const grid = linearGrid(Math.ceil(rows * quadsOf(columns) / 64));
  plan.dispatch({
    kernel: "dequantize",
    entry: "expand",
    constants: { ROWS: rows, COLUMNS: columns, BITS: bits === "8bit" ? 8 : 4, BLOCK },
    bindings: { codes, scales, y, ...(bits === "4bit" && { levels: levelsUniform(plan.gpu) }) },
    grid: () => grid,
    label: y.label,
  });
}
