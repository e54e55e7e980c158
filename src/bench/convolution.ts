/** The convolution of three taps: its forward pass, and the gradients of input and weights. */
import { convolutionBackward, convolutionForward } from "../nn/convolution.ts";
import { bytesOf, type KernelBench, LAYERS, sum, type Workbench } from "./workbench.ts";

const SIZE = 3;

/** One sequence of m tokens. */
async function inputsOf(bench: Workbench, m: number, n: number) {
  const x = await bench.activation("x", [m, n]);
  const weight = await bench.random("weight", [n, n, SIZE]);
  const bias = await bench.random("bias", [n]);
  const y = await bench.output("y", [m, n], bench.storage(n));
  const sequences = {
    offsets: await bench.words("offsets", Uint32Array.of(0, m)),
    sequenceOf: await bench.words("sequence of token", new Uint32Array(m)),
  };
  return { x, weight, bias, y, sequences, sizes: { rows: bench.rows(m), channels: n, size: SIZE, groups: 1 } };
}

const isInside = (token: number, m: number): boolean => token >= 0 && token < m;

export const CONVOLUTION_BENCHES: Readonly<Record<string, KernelBench>> = {
  convolution: {
    shapes: LAYERS,
    async build(bench, { m, n }) {
      const { x, weight, bias, y, sequences, sizes } = await inputsOf(bench, m, n);
      const tensors = { ...sequences, x: x.tensor, weight: weight.tensor, bias: bias.tensor, y };
      convolutionForward(bench.plan, tensors, sizes);
      const expected = (at: number) => {
        const [token, out] = [Math.floor(at / n), at % n];
        return bias.values[out] + sum(n * SIZE, (i) => {
          const other = token + i % SIZE - 1;
          return isInside(other, m)
            ? x.values[other * n + Math.floor(i / SIZE)] * weight.values[out * n * SIZE + i]
            : 0;
        });
      };
      return {
        flops: 2 * SIZE * m * n * n,
        bytes: bytesOf(x.tensor, weight.tensor, y),
        outputs: [{ tensor: y, expected }],
      };
    },
  },
  convolution_backward: {
    shapes: LAYERS,
    async build(bench, { m, n }) {
      const { x, weight, bias, y, sequences, sizes } = await inputsOf(bench, m, n);
      const tensors = { ...sequences, x: x.tensor, weight: weight.tensor, bias: bias.tensor, y };
      const kept = convolutionForward(bench.before, tensors, sizes);
      const dy = await bench.activation("dy", [m, n]);
      const [dx, dWeight, dBias] = [
        await bench.output("dx", [m, n], bench.storage(n)),
        await bench.output("dWeight", [n, n, SIZE]),
        await bench.output("dBias", [n]),
      ];
      convolutionBackward(bench.plan, { ...sequences, ...kept, dy: dy.tensor, dx, dWeight, dBias }, sizes);
      const expected = (at: number) => {
        const [token, channel] = [Math.floor(at / n), at % n];
        return sum(n * SIZE, (i) => {
          const [out, tap] = [Math.floor(i / SIZE), i % SIZE];
          const other = token + 1 - tap;
          return isInside(other, m) ? dy.values[other * n + out] * weight.values[(out * n + channel) * SIZE + tap] : 0;
        });
      };
      const bytes = bytesOf(dy.tensor, x.tensor, weight.tensor, dx, dWeight);
      return { flops: 4 * SIZE * m * n * n, bytes, outputs: [{ tensor: dx, expected }] };
    },
  },
};
