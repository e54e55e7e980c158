/**
 * A convolution along the tokens of each sequence, torch's `Conv1d` with "same" padding: y[t, o] = b[o] + Σ w[o, i, k] ·
 * x[t + k − size / 2, i] over the taps k and the channels i of o's group. It is the product of the unfolded input and the
 * weights as a matrix, those of groups with zeros between.
 */
import { type Tensor, viewOf } from "../gpu/tensor.ts";
import { linearBackwardInput, linearBackwardWeight, linearForward } from "./linear.ts";
import { fixedRows, type Plan, type Rows } from "./plan.ts";
import { quadGrid } from "./rows.ts";

export interface ConvolutionSizes {
  rows: Rows;
  /** Of input and output alike; a multiple of `groups`. */
  channels: number;
  /** Taps: an odd number. */
  size: number;
  groups: number;
}

/** Where the sequences begin, u32 [sequences + 1], and the sequence of each token, u32 [rows]. */
export interface Sequences {
  offsets: Tensor;
  sequenceOf: Tensor;
}

/** What the backward needs of the forward. */
export interface ConvolutionKept {
  /** [rows, channels · size] */
  unfolded: Tensor;
  /** [channels, channels · size] */
  matrix: Tensor;
}

/** y [rows, channels] from x [rows, channels], weight f32 [channels, channels / groups, size] and bias [channels]. */
export function convolutionForward(
  plan: Plan,
  { x, weight, bias, y, offsets, sequenceOf }: Sequences & { x: Tensor; weight: Tensor; bias: Tensor; y: Tensor },
  sizes: ConvolutionSizes,
): ConvolutionKept {
  const { rows, channels, size } = sizes;
  const unfolded = plan.activation("unfolded", [rows.capacity, channels * size]);
  plan.dispatch({
    kernel: "convolution",
    entry: "unfold",
    constants: { COLUMNS: channels * size, CHANNELS: channels, SIZE: size },
    bindings: { rows: rows.uniform, offsets, sequence_of: sequenceOf, x, u: unfolded },
    grid: quadGrid(rows, channels * size),
    label: "unfold",
  });
  const matrix = matrixOf(plan, weight, sizes);
  linearForward(plan, { x: unfolded, weight: matrix, bias, y }, {
    ...{ rows, inFeatures: channels * size, outFeatures: channels, label: "convolution" },
  });
  return { unfolded, matrix };
}

/** Adds to dx [rows, channels], dWeight and dBias. */
export function convolutionBackward(
  plan: Plan,
  { dy, unfolded, matrix, dx, dWeight, dBias, offsets, sequenceOf }:
    & Sequences
    & ConvolutionKept
    & { dy: Tensor; dx: Tensor; dWeight: Tensor; dBias: Tensor },
  sizes: ConvolutionSizes,
): void {
  const { rows, channels, size, groups } = sizes;
  const product = { rows, inFeatures: channels * size, outFeatures: channels };
  const dMatrix = groups === 1
    ? viewOf(dWeight, "d convolution matrix", 0, matrix.shape)
    : plan.transient("d convolution matrix", matrix.shape);
  if (groups > 1) plan.clear(dMatrix);
  linearBackwardWeight(plan, { dy, x: unfolded, dWeight: dMatrix, dBias }, { ...product, label: "convolution dW" });
  if (groups > 1) gather(plan, dMatrix, dWeight, sizes);
  const du = plan.activation("d unfolded", [rows.capacity, channels * size]);
  linearBackwardInput(plan, { dy, weight: matrix, dx: du }, { ...product, accumulate: false, label: "convolution dX" });
  plan.dispatch({
    kernel: "convolution",
    entry: "fold",
    constants: { COLUMNS: channels, CHANNELS: channels, SIZE: size, UNFOLDED: channels * size },
    bindings: { rows: rows.uniform, offsets, sequence_of: sequenceOf, du, dx },
    grid: quadGrid(rows, channels),
    label: "fold",
  });
}

/** The weights as the matrix [channels, channels · size] of the product. */
function matrixOf(plan: Plan, weight: Tensor, { channels, size, groups }: ConvolutionSizes): Tensor {
  const shape = [channels, channels * size];
  if (groups === 1) return viewOf(weight, "convolution matrix", 0, shape);
  const matrix = plan.transient("convolution matrix", shape);
  const rows = fixedRows(plan.gpu, "convolution channels", channels);
  plan.dispatch({
    kernel: "convolution",
    entry: "spread",
    constants: groupConstants({ channels, size, groups }, { columns: shape[1], unfolded: shape[1] / groups }),
    bindings: { rows: rows.uniform, grouped: weight, weight: matrix },
    grid: quadGrid(rows, shape[1]),
    label: "spread convolution weights",
  });
  return matrix;
}

function gather(plan: Plan, dMatrix: Tensor, dWeight: Tensor, { channels, size, groups }: ConvolutionSizes): void {
  const rows = fixedRows(plan.gpu, "convolution channels", channels);
  const columns = channels * size / groups;
  plan.dispatch({
    kernel: "convolution",
    entry: "gather",
    constants: groupConstants({ channels, size, groups }, { columns, unfolded: channels * size }),
    bindings: { rows: rows.uniform, d_weight: dMatrix, d_grouped: dWeight },
    grid: quadGrid(rows, columns),
    label: "gather convolution weights",
  });
}

const groupConstants = (
  { channels, size, groups }: Omit<ConvolutionSizes, "rows">,
  { columns, unfolded }: { columns: number; unfolded: number },
) => ({ COLUMNS: columns, UNFOLDED: unfolded, CHANNELS: channels, SIZE: size, GROUPS: groups });
