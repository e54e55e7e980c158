/** Dropout by itself, where no other kernel can take it along, and plain addition. */
import type { Gpu } from "../gpu/device.ts";
import { createUniform, type Tensor, writeTensor } from "../gpu/tensor.ts";
import type { Plan, Rows } from "./plan.ts";
import { quadGrid } from "./rows.ts";

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

export interface DropoutSizes {
  rows: Rows;
  columns: number;
  site: number;
}

/** y = x · factor [rows, columns]; `dropout` is the uniform of kernels/lib/dropout.wgsl. */
export function dropoutForward(
  plan: Plan,
  { x, dropout, y }: { x: Tensor; dropout: Tensor; y: Tensor },
  { rows, columns, site }: DropoutSizes,
): void {
  plan.dispatch({
    kernel: "dropout",
    entry: "apply",
    constants: { COLUMNS: columns },
    bindings: { rows: rows.uniform, x, y, dropout, site: siteUniform(plan.gpu, site) },
    grid: quadGrid(rows, columns),
    label: `dropout ${y.label}`,
  });
}

/** dx = dy · factor, with the factors of the forward pass at the same site. */
export function dropoutBackward(
  plan: Plan,
  { dy, dropout, dx }: { dy: Tensor; dropout: Tensor; dx: Tensor },
  sizes: DropoutSizes,
): void {
  dropoutForward(plan, { x: dy, dropout, y: dx }, sizes);
}

/** into += from, both [rows, columns]. */
export function accumulate(
  plan: Plan,
  { from, into }: { from: Tensor; into: Tensor },
  { rows, columns }: { rows: Rows; columns: number },
): void {
  plan.dispatch({
    kernel: "dropout",
    entry: "accumulate",
    constants: { COLUMNS: columns },
    bindings: { rows: rows.uniform, x: from, y: into },
    grid: quadGrid(rows, columns),
    label: `${into.label} += ${from.label}`,
  });
}
