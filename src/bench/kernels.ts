/** The kernels that are measured, each with a float64 reference of what it computes. */
import { createUniform, type Tensor, windowOf, writeTensor } from "../gpu/tensor.ts";
import { adamw, adamwUniform } from "../nn/adamw.ts";
import { gradNorm } from "../nn/grad_norm.ts";
import { layerNormBackward, layerNormForward } from "../nn/layer_norm.ts";
import { geluBackward } from "../nn/gelu.ts";
import { linearBackwardInput, linearBackwardWeight, linearForward } from "../nn/linear.ts";
import { fixedRows, type Plan } from "../nn/plan.ts";
import { ROW } from "../nn/rows.ts";
import { biasCorrections, createUpdateTensors, initialScaler, writeScaler } from "../nn/scaler.ts";
import { attentionBench } from "./attention.ts";
import { adamwReference } from "./reference/adamw.ts";
import { geluDerivativeReference } from "./reference/gelu.ts";
import { layerNormBackwardReference, layerNormReference } from "./reference/layer_norm.ts";
import type { KernelBench, Output, Shape, Workbench } from "./workbench.ts";

/** The layers of the demo's model and of DeBERTa-v3-base. */
const LAYERS: readonly Shape[] = [
  { m: 2048, n: 64, k: 64 },
  { m: 2048, n: 128, k: 64 },
  { m: 1024, n: 768, k: 768 },
  { m: 512, n: 3072, k: 768 },
];

const EPS = 1e-7;

const matmulVariant = ({ choices }: Plan): string =>
  [...choices.values()].find(({ operation }) => operation === "product")?.variant ?? "";

const rowVariant = ({ choices }: Plan) =>
  [...choices.values()].find(({ operation }) => operation === ROW.name)!.variant;

const matmulWork = ({ m, n, k }: Shape) => ({ flops: 2 * m * n * k, bytes: 4 * (m * k + n * k + m * n) });

/** Σ over `count` of term(i). */
function sum(count: number, term: (i: number) => number): number {
  let total = 0;
  for (let i = 0; i < count; i++) total += term(i);
  return total;
}

/** An output of which the reference computes everything at once, when it is first asked. */
function whole(tensor: Tensor, reference: () => ArrayLike<number>): Output {
  let values: ArrayLike<number> | undefined;
  return { tensor, expected: (at) => (values ??= reference())[at] };
}

const rowsOf = ({ gpu }: Workbench, count: number) => fixedRows(gpu, "rows", count);

