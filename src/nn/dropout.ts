/** Dropout by itself, where no other kernel can take it along, and plain addition. */
import type { Gpu } from "../gpu/device.ts";
import { createUniform, type Tensor, writeTensor } from "../gpu/tensor.ts";
import type { Plan, Rows } from "./plan.ts";
import { quadGrid } from "./rows.ts";

/**
 * The uniform of lib/dropout.wgsl: what is dropped at a rate in a step, what is kept being multiplied with
 * scale / (1 − rate). A seed may be up to 2⁵³.
 */
export function dropoutWords(
  { seed = 0, step = 0, rate, scale = 1 }: { seed?: number; step?: number; rate: number; scale?: number },
): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(8);
  words.set([seed >>> 0, Math.floor(seed / 2 ** 32), step, Math.round(rate * 2 ** 32)]);
  new Float32Array(words.buffer)[4] = scale / (1 - rate);
  return words;
}

const sites = new WeakMap<Gpu, Map<number, Tensor>>();

/** A uniform that holds the number of a dropout site, `var<uniform> site: u32`; lives as long as the device. */
export function siteUniform(gpu: Gpu, site: number): Tensor {
  let known = sites.get(gpu);
  if (!known) sites.set(gpu, known = new Map());
  let tensor = known.get(site);
  if (!tensor) {
    known.set(site, tensor = createUniform(gpu, `dropout site ${site}`, 1));
    writeTensor(gpu, tensor, Uint32Array.of(site));
  }
  return tensor;
}

/** What a kernel with lib/dropout_quad.wgsl binds: nothing without `dropout`, the uniform of lib/dropout.wgsl. */
export const dropoutAt = ({ gpu }: Plan, dropout: Tensor | undefined, site: number) =>
  dropout ? { dropout, site: siteUniform(gpu, site) } : {};

interface MatrixSizes {
  rows: Rows;
  columns: number;
}

export interface DropoutSizes extends MatrixSizes {
  site: number;
}

/** y = x · factor [rows, columns]. */
export function dropoutForward(
  plan: Plan,
  { x, dropout, y }: { x: Tensor; dropout: Tensor; y: Tensor },
  { site, ...sizes }: DropoutSizes,
): void {
  apply(plan, { x, y, ...dropoutAt(plan, dropout, site) }, sizes, false, `dropout ${y.label}`);
}

/** dx = dy · factor, added to dx if `accumulate`, with the factors of the forward pass at the same site. */
export function dropoutBackward(
  plan: Plan,
  { dy, dropout, dx }: { dy: Tensor; dropout: Tensor; dx: Tensor },
  { site, accumulate = false, ...sizes }: DropoutSizes & { accumulate?: boolean },
): void {
  apply(plan, { x: dy, y: dx, ...dropoutAt(plan, dropout, site) }, sizes, accumulate, `dropout ${dx.label}`);
}

/** into += from, both [rows, columns]. */
export function accumulate(plan: Plan, { from, into }: { from: Tensor; into: Tensor }, sizes: MatrixSizes): void {
  apply(plan, { x: from, y: into }, sizes, true, `${into.label} += ${from.label}`);
}

function apply(
  plan: Plan,
  tensors: { x: Tensor; y: Tensor; dropout?: Tensor; site?: Tensor },
  { rows, columns }: MatrixSizes,
  accumulate: boolean,
  label: string,
): void {
  plan.dispatch({
    kernel: "dropout",
    entry: "apply",
    constants: { COLUMNS: columns, ACCUMULATE: +accumulate },
    bindings: { rows: rows.uniform, ...tensors },
    grid: quadGrid(rows, columns),
    label,
  });
}
