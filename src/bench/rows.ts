/** What walks rows or elements: LayerNorm, GELU, dropout, embeddings, pooling. */
import { attentionPoolBackward, attentionPoolForward } from "../nn/attention_pooling.ts";
import { accumulate, dropoutForward } from "../nn/dropout.ts";
import { embeddingBackward, embeddingForward } from "../nn/embedding.ts";
import { geluBackward, geluForward } from "../nn/gelu.ts";
import { tanhBackward } from "../nn/tanh.ts";
import { layerNormAgain, layerNormBackward, layerNormForward } from "../nn/layer_norm.ts";
import { poolBackward, poolForward } from "../nn/pooling.ts";
import { attentionPoolBackwardReference, attentionPoolReference } from "./reference/attention_pooling.ts";
import { geluDerivativeReference, geluReference } from "./reference/gelu.ts";
import { layerNormBackwardReference, layerNormReference } from "./reference/layer_norm.ts";
import { dropoutFactor } from "./reference/philox.ts";
import { bytesOf, type KernelBench, LAYERS, once, type Shape, sum, whole, type Workbench } from "./workbench.ts";

const EPS = 1e-7;
const SITE = 3;
const DROPOUT = { rate: 0.1, key: [1, 2] as [number, number], step: 0 };

/** Of an element of [rows, columns]; random words belong to whole quads of a row. */
const factorOf = (at: number, columns: number): number => {
  const place = Math.floor(at / columns) * 4 * Math.ceil(columns / 4) + at % columns;
  return dropoutFactor(DROPOUT.rate, DROPOUT.key, DROPOUT.step, SITE, place);
};

/** Weight and bias of a LayerNorm, and what its forward pass keeps. */
async function normOf(bench: Workbench, { m, n }: Shape) {
  const [weight, bias] = [await bench.random("weight", [n]), await bench.random("bias", [n])];
  const kept = {
    normalised: await bench.output("normalised", [m, n], bench.storage(n)),
    rstd: await bench.output("rstd", [m]),
  };
  return { weight, bias, kept, y: await bench.output("y", [m, n], bench.storage(n)) };
}

/** What float64 says of layerNormForward with dropout and residual, and of the gradients. */
const NORM: Readonly<Record<string, KernelBench>> = {
  layer_norm: {
    shapes: LAYERS,
    operation: "row",
    async build(bench, shape) {
      const { m, n } = shape;
      const [x, residual] = [await bench.activation("x", [m, n]), await bench.activation("residual", [m, n])];
      const { weight, bias, kept, y } = await normOf(bench, shape);
      const tensors = { x: x.tensor, residual: residual.tensor, weight: weight.tensor, bias: bias.tensor, y, kept };
      const dropout = bench.dropout(DROPOUT);
      layerNormForward(bench.plan, { ...tensors, dropout }, { rows: bench.rows(m), columns: n, eps: EPS, site: SITE });
      const reference = once(() => {
        const z = Float64Array.from(x.values, (value, at) => value * factorOf(at, n) + residual.values[at]);
        return layerNormReference({ z, weight: weight.values, bias: bias.values, columns: n, eps: EPS });
      });
      return {
        flops: 10 * m * n,
        bytes: bytesOf(x.tensor, residual.tensor, y, kept.normalised),
        outputs: [whole(y, () => reference().y), whole(kept.normalised, () => reference().normalised)],
      };
    },
  },
  layer_norm_again: {
    shapes: LAYERS,
    async build(bench, shape) {
      const { m, n } = shape;
      const { weight, bias, kept, y } = await normOf(bench, shape);
      const x = await bench.activation("x̂", [m, n]);
      const tensors = { kept: { ...kept, normalised: x.tensor }, weight: weight.tensor, bias: bias.tensor, y };
      layerNormAgain(bench.plan, tensors, { rows: bench.rows(m), columns: n });
      const expected = (at: number) => x.values[at] * weight.values[at % n] + bias.values[at % n];
      return { flops: 2 * m * n, bytes: bytesOf(x.tensor, y), outputs: [{ tensor: y, expected }] };
    },
  },
  layer_norm_backward: {
    shapes: LAYERS,
    operation: "row",
    async build(bench, shape) {
      const { m, n } = shape;
      const [x, dy] = [await bench.activation("x", [m, n]), await bench.activation("dy", [m, n])];
      const { weight, bias, kept, y } = await normOf(bench, shape);
      const dResidual = await bench.output("dResidual", [m, n], bench.storage(n));
      const [dWeight, dBias] = [await bench.output("dWeight", [n]), await bench.output("dBias", [n])];
      const sizes = { rows: bench.rows(m), columns: n, eps: EPS };
      layerNormForward(bench.before, { x: x.tensor, weight: weight.tensor, bias: bias.tensor, y, kept }, sizes);
      const gradients = { dy: dy.tensor, weight: weight.tensor, kept, dResidual, dWeight, dBias };
      layerNormBackward(bench.plan, gradients, sizes);
      const input = { z: x.values, weight: weight.values, bias: bias.values, columns: n, eps: EPS };
      const reference = once(() => layerNormBackwardReference(input, dy.values));
      return {
        flops: 14 * m * n,
        bytes: bytesOf(dy.tensor, dy.tensor, kept.normalised, kept.normalised, dResidual),
        outputs: [
          whole(dResidual, () => reference().dz),
          whole(dWeight, () => reference().dWeight),
          whole(dBias, () => reference().dBias),
        ],
      };
    },
  },
};

