/** Sequences whose pairs do not fit the workspace: their queries part by part. */
import { strict as assert } from "node:assert";
import type { Gpu } from "../../src/gpu/device.ts";
import { relativeIndexTable } from "../../src/nn/relative_position.ts";
import type { Precision } from "../../src/nn/plan.ts";
import { randomInputs, runAttention } from "../support/attention.ts";
import { assertClose } from "../support/close.ts";
import { gpuTest, negativeControl } from "../support/gpu.ts";

const SHAPE = {
  heads: 2,
  headSize: 8,
  lengths: [200, 70, 131, 3],
  longest: 200,
  relativeIndex: relativeIndexTable(200, { bucketSize: 8, maxRelativePositions: 64 }),
  dropout: { rate: 0.1, key: [7, 9] as [number, number], step: 3, site: 5 },
};

/** Largest distance from what one part gives, as a share of the largest element. */
const CLOSE: Readonly<Record<Precision, number>> = { fp32: 2e-6, fp16: 2e-3, bf16: 1.6e-2 };

/** Four parts of 64 queries at most, in chunks of the shortest length that holds a sequence. */
async function checkParts(gpu: Gpu, variant: string, precision: Precision, tables: Parameters<typeof randomInputs>[2]) {
  const x = randomInputs(SHAPE, 5, tables);
  const whole = await runAttention(gpu, SHAPE, x, { variant, precision });
  const inParts = await runAttention(gpu, SHAPE, x, { variant, precision, workspaceBytes: 1 });
  for (const [name, expected] of Object.entries(whole)) {
    const size = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const isOfQueries = ["context", "logSumExp"].includes(name);
    const atol = isOfQueries ? 0 : CLOSE[precision] * size;
    assertClose(inParts[name], expected, { atol, rtol: 0 }, `${name}, ${variant}, ${precision}`);
  }
  return [whole, inParts];
}

const checkRows = async (gpu: Gpu) => {
  const [whole, inParts] = await checkParts(gpu, "rows", "fp32", { rows: 16 });
  assert.notDeepEqual(whole, inParts); // sums over queries are rounded otherwise
};

gpuTest("attention: rows, in parts of the queries as at once", checkRows);
negativeControl("attention_rows.wgsl", "if (part > 0u)", "if (part > 1u)", checkRows);
negativeControl("lib/attention.wgsl", "i32(first_query()) - 1", "-1", checkRows);

gpuTest("attention: tiles, in parts of the queries as at once", async (gpu) => {
  await checkParts(gpu, "tiles 32x32", "fp32", { rows: 16 });
  await checkParts(gpu, "tiles 32x32", "fp16", { rows: 16 });
  await checkParts(gpu, "tiles 32x32", "fp32", {});
});
