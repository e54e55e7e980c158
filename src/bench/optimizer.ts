/** What ends a step: loss, norm of the gradients, AdamW. */
import { createUniform, windowOf, writeTensor } from "../gpu/tensor.ts";
import { adamw, adamwUniform } from "../nn/adamw.ts";
import { gradNorm } from "../nn/grad_norm.ts";
import { LOSS_WORDS, lossForwardBackward, lossUniform } from "../nn/loss.ts";
import { biasCorrections, createUpdateTensors, initialScaler, writeScaler } from "../nn/scaler.ts";
import { adamwReference } from "./reference/adamw.ts";
import { bytesOf, type KernelBench, LAYERS, sum, whole } from "./workbench.ts";

const BETAS = [0.9, 0.999] as const;

/** Parameters come in chunks of whole quads. */
const chunkOf = (elements: number): number => 4 * Math.ceil(elements / 4);

export const OPTIMIZER_BENCHES: Readonly<Record<string, KernelBench>> = {
  loss: {
    shapes: LAYERS,
    async build(bench, { m }) {
      const logits = await bench.random("logits", [m, 2], -3, 3);
      const labels = Uint32Array.from({ length: m }, (_, i) => i % 3 === 0 ? 1 : 0);
      const parameters = createUniform(bench.gpu, "loss parameters", LOSS_WORDS);
      const scale = 1 / m;
      writeTensor(bench.gpu, parameters, lossUniform({ scale }));
      const { scaler } = await createUpdateTensors(bench.gpu, BETAS);
      writeScaler(bench.gpu, scaler, initialScaler("fp32"));
      const [dLogits, lossSum] = [await bench.output("dLogits", [m, 2]), await bench.output("loss sum", [1])];
      const tensors = { logits: logits.tensor, labels: await bench.words("labels", labels), parameters, scaler };
      const sizes = { sequences: bench.rows(m), numLabels: 2, kind: "cross_entropy" } as const;
      const unread = { groups: tensors.labels, teacher: tensors.labels };
      lossForwardBackward(bench.plan, { ...tensors, ...unread, dLogits, lossSum }, sizes);
      const probability = (row: number, label: number) =>
        1 / (1 + Math.exp(logits.values[2 * row + 1 - label] - logits.values[2 * row + label]));
      const slope = (at: number) => {
        const [row, label] = [at >> 1, at & 1];
        return scale * (probability(row, label) - (labels[row] === label ? 1 : 0));
      };
      const total = () => -scale * sum(m, (row) => Math.log(probability(row, labels[row])));
      const outputs = [{ tensor: dLogits, expected: slope }, { tensor: lossSum, expected: total }];
      return { flops: 20 * m, bytes: bytesOf(logits.tensor, dLogits), outputs };
    },
  },
  grad_norm: {
    shapes: LAYERS,
    async build(bench, { m, n }) {
      const count = chunkOf(m * n);
      const gradients = await bench.random("gradients", [count]);
      const tensors = await createUpdateTensors(bench.gpu, BETAS);
      writeScaler(bench.gpu, tensors.scaler, initialScaler("fp32"));
      const maxNorm = createUniform(bench.gpu, "largest norm", 4); // 0: no clipping
      gradNorm(bench.plan, { ...tensors, gradientChunks: [gradients.tensor], maxNorm });
      const norm = windowOf(tensors.update, "norm and factor", 0, [2]);
      const reference = () => [Math.sqrt(sum(count, (i) => gradients.values[i] ** 2)), 1];
      return { flops: 2 * count, bytes: bytesOf(gradients.tensor), outputs: [whole(norm, reference)] };
    },
  },
  /** With the half copy of the parameters in half precision. */
  adamw: {
    shapes: LAYERS,
    async build(bench, { m, n }) {
      const count = chunkOf(m * n);
      const [values, gradients] = [await bench.random("values", [count]), await bench.random("gradients", [count])];
      const firstMoment = await bench.random("first moment", [count]);
      const secondMoment = await bench.random("second moment", [count], 0, 1);
      const type = bench.storage(count);
      const compute = type === "f32" ? null : await bench.output("half copy", [count], type);
      const optimizer = createUniform(bench.gpu, "optimizer parameters", 8);
      const hyper = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01, step: 1 };
      writeTensor(bench.gpu, optimizer, adamwUniform(hyper));
      const { update } = await createUpdateTensors(bench.gpu, BETAS);
      const clip = 0.375;
      writeTensor(bench.gpu, update, Float32Array.of(1, clip, ...biasCorrections(BETAS).subarray(0, 2), 1, 0));
      adamw(bench.plan, {
        ...{ values: values.tensor, gradients: gradients.tensor, compute, update, optimizer },
        ...{ firstMoment: firstMoment.tensor, secondMoment: secondMoment.tensor },
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
        ...(compute ? [{ tensor: compute, expected: (at: number) => after(at).values[0] }] : []),
      ];
      const written = [values.tensor, firstMoment.tensor, secondMoment.tensor];
      const bytes = bytesOf(...written, ...written, gradients.tensor, ...(compute ? [compute] : []));
      return { flops: 15 * count, bytes, outputs };
    },
  },
};