const ELEMENTWISE: Readonly<Record<string, KernelBench>> = {
  gelu: {
    shapes: LAYERS,
    async build(bench, { m, n }) {
      const x = await bench.activation("x", [m, n], -4, 4);
      const y = await bench.output("y", [m, n], bench.storage(n));
      geluForward(bench.plan, { preActivation: x.tensor, y }, { rows: bench.rows(m), columns: n });
      const expected = (at: number) => geluReference(x.values[at]);
      return { flops: 25 * m * n, bytes: bytesOf(x.tensor, y), outputs: [{ tensor: y, expected }] };
    },
  },
  gelu_backward: {
    shapes: LAYERS,
    async build(bench, { m, n }) {
      const [x, dy] = [await bench.activation("x", [m, n], -4, 4), await bench.activation("dy", [m, n])];
      const dx = await bench.output("dx", [m, n], bench.storage(n));
      const tensors = { preActivation: x.tensor, dy: dy.tensor, dx };
      geluBackward(bench.plan, tensors, { rows: bench.rows(m), columns: n });
      const expected = (at: number) => dy.values[at] * geluDerivativeReference(x.values[at]);
      return { flops: 30 * m * n, bytes: bytesOf(x.tensor, dy.tensor, dx), outputs: [{ tensor: dx, expected }] };
    },
  },
  tanh_backward: {
    shapes: LAYERS,
    async build(bench, { m, n }) {
      const [y, dy] = [await bench.activation("y", [m, n], -1, 1), await bench.activation("dy", [m, n])];
      const dx = await bench.output("dx", [m, n], bench.storage(n));
      tanhBackward(bench.plan, { y: y.tensor, dy: dy.tensor, dx }, { rows: bench.rows(m), columns: n });
      const expected = (at: number) => dy.values[at] * (1 - y.values[at] ** 2);
      return { flops: 3 * m * n, bytes: bytesOf(y.tensor, dy.tensor, dx), outputs: [{ tensor: dx, expected }] };
    },
  },
  dropout: {
    shapes: LAYERS,
    async build(bench, { m, n }) {
      const x = await bench.activation("x", [m, n]);
      const y = await bench.output("y", [m, n], bench.storage(n));
      const sizes = { rows: bench.rows(m), columns: n, site: SITE };
      dropoutForward(bench.plan, { x: x.tensor, dropout: bench.dropout(DROPOUT), y }, sizes);
      const expected = (at: number) => x.values[at] * factorOf(at, n);
      return { flops: m * n, bytes: bytesOf(x.tensor, y), outputs: [{ tensor: y, expected }] };
    },
  },
  accumulate: {
    shapes: LAYERS,
    async build(bench, { m, n }) {
      const [from, into] = [await bench.activation("from", [m, n]), await bench.activation("into", [m, n])];
      accumulate(bench.plan, { from: from.tensor, into: into.tensor }, { rows: bench.rows(m), columns: n });
      const expected = (at: number) => from.values[at] + into.values[at];
      const bytes = bytesOf(from.tensor, into.tensor, into.tensor);
      return { flops: m * n, bytes, outputs: [{ tensor: into.tensor, expected }] };
    },
  },
};

