/**
 * Attention as a layer of DeBERTa-v3 trains it: both position terms over logarithmic buckets, dropout 0.1.
 *
 * A shape is tokens × hidden size × tokens of a sequence: 1024x768x512 is two sequences of 512. The hidden size is
 * heads of 64 where that goes at least twice, else heads of 16, else one head.
 */
import { attentionBackward, attentionForward, type AttentionSizes } from "../nn/attention.ts";
import { relativeIndexTable } from "../nn/relative_position.ts";
import { elements, type Tensor } from "../gpu/tensor.ts";
import {
  type AttentionArrays,
  attentionBackwardReference,
  type AttentionCase,
  attentionForwardReference,
} from "./reference/attention.ts";
import { bytesOf, type Input, type KernelBench, type Output, type Shape } from "./workbench.ts";

/** Attention of the demo's model and of DeBERTa-v3-base. */
const SHAPES: readonly Shape[] = [{ m: 2048, n: 64, k: 128 }, { m: 1024, n: 768, k: 512 }];

const DROPOUT = { rate: 0.1, key: [1, 2] as [number, number], step: 0, site: 0 };

export function attentionBench(direction: "forward" | "backward"): KernelBench {
  return {
    shapes: SHAPES,
    operation: "attention",
    build: async (bench, shape) => {
      const { lengths, heads, headSize, longest, relativeIndex, relativeRows } = caseOf(shape);
      const { m, n } = shape;
      const type = bench.storage(n);
      const offsets = new Uint32Array(lengths.length + 1);
      lengths.forEach((length, i) => offsets[i + 1] = offsets[i] + length);
      const table = (label: string) => bench.activation(label, [relativeRows, n]);
      const rows = (label: string) => bench.activation(label, [m, n], -1, 1);
      const inputs = {
        query: await rows("query"),
        key: await rows("key"),
        value: await rows("value"),
        positionKey: await table("position key"),
        positionQuery: await table("position query"),
      };
      const dContext = await rows("dContext");
      const tensors = {
        ...tensorsOf(inputs),
        relativeIndex: await bench.words("relative index", relativeIndex),
        offsets: await bench.words("offsets", offsets),
        dropout: bench.dropout(DROPOUT),
        context: await bench.output("context", [m, n], type),
        maxAndSum: await bench.output("maximum and sum", [m, heads, 2]),
      };
      const sizes: AttentionSizes = {
        heads,
        headSize,
        relativeRows,
        tokens: bench.rows(m),
        longestCapacity: longest,
        scale: 1 / Math.sqrt(3 * headSize),
        site: DROPOUT.site,
      };
      // One head tells as much as all: heads differ in nothing but their place, and the last is the farthest.
      const onlyHead = heads - 1;
      const shapeOfHead = { heads, headSize, lengths, longest, relativeIndex, dropout: DROPOUT, onlyHead };
      const known = reference(shapeOfHead, inputs, dContext);
      const ofHead = (tensor: Tensor, name: keyof ReturnType<typeof known>, width = headSize): Output => ({
        tensor,
        expected: (at) => known()[name][at],
        elements: elementsOfHead(tensor, heads, onlyHead, width),
      });
      const batch = { tokens: m, sequences: lengths.length, longest, uniqueIds: 0 };
      // Products and sums of pairs of tokens, and of tokens with rows of the tables.
      const pairs = lengths.reduce((total, length) => total + length ** 2, 0) * n;
      const positions = 2 * m * relativeRows * n;

      attentionForward(direction === "forward" ? bench.plan : bench.before, tensors, sizes);
      if (direction === "forward") {
        const outputs = [ofHead(tensors.context, "context"), ofHead(tensors.maxAndSum, "maxAndSum", 2)];
        const bytes = bytesOf(...Object.values(inputs).map(({ tensor }) => tensor), tensors.context);
        return { flops: 4 * pairs + 2 * positions, bytes, sizes: batch, outputs };
      }
      const gradients = {
        dQuery: await bench.output("dQuery", [m, n], type),
        dKey: await bench.output("dKey", [m, n], type),
        dValue: await bench.output("dValue", [m, n], type),
        dPositionKey: await bench.output("dPositionKey", [relativeRows, n], type),
        dPositionQuery: await bench.output("dPositionQuery", [relativeRows, n], type),
      };
      attentionBackward(bench.plan, { ...tensors, dContext: dContext.tensor, ...gradients }, sizes);
      const names = Object.keys(gradients) as (keyof typeof gradients)[];
      return {
        flops: 10 * pairs + 6 * positions,
        bytes: bytesOf(
          ...Object.values({ ...inputs, dContext }).map(({ tensor }) => tensor),
          tensors.context,
          ...Object.values(gradients),
        ),
        sizes: batch,
        outputs: names.map((name) => ofHead(gradients[name], name)),
      };
    },
  };
}

function caseOf({ m, n, k }: Shape) {
  const headSize = n % 64 === 0 && n > 64 ? 64 : n % 16 === 0 ? 16 : n;
  const longest = Math.min(k, m);
  const lengths = Array.from({ length: Math.ceil(m / longest) }, (_, i) => Math.min(longest, m - i * longest));
  const bucketSize = Math.max(2, Math.min(256, longest >> 1));
  const relativeIndex = relativeIndexTable(longest, { bucketSize, maxRelativePositions: Math.max(longest, 4) });
  return { lengths, heads: n / headSize, headSize, longest, relativeIndex, relativeRows: 2 * bucketSize };
}

function tensorsOf<Name extends string>(inputs: Record<Name, Input>): Record<Name, Tensor> {
  const entries = Object.entries<Input>(inputs).map(([name, { tensor }]) => [name, tensor]);
  return Object.fromEntries(entries);
}

/** Everything that float64 says, computed when it is first asked. */
function reference(shape: AttentionCase, inputs: Record<keyof AttentionArrays, Input>, dContext: Input) {
  let known: ReturnType<typeof attentionForwardReference> & ReturnType<typeof attentionBackwardReference> | undefined;
  const arrays = Object.fromEntries(Object.entries(inputs).map(([name, { values }]) => [name, values]));
  const x = arrays as Record<keyof AttentionArrays, Float32Array>;
  return () =>
    known ??= { ...attentionForwardReference(shape, x), ...attentionBackwardReference(shape, x, dContext.values) };
}

/** Indices of one head's elements in [rows, heads, width]. */
function elementsOfHead({ shape }: Tensor, heads: number, head: number, width: number): Uint32Array {
  const rows = elements(shape) / heads / width;
  return Uint32Array.from(
    { length: rows * width },
    (_, i) => (Math.floor(i / width) * heads + head) * width + i % width,
  );
}
