/**
 * LoRA: y += s·B·A·dropout(x) beside a frozen linear layer, A [rank, in] and B [out, rank] (Hu et al., "LoRA: Low-Rank
 * Adaptation of Large Language Models", ICLR 2022, section 4.1; the dropout is that of `peft`). The scale s is part of the
 * dropout's factors, so that nothing else multiplies by it, forward or backward.
 */
import type { Tensor } from "../gpu/tensor.ts";
import { dropoutBackward, dropoutForward } from "./dropout.ts";
import { linearBackwardInput, linearBackwardWeight, linearForward } from "./linear.ts";
import type { Plan, Rows } from "./plan.ts";

/** A layer's input [rows, in], its adapter, and the uniform of lib/dropout.wgsl whose kept factor is s / (1 − rate). */
interface LoraTensors {
  x: Tensor;
  a: Tensor;
  b: Tensor;
  factor: Tensor;
}

export interface LoraSizes {
  rows: Rows;
  inFeatures: number;
  outFeatures: number;
  rank: number;
  /** Dropout site. */
  site: number;
  label: string;
}

/** s·dropout(x) [rows, in] and its product with A [rows, rank]: the backward computes both again, a layer keeps neither. */
function reduce(
  plan: Plan,
  { x, a, factor: dropout }: LoraTensors,
  s: LoraSizes,
): { dropped: Tensor; reduced: Tensor } {
  const { rows, inFeatures, rank, site, label } = s;
  const dropped = plan.activation(`${label} dropped`, [rows.capacity, inFeatures]);
  dropoutForward(plan, { x, dropout, y: dropped }, { rows, columns: inFeatures, site });
  const reduced = plan.activation(`${label} reduced`, [rows.capacity, rank]);
  const sizes = { rows, inFeatures, outFeatures: rank, label: `${label} A` };
  linearForward(plan, { x: dropped, weight: a, y: reduced }, sizes);
  return { dropped, reduced };
}

/** Adds to y [rows, out]. */
export function loraForward(plan: Plan, { y, ...tensors }: LoraTensors & { y: Tensor }, s: LoraSizes): void {
  const { rows, outFeatures, rank: inFeatures, label } = s;
  const { reduced: x } = reduce(plan, tensors, s);
  const sizes = { rows, inFeatures, outFeatures, accumulate: true, label: `${label} B` };
  linearForward(plan, { x, weight: tensors.b, y }, sizes);
}

/** From dy [rows, out]: adds to dA and dB and, where it is given, to dx [rows, in]. */
export function loraBackward(
  plan: Plan,
  { dy, dA, dB, dx, ...tensors }: LoraTensors & { dy: Tensor; dA: Tensor; dB: Tensor; dx?: Tensor },
  s: LoraSizes,
): void {
  const { rows, inFeatures, outFeatures, rank, site, label } = s;
  const { a, b, factor: dropout } = tensors;
  const { dropped, reduced } = reduce(plan, tensors, s);
  const [down, up] = [{ rows, inFeatures, outFeatures: rank }, { rows, inFeatures: rank, outFeatures }];
  linearBackwardWeight(plan, { dy, x: reduced, dWeight: dB }, { ...up, label: `${label} dB` });
  const dReduced = plan.activation(`d ${label} reduced`, [rows.capacity, rank]);
  const options = { accumulate: false, label: `${label} dX` };
  linearBackwardInput(plan, { dy, weight: b, dx: dReduced }, { ...up, ...options });
  linearBackwardWeight(plan, { dy: dReduced, x: dropped, dWeight: dA }, { ...down, label: `${label} dA` });
  if (!dx) return;
  const dDropped = plan.activation(`d ${label} dropped`, [rows.capacity, inFeatures]);
  linearBackwardInput(plan, { dy: dReduced, weight: a, dx: dDropped }, { ...down, ...options });
  dropoutBackward(plan, { dy: dDropped, dropout, dx }, { rows, columns: inFeatures, site, accumulate: true });
}
