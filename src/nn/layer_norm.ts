/**
 * LayerNorm fused with the dropout and the residual in front of it: y = LN(dropout(x) + residual).
 * Ba, Kiros, Hinton, "Layer Normalization", 2016; the biased variance and eps inside the root as in PyTorch.
 * Matrices [rows, columns] may be of any type; weight, bias and their gradients are f32.
 */
import type { Tensor } from "../gpu/tensor.ts";
import { dropoutAt } from "./dropout.ts";
import type { Plan, Rows } from "./plan.ts";
import { addPartials, GROUP, partialsFor } from "./reduce.ts";
import { present, quadGrid, ROW, type RowVariant, rowWalk, tileGrid } from "./rows.ts";
import { appendChosen, choose } from "./variants.ts";

export interface LayerNormSizes {
  rows: Rows;
  columns: number;
  eps: number;
  /** Dropout site, where there is dropout. */
  site?: number;
}

/** What the backward pass needs from the forward pass. */
export interface LayerNormKept {
  /** x̂ [rows, columns]. */
  normalised: Tensor;
  /** 1 / sqrt(variance + eps) [rows], f32. */
  rstd: Tensor;
}

/** y [rows, columns] = LN(dropout(x) + residual) * weight + bias. Without a backward pass nothing need be kept. */
export function layerNormForward(
  plan: Plan,
  { dropout, kept, ...tensors }: {
    x: Tensor;
    residual?: Tensor;
    weight: Tensor;
    bias: Tensor;
    dropout?: Tensor;
    y: Tensor;
    kept?: LayerNormKept;
  },
  { rows, columns, eps, site = 0 }: LayerNormSizes,
): void {
  appendChosen(plan, ROW, { kernel: "layer norm", columns, dtype: tensors.x.dtype }, (on, variant) => {
    const { constants, grid } = rowWalk(variant, rows, columns);
    on.dispatch({
      kernel: "layer_norm",
      entry: "forward",
      constants: { ...constants, EPS: eps, OUTPUT_DROPOUT: 0 },
      bindings: present({ ...tensors, ...kept, ...dropoutAt(on, dropout, site), rows: rows.uniform }),
      grid,
      label: `${tensors.y.label} forward`,
    });
  });
}

/** y = weight · x̂ + bias from what the forward kept: the bits of its output again, where that was not kept. Without dropout. */
export function layerNormAgain(
  plan: Plan,
  { kept, weight, bias, y }: { kept: LayerNormKept; weight: Tensor; bias: Tensor; y: Tensor },
  { rows, columns }: Pick<LayerNormSizes, "rows" | "columns">,
): void {
  const variant = choose(plan, ROW, { kernel: "layer norm again", columns, dtype: kept.normalised.dtype });
  const { constants } = rowWalk(variant, rows, columns);
  plan.dispatch({
    kernel: "layer_norm",
    entry: "again",
    constants: { ...constants, GROUP, OUTPUT_DROPOUT: 0 },
    bindings: { rows: rows.uniform, normalised: kept.normalised, weight, bias, y },
    grid: quadGrid(rows, columns),
    label: `${y.label} again`,
  });
}

interface LayerNormGradients {
  dy: Tensor;
  weight: Tensor;
  kept: LayerNormKept;
  dropout?: Tensor;
  dx?: Tensor;
  dResidual?: Tensor;
  /** Both absent where weight and bias are frozen. */
  dWeight?: Tensor;
  dBias?: Tensor;
}

/**
 * From dy: dResidual = dz, dx = dropout(dz) (each written, where given; without dropout they are equal and one will do),
 * and dWeight, dBias, which are added to, both or neither. `outputDropout`: the forward pass dropped y instead of x, as
 * embeddings do.
 */
export function layerNormBackward(
  plan: Plan,
  tensors: LayerNormGradients,
  sizes: LayerNormSizes & { outputDropout?: boolean },
): void {
  const shape = { kernel: "layer norm backward", columns: sizes.columns, dtype: tensors.dy.dtype };
  appendChosen(plan, ROW, shape, (on, variant) => backwardBy(on, variant, tensors, sizes));
}

function backwardBy(
  plan: Plan,
  variant: RowVariant,
  { dy, weight, kept, dropout, dx, dResidual, dWeight, dBias }: LayerNormGradients,
  { rows, columns, site = 0, outputDropout = false }: LayerNormSizes & { outputDropout?: boolean },
): void {
  const walk = rowWalk(variant, rows, columns);
  const constants = { ...walk.constants, GROUP, OUTPUT_DROPOUT: +(outputDropout && !!dropout) };
  const drops = (applies: boolean) => dropoutAt(plan, applies ? dropout : undefined, site);
  const input = { rows: rows.uniform, dy };
  if (dx || dResidual) {
    plan.dispatch({
      kernel: "layer_norm",
      entry: "backward",
      constants,
      bindings: present({ ...input, ...kept, weight, ...drops(outputDropout || !!dx), dx, d_residual: dResidual }),
      grid: walk.grid,
      label: `${weight.label} layer norm backward`,
    });
  }
  if (!dWeight || !dBias) return;
  const weightPartials = partialsFor(plan, "layer norm weight partials", rows, columns);
  const biasPartials = partialsFor(plan, "layer norm bias partials", rows, columns);
  plan.dispatch({
    kernel: "layer_norm",
    entry: "partials",
    constants,
    bindings: present({
      ...input,
      normalised: kept.normalised,
      ...drops(outputDropout),
      weight_partials: weightPartials,
      bias_partials: biasPartials,
    }),
    grid: (sizes) => tileGrid(Math.ceil(rows.count(sizes) / GROUP), columns),
    label: `${dWeight.label} partials`,
  });
  addPartials(plan, { partials: weightPartials, into: dWeight }, { rows, columns });
  addPartials(plan, { partials: biasPartials, into: dBias }, { rows, columns });
}
