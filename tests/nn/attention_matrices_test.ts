/** Attention on tensor cores: emulated, or real where the adapter has them. */
import { withMatrices } from "../../src/gpu/emulation.ts";
import { relativeIndexTable } from "../../src/nn/relative_position.ts";
import { type AttentionExample, checkAgainstReference } from "../support/attention.ts";
import { gpuTest } from "../support/gpu.ts";

const DROPOUT = { rate: 0.1, key: [7, 9] as [number, number], step: 3, site: 5 };
const index = relativeIndexTable(80, { bucketSize: 8, maxRelativePositions: 32 });
const base = { heads: 2, headSize: 32, lengths: [77, 1, 33, 16], longest: 80, relativeIndex: index, dropout: DROPOUT };

const E16 = { m: 16, n: 16, k: 16, subgroup: 32 };
const EXAMPLES: Record<string, [typeof E16, string, AttentionExample]> = {
  a: [E16, "matrices 64x32", { shape: base, tables: { rows: 16 } }],
};
for (const [name, [shape, variant, example]] of Object.entries(EXAMPLES)) {
  gpuTest(`attention: ${name}`, (gpu) => checkAgainstReference(withMatrices(gpu, shape), example, variant, "fp16"));
}
