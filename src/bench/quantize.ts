/** Weights in 8 and 4 bits: expanding them for a product. */
import { writeTensor } from "../gpu/tensor.ts";
import { dequantize, dequantized, quantize, type QuantizedBits } from "../nn/quantize.ts";
import { bytesOf, type KernelBench, LAYERS, whole } from "./workbench.ts";

/** A weight [n, k]. */
const expanding = (bits: QuantizedBits): KernelBench => ({
  shapes: LAYERS,
  async build(bench, { n, k }) {
    const shape = [n, k];
    const host = quantize((await bench.random("weight", shape)).values, shape, bits);
    const codes = await bench.words("codes", host.codes);
    const scales = await bench.output("scales", [host.scales.length]);
    writeTensor(bench.gpu, scales, host.scales);
    const y = await bench.output("y", shape, bench.storage(k));
    dequantize(bench.plan, { bits, shape, codes, scales }, y);
    const outputs = [whole(y, () => dequantized(host, shape, bits))];
    return { flops: n * k, bytes: bytesOf(codes, scales, y), outputs };
  },
});

export const QUANTIZE_BENCHES: Readonly<Record<string, KernelBench>> = {
  dequantize_8bit: expanding("8bit"),
  dequantize_4bit: expanding("4bit"),
};
