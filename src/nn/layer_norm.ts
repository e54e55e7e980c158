/**
 * LayerNorm fused with the dropout and the residual in front of it: y = LN(dropout(x) + residual).
 * Ba, Kiros, Hinton, "Layer Normalization", 2016; the biased variance and eps inside the root as in PyTorch.
 */
import { linearGrid } from "../gpu/program.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { siteUniform } from "./dropout.ts";
import type { Plan, Rows } from "./plan.ts";
import { addPartials, GROUP, partialsFor } from "./reduce.ts";
import { blocksOf, present, rowWalk } from "./rows.ts";

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
  /** 1 / sqrt(variance + eps) [rows]. */
  rstd: Tensor;
}

/** y [rows, columns] = LN(dropout(x) + residual) * weight + bias. Without a backward pass nothing need be kept. */
export function layerNormForward(
  plan: Plan,
  { x, residual, weight, bias, dropout, y, kept }: {
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
  const walk = rowWalk(plan, rows, columns);
  plan.dispatch({
    kernel: "layer_norm",
    entry: "forward",
    constants: {
      ...walk.constants,
      FORWARD: 1,
      COLUMNS: columns,
      EPS: eps,
      RESIDUAL: +!!residual,
      INPUT_DROPOUT: +!!dropout,
      OUTPUT_DROPOUT: 0,
      KEEP: +!!kept,
    },
    bindings: present({
      rows: rows.uniform,
      x,
      residual,
      weight,
      bias,
      dropout,
      site: dropout && siteUniform(plan.gpu, site),
      y,
      ...kept,
    }),
    grid: walk.grid,
    label: `${y.label} forward`,
  });
}

/** y = weight · x̂ + bias from what the forward kept: its output again, where that was not kept. Without dropout. */
export function layerNormAgain(
  plan: Plan,
  { kept, weight, bias, y }: { kept: LayerNormKept; weight: Tensor; bias: Tensor; y: Tensor },
  { rows, columns }: Pick<LayerNormSizes, "rows" | "columns">,
): void {
  const { constants } = rowWalk(plan, rows, columns);
  const none = { FORWARD: 0, GROUP, INPUT_DROPOUT: 0, OUTPUT_DROPOUT: 0, DX: 0, DRESIDUAL: 0 };
  plan.dispatch({
    kernel: "layer_norm",
    entry: "again",
    constants: { ...constants, ...none, COLUMNS: columns },
    bindings: { rows: rows.uniform, normalised: kept.normalised, weight, bias, y },
    grid: (sizes) => linearGrid(Math.ceil(rows.count(sizes) * blocksOf(columns) / 64)),
    label: `${y.label} again`,
  });
}

/**
 * From dy: dResidual = dz, dx = dropout(dz) (each written, where given; without dropout they are equal and one will do),
 * and dWeight, dBias, which are added to. `outputDropout`: the forward pass dropped y instead of x, as embeddings do.
 */
export function layerNormBackward(
  plan: Plan,
  { dy, weight, kept, dropout, dx, dResidual, dWeight, dBias }: {
    dy: Tensor;
    weight: Tensor;
    kept: LayerNormKept;
    dropout?: Tensor;
    dx?: Tensor;
    dResidual?: Tensor;
    dWeight: Tensor;
    dBias: Tensor;
  },
  { rows, columns, site = 0, outputDropout = false }: LayerNormSizes & { outputDropout?: boolean },
): void {
  const walk = rowWalk(plan, rows, columns);
  const inputDropout = !!dropout && !outputDropout && !!dx;
  const dropoutOf = (applies: boolean) => dropout && applies ? { dropout, site: siteUniform(plan.gpu, site) } : {};
  const constants = {
    ...walk.constants,
    FORWARD: 0,
    COLUMNS: columns,
    GROUP,
    INPUT_DROPOUT: +inputDropout,
    OUTPUT_DROPOUT: +(!!dropout && outputDropout),
    DX: +!!dx,
    DRESIDUAL: +!!dResidual,
  };
  if (dx || dResidual) {
    plan.dispatch({
      kernel: "layer_norm",
      entry: "backward",
      constants,
      bindings: present({
        rows: rows.uniform,
        dy,
        weight,
        ...kept,
        ...dropoutOf(inputDropout || outputDropout),
        dx,
        dResidual,
      }),
      grid: walk.grid,
      label: `${dWeight.label} layer norm backward`,
    });
  }
  const weightPartials = partialsFor(plan, "layer norm weight partials", rows, columns);
  const biasPartials = partialsFor(plan, "layer norm bias partials", rows, columns);
  const tiles = Math.ceil(blocksOf(columns) / 32);
  plan.dispatch({
    kernel: "layer_norm",
    entry: "partials",
    constants: { ...constants, INPUT_DROPOUT: 0, DX: 0, DRESIDUAL: 0 },
    bindings: present({
      rows: rows.uniform,
      dy,
      normalised: kept.normalised,
      ...dropoutOf(outputDropout),
      weightPartials,
      biasPartials,
    }),
    grid: (sizes) => linearGrid(Math.ceil(rows.count(sizes) / GROUP) * tiles),
    label: `${dWeight.label} partials`,
  });
  addPartials(plan, { partials: weightPartials, into: dWeight }, { rows, columns });
  addPartials(plan, { partials: biasPartials, into: dBias }, { rows, columns });
}
