/** Matrix products, as linear layers and the position tables of attention need them. */
import { linearBackwardInput, linearBackwardWeight, linearForward } from "../nn/linear.ts";
import { product } from "../nn/product.ts";
import { bytesOf, type KernelBench, LAYERS, type Shape, sum } from "./workbench.ts";

const flopsOf = ({ m, n, k }: Shape): number => 2 * m * n * k;

const common = { shapes: LAYERS, operation: "product" };

export const PRODUCT_BENCHES: Readonly<Record<string, KernelBench>> = {
  matmul: {
    ...common,
    async build(bench, shape) {
      const { m, n, k } = shape;
      const [x, weight] = [await bench.activation("x", [m, k]), await bench.activation("weight", [n, k])];
      const y = await bench.output("y", [m, n], bench.storage(n));
      const sizes = { rows: bench.rows(m), inFeatures: k, outFeatures: n };
      linearForward(bench.plan, { x: x.tensor, weight: weight.tensor, y }, sizes);
      const expected = (at: number) => {
        const [row, column] = [Math.floor(at / n) * k, at % n * k];
        return sum(k, (i) => x.values[row + i] * weight.values[column + i]);
      };
      return { flops: flopsOf(shape), bytes: bytesOf(x.tensor, weight.tensor, y), outputs: [{ tensor: y, expected }] };
    },
  },
  matmul_input_gradient: {
    ...common,
    async build(bench, shape) {
      const { m, n, k } = shape;
      const [dy, weight] = [await bench.activation("dy", [m, n]), await bench.activation("weight", [n, k])];
      const dx = await bench.output("dx", [m, k], bench.storage(k));
      const sizes = { rows: bench.rows(m), inFeatures: k, outFeatures: n, accumulate: false };
      linearBackwardInput(bench.plan, { dy: dy.tensor, weight: weight.tensor, dx }, sizes);
      const expected = (at: number) => {
        const [row, column] = [Math.floor(at / k) * n, at % k];
        return sum(n, (i) => dy.values[row + i] * weight.values[i * k + column]);
      };
      const bytes = bytesOf(dy.tensor, weight.tensor, dx);
      return { flops: flopsOf(shape), bytes, outputs: [{ tensor: dx, expected }] };
    },
  },
  matmul_weight_gradient: {
    ...common,
    async build(bench, shape) {
      const { m, n, k } = shape;
      const [dy, x] = [await bench.activation("dy", [m, n]), await bench.activation("x", [m, k])];
      const [dWeight, dBias] = [await bench.output("dWeight", [n, k]), await bench.output("dBias", [n])];
      const sizes = { rows: bench.rows(m), inFeatures: k, outFeatures: n };
      linearBackwardWeight(bench.plan, { dy: dy.tensor, x: x.tensor, dWeight, dBias }, sizes);
      const expected = (at: number) => {
        const [row, column] = [Math.floor(at / k), at % k];
        return sum(m, (i) => dy.values[i * n + row] * x.values[i * k + column]);
      };
      const outputs = [
        { tensor: dWeight, expected },
        { tensor: dBias, expected: (at: number) => sum(m, (i) => dy.values[i * n + at]) },
      ];
      return { flops: flopsOf(shape), bytes: bytesOf(dy.tensor, x.tensor, dWeight, dWeight), outputs };
    },
  },
  /** m rows of heads of k elements times a table of n rows of the same: one product a head. */
  matmul_batched: {
    operation: "product",
    takes: ({ n, k }) => n % 4 === 0 && k % 4 === 0,
    shapes: [{ m: 2048, n: 64, k: 16 }, { m: 1024, n: 512, k: 64 }],
    async build(bench, { m, n, k }) {
      const heads = 4;
      const width = heads * k;
      const [x, table] = [await bench.activation("x", [m, width]), await bench.activation("table", [n, width])];
      const scores = await bench.output("scores", [m, heads, n]);
      const ofHead = { alongK: true, stride: width, step: k };
      product(bench.plan, {
        ...{ label: "scores", rows: bench.rows(m), m: "rows", n, k, batch: heads },
        a: { ...ofHead, tensor: x.tensor },
        b: { ...ofHead, tensor: table.tensor },
        c: { tensor: scores, stride: heads * n, step: n },
      });
      const expected = (at: number) => {
        const [row, head, column] = [Math.floor(at / n / heads), Math.floor(at / n) % heads, at % n];
        return sum(k, (i) => x.values[row * width + head * k + i] * table.values[column * width + head * k + i]);
      };
      const bytes = bytesOf(x.tensor, table.tensor, scores);
      return { flops: 2 * m * n * k * heads, bytes, outputs: [{ tensor: scores, expected }] };
    },
  },
};