/** Distinct ids of a batch; token t has id t % DISTINCT. */
const DISTINCT = 50;

const EMBEDDING: Readonly<Record<string, KernelBench>> = {
  embedding: {
    shapes: LAYERS,
    operation: "row",
    async build(bench, shape) {
      const { m, n } = shape;
      const word = await bench.random("word", [DISTINCT, n]);
      const { weight, bias, y } = await normOf(bench, shape);
      const ids = await bench.words("ids", Uint32Array.from({ length: m }, (_, t) => t % DISTINCT));
      const wordShards = [{ tensor: word.tensor, rowBegin: 0, rows: DISTINCT }];
      const tensors = { ids, wordShards, weight: weight.tensor, bias: bias.tensor, y };
      embeddingForward(bench.plan, tensors, { rows: bench.rows(m), columns: n, eps: EPS });
      const reference = () => {
        const z = Float64Array.from(
          { length: m * n },
          (_, at) => word.values[Math.floor(at / n) % DISTINCT * n + at % n],
        );
        return layerNormReference({ z, weight: weight.values, bias: bias.values, columns: n, eps: EPS }).y;
      };
      return { flops: 8 * m * n, bytes: 4 * m * n + bytesOf(y), outputs: [whole(y, reference)] };
    },
  },
  embedding_backward: {
    shapes: LAYERS,
    operation: "row",
    async build(bench, shape) {
      const { m, n } = shape;
      const distinct = Math.min(DISTINCT, m);
      const [x, dy] = [await bench.activation("x", [m, n]), await bench.activation("dy", [m, n])];
      const { weight, bias, kept, y } = await normOf(bench, shape);
      const sizes = { rows: bench.rows(m), columns: n, eps: EPS };
      layerNormForward(bench.before, { x: x.tensor, weight: weight.tensor, bias: bias.tensor, y, kept }, sizes);
      const order = Array.from({ length: m }, (_, t) => t).sort((a, b) => a % distinct - b % distinct || a - b);
      const starts = order.flatMap((t, at) => at === 0 || t % distinct !== order[at - 1] % distinct ? [at] : []);
      const [dWord, dWeight, dBias] = [
        await bench.output("dWord", [distinct, n]),
        await bench.output("dWeight", [n]),
        await bench.output("dBias", [n]),
      ];
      embeddingBackward(bench.plan, {
        ...{ dy: dy.tensor, weight: weight.tensor, kept, dWeight, dBias },
        sortedIds: await bench.words("sorted ids", Uint32Array.from({ length: distinct }, (_, id) => id)),
        segmentStart: await bench.words("segment start", Uint32Array.of(...starts, m)),
        tokenOrder: await bench.words("token order", Uint32Array.from(order)),
        wordGradientShards: [{ tensor: dWord, rowBegin: 0, rows: distinct }],
      }, { ...sizes, uniqueRows: bench.rows(distinct), sequences: bench.rows(1) });
      const input = { z: x.values, weight: weight.values, bias: bias.values, columns: n, eps: EPS };
      const dz = once(() => layerNormBackwardReference(input, dy.values).dz);
      const tokensOf = (id: number) => Math.ceil((m - id) / distinct);
      const expected = (at: number) => {
        const [id, column] = [Math.floor(at / n), at % n];
        return sum(tokensOf(id), (i) => dz()[(id + i * distinct) * n + column]);
      };
      const bytes = bytesOf(dy.tensor, dy.tensor, kept.normalised, kept.normalised, dy.tensor, dy.tensor, dWord);
      return { flops: 15 * m * n, bytes, outputs: [{ tensor: dWord, expected }] };
    },
  },
};

/** Sequences of a batch of m tokens, all alike but the last. */
const SEQUENCES = 8;

const lengthOf = (m: number): number => Math.ceil(m / SEQUENCES);

async function sequencesOf(bench: Workbench, m: number) {
  const longest = lengthOf(m);
  const count = Math.ceil(m / longest);
  const starts = Array.from({ length: count }, (_, s) => s * longest);
  return {
    count,
    lengths: starts.map((start) => Math.min(longest, m - start)),
    offsets: await bench.words("offsets", Uint32Array.of(...starts, m)),
    sequenceOf: await bench.words(
      "sequence of token",
      Uint32Array.from({ length: m }, (_, t) => Math.floor(t / longest)),
    ),
  };
}