export const KERNEL_BENCHES: Readonly<Record<string, KernelBench>> = {
  matmul: {
    shapes: LAYERS,
    variant: matmulVariant,
    async build(bench, shape) {
      const { m, n, k } = shape;
      const [x, weight] = [await bench.random("x", [m, k]), await bench.random("weight", [n, k])];
      const y = await bench.output("y", [m, n]);
      const sizes = { rows: rowsOf(bench, m), inFeatures: k, outFeatures: n };
      linearForward(bench.plan, { x: x.tensor, weight: weight.tensor, y }, sizes);
      const expected = (at: number) => {
        const [row, column] = [Math.floor(at / n) * k, at % n * k];
        return sum(k, (i) => x.values[row + i] * weight.values[column + i]);
      };
      return { ...matmulWork(shape), outputs: [{ tensor: y, expected }] };
    },
  },
  matmul_input_gradient: {
    shapes: LAYERS,
    variant: matmulVariant,
    async build(bench, shape) {
      const { m, n, k } = shape;
      const [dy, weight] = [await bench.random("dy", [m, n]), await bench.random("weight", [n, k])];
      const dx = await bench.output("dx", [m, k]);
      const sizes = { rows: rowsOf(bench, m), inFeatures: k, outFeatures: n, accumulate: false };
      linearBackwardInput(bench.plan, { dy: dy.tensor, weight: weight.tensor, dx }, sizes);
      const expected = (at: number) => {
        const [row, column] = [Math.floor(at / k) * n, at % k];
        return sum(n, (i) => dy.values[row + i] * weight.values[i * k + column]);
      };
      return { ...matmulWork(shape), outputs: [{ tensor: dx, expected }] };
    },
  },
  matmul_weight_gradient: {
    shapes: LAYERS,
    variant: matmulVariant,
    async build(bench, shape) {
      const { m, n, k } = shape;
      const [dy, x] = [await bench.random("dy", [m, n]), await bench.random("x", [m, k])];
      const dWeight = await bench.output("dWeight", [n, k]);
      const sizes = { rows: rowsOf(bench, m), inFeatures: k, outFeatures: n };
      linearBackwardWeight(bench.plan, { dy: dy.tensor, x: x.tensor, dWeight }, sizes);
      const expected = (at: number) => {
        const [row, column] = [Math.floor(at / k), at % k];
        return sum(m, (i) => dy.values[i * n + row] * x.values[i * k + column]);
      };
      return { ...matmulWork(shape), outputs: [{ tensor: dWeight, expected }] };
    },
  },
  attention: attentionBench("forward"),
  attention_backward: attentionBench("backward"),
  layer_norm: {
    shapes: LAYERS,
    variant: rowVariant,
    async build(bench, { m, n }) {
      const x = await bench.random("x", [m, n]);
      const [weight, bias] = [await bench.random("weight", [n]), await bench.random("bias", [n])];
      const y = await bench.output("y", [m, n]);
      layerNormForward(bench.plan, { x: x.tensor, weight: weight.tensor, bias: bias.tensor, y }, {
        rows: rowsOf(bench, m),
        columns: n,
        eps: EPS,
      });
      const reference = () =>
        layerNormReference({ z: x.values, weight: weight.values, bias: bias.values, columns: n, eps: EPS }).y;
      return { flops: 8 * m * n, bytes: 8 * m * n, outputs: [whole(y, reference)] };
    },
  },
  layer_norm_backward: {
    shapes: LAYERS,
    variant: rowVariant,
    async build(bench, { m, n }) {
      const [x, dy] = [await bench.random("x", [m, n]), await bench.random("dy", [m, n])];
      const [weight, bias] = [await bench.random("weight", [n]), await bench.random("bias", [n])];
      const kept = { normalised: await bench.output("normalised", [m, n]), rstd: await bench.output("rstd", [m]) };
      const y = await bench.output("y", [m, n]);
      const [dx, dWeight, dBias] = [
        await bench.output("dx", [m, n]),
        await bench.output("dWeight", [n]),
        await bench.output("dBias", [n]),
      ];
      const sizes = { rows: rowsOf(bench, m), columns: n, eps: EPS };
      layerNormForward(bench.before, { x: x.tensor, weight: weight.tensor, bias: bias.tensor, y, kept }, sizes);
      layerNormBackward(bench.plan, { dy: dy.tensor, weight: weight.tensor, kept, dx, dWeight, dBias }, sizes);
      let known: ReturnType<typeof layerNormBackwardReference> | undefined;
      const input = { z: x.values, weight: weight.values, bias: bias.values, columns: n, eps: EPS };
      const reference = () => known ??= layerNormBackwardReference(input, dy.values);
      return {
        flops: 14 * m * n,
        bytes: 12 * m * n,
        outputs: [
          whole(dx, () => reference().dz),
          whole(dWeight, () => reference().dWeight),
          whole(dBias, () => reference().dBias),
        ],
      };
    },
  },
  gelu_backward: {
    shapes: LAYERS,
    variant: () => "elementwise",
    async build(bench, { m, n }) {
      const [x, dy] = [await bench.random("x", [m, n], -4, 4), await bench.random("dy", [m, n])];
      const dx = await bench.output("dx", [m, n]);
      geluBackward(bench.plan, { preActivation: x.tensor, dy: dy.tensor, dx }, { rows: rowsOf(bench, m), columns: n });
      const expected = (at: number) => dy.values[at] * geluDerivativeReference(x.values[at]);
      return { flops: 30 * m * n, bytes: 12 * m * n, outputs: [{ tensor: dx, expected }] };
    },
  },
  grad_norm: {
    shapes: LAYERS,
    variant: () => "tree",
    async build(bench, { m, n }) {
      const gradients = await bench.random("gradients", [m * n]);
      const tensors = await createUpdateTensors(bench.gpu, [0.9, 0.999]);
      writeScaler(bench.gpu, tensors.scaler, initialScaler("fp32"));
      const maxNorm = createUniform(bench.gpu, "largest norm", 4); // 0: no clipping
      gradNorm(bench.plan, { ...tensors, gradientChunks: [gradients.tensor], maxNorm });
      const norm = windowOf(tensors.update, "norm and factor", 0, [2]);
      const reference = () => [Math.sqrt(sum(m * n, (i) => gradients.values[i] ** 2)), 1];
      return { flops: 2 * m * n, bytes: 4 * m * n, outputs: [whole(norm, reference)] };
    },
  },
  adamw: {
    shapes: LAYERS,
    variant: () => "fused",
    async build(bench, { m, n }) {
      const count = m * n;
      const [values, gradients] = [await bench.random("values", [count]), await bench.random("gradients", [count])];
      const firstMoment = await bench.random("first moment", [count]);
      const secondMoment = await bench.random("second moment", [count], 0, 1);
      const optimizer = createUniform(bench.gpu, "optimizer parameters", 8);
      const hyper = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01, step: 1 };
      writeTensor(bench.gpu, optimizer, adamwUniform(hyper));
      const { update } = await createUpdateTensors(bench.gpu, [hyper.beta1, hyper.beta2]);
      const clip = 0.375;
      writeTensor(bench.gpu, update, Float32Array.of(1, clip, ...biasCorrections([0.9, 0.999]).subarray(0, 2), 1, 0));
      adamw(bench.plan, {
        values: values.tensor,
        gradients: gradients.tensor,
        firstMoment: firstMoment.tensor,
        secondMoment: secondMoment.tensor,
        update,
        optimizer,
      }, { elements: count, decayedElements: count });
      const after = (at: number) => {
        const state = {
          values: Float64Array.of(values.values[at]),
          firstMoment: Float64Array.of(firstMoment.values[at]),
          secondMoment: Float64Array.of(secondMoment.values[at]),
        };
        return adamwReference(state, [gradients.values[at]], clip, 1, hyper);
      };
      const outputs = [
        { tensor: values.tensor, expected: (at: number) => after(at).values[0] },
        { tensor: firstMoment.tensor, expected: (at: number) => after(at).firstMoment[0] },
        { tensor: secondMoment.tensor, expected: (at: number) => after(at).secondMoment[0] },
      ];
      return { flops: 15 * count, bytes: 28 * count, outputs };
    },
  },
};