const POOLING: Readonly<Record<string, KernelBench>> = {
  pooling: {
    shapes: LAYERS,
    async build(bench, { m, n }) {
      const x = await bench.activation("x", [m, n]);
      const { count, lengths, offsets } = await sequencesOf(bench, m);
      const pooled = await bench.output("pooled", [count, n]);
      poolForward(bench.plan, { x: x.tensor, offsets, pooled }, {
        kind: "mean",
        sequences: bench.rows(count),
        columns: n,
      });
      const expected = (at: number) => {
        const [s, column] = [Math.floor(at / n), at % n];
        return sum(lengths[s], (i) => x.values[(s * lengthOf(m) + i) * n + column]) / lengths[s];
      };
      return { flops: m * n, bytes: bytesOf(x.tensor, pooled), outputs: [{ tensor: pooled, expected }] };
    },
  },
  pooling_backward: {
    shapes: LAYERS,
    async build(bench, { m, n }) {
      const { count, lengths, offsets, sequenceOf } = await sequencesOf(bench, m);
      const dPooled = await bench.random("dPooled", [count, n]);
      const dx = await bench.output("dx", [m, n], bench.storage(n));
      const tensors = { dPooled: dPooled.tensor, offsets, sequenceOf, dx };
      poolBackward(bench.plan, tensors, { kind: "mean", tokens: bench.rows(m), columns: n });
      const expected = (at: number) => {
        const s = Math.floor(Math.floor(at / n) / lengthOf(m));
        return dPooled.values[s * n + at % n] / lengths[s];
      };
      return { flops: m * n, bytes: bytesOf(dPooled.tensor, dx), outputs: [{ tensor: dx, expected }] };
    },
  },
  attention_pooling: {
    shapes: LAYERS,
    operation: "row",
    async build(bench, shape) {
      const { tensors, sizes, input } = await attentionPoolingOf(bench, shape);
      attentionPoolForward(bench.plan, tensors, sizes);
      const { m, n } = shape;
      const outputs = [whole(tensors.pooled, () => attentionPoolReference(input))];
      return { flops: 4 * m * n, bytes: bytesOf(tensors.x, tensors.x, tensors.pooled), outputs };
    },
  },
  attention_pooling_backward: {
    shapes: LAYERS,
    operation: "row",
    async build(bench, shape) {
      const { m, n } = shape;
      const { tensors, sizes, input, sequenceOf } = await attentionPoolingOf(bench, shape);
      attentionPoolForward(bench.before, tensors, sizes);
      const dPooled = await bench.random("dPooled", [input.lengths.length, n]);
      const dx = await bench.output("dx", [m, n], bench.storage(n));
      const dQuery = await bench.output("dQuery", [n]);
      attentionPoolBackward(bench.plan, { ...tensors, sequenceOf, dPooled: dPooled.tensor, dQuery, dx }, sizes);
      const reference = once(() => attentionPoolBackwardReference(input, dPooled.values));
      const outputs = [whole(dx, () => reference().dx), whole(dQuery, () => reference().dQuery)];
      return { flops: 10 * m * n, bytes: bytesOf(tensors.x, tensors.x, dPooled.tensor, dx), outputs };
    },
  },
};

/** Hidden states of a batch, and a query for them. */
async function attentionPoolingOf(bench: Workbench, { m, n }: Shape) {
  const x = await bench.activation("x", [m, n]);
  const query = await bench.random("query", [n], -0.2, 0.2);
  const { count, lengths, offsets, sequenceOf } = await sequencesOf(bench, m);
  const weights = await bench.output("weights", [m]);
  const pooled = await bench.output("pooled", [count, n]);
  return {
    tensors: { x: x.tensor, query: query.tensor, offsets, weights, pooled },
    sizes: { tokens: bench.rows(m), sequences: bench.rows(count), columns: n },
    input: { x: x.values, query: query.values, lengths },
    sequenceOf,
  };
}

export const ROW_BENCHES: Readonly<Record<string, KernelBench>> = { ...NORM, ...ELEMENTWISE, ...EMBEDDING, ...POOLING };
