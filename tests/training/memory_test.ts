/** Device memory by plan, without a device that has it. */
import assert from "node:assert/strict";
import { configFromArchitecture } from "../../src/models/config_json.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import type { Precision } from "../../src/nn/plan.ts";
import { sessionBytes } from "../../src/training/session.ts";
import { gpuTest } from "../support/gpu.ts";

/** DeBERTa-v3-base. */
const BASE = configFromArchitecture({
  vocab_size: 128100,
  hidden_size: 768,
  num_hidden_layers: 12,
  num_attention_heads: 12,
  intermediate_size: 3072,
  relative_attention: true,
  position_buckets: 256,
  norm_rel_ebd: "layer_norm",
  share_att_key: true,
  pos_att_type: ["p2c", "c2p"],
  position_biased_input: false,
  max_position_embeddings: 512,
}, { numLabels: 2, classifierHead: "pooler_linear" });

/** What a GPU like an H100 would be asked for, in GB. */
async function plannedGigabytes(
  gpu: Gpu,
  sequences: number,
  longest: number,
  { workspaceMb = 256, precision = "fp32" }: { workspaceMb?: number; precision?: Precision } = {},
): Promise<number> {
  const large: Gpu = {
    ...gpu,
    kind: "hardware",
    maxBindingBytes: 2 ** 31 - 4,
    maxBufferBytes: 2 ** 32,
    maxWorkgroupBytes: 48 << 10,
    workspaceBytes: workspaceMb * 2 ** 20,
  };
  const capacity = { tokens: sequences * longest, sequences, longest };
  const training = { capacity, lossKind: "cross_entropy", freezeEncoder: false } as const;
  return await sessionBytes(large, BASE, { inference: capacity, training, precision }) / 1e9;
}

for (const [precision, most] of [["fp32", 9], ["fp16", 6], ["bf16", 6]] as const) {
  gpuTest(
    `sessionBytes: DeBERTa-v3-base trains 24 × 512 tokens in ${precision} in less than ${most} GB`,
    async (gpu) => {
      const planned = await plannedGigabytes(gpu, 24, 512, { precision });
      assert.ok(planned < most, `${planned}`);
    },
  );
}

gpuTest("sessionBytes: gpu.workspace_mb bounds what attention takes for pairs of tokens", async (gpu) => {
  const small = await plannedGigabytes(gpu, 4, 2048, { workspaceMb: 80 });
  const large = await plannedGigabytes(gpu, 4, 2048, { workspaceMb: 1600 });
  // A head's pairs of 4 × 2,048 tokens take 268 MB, and its scores by position 50 MB: five heads fit, or a part of one.
  const more = large - small;
  assert.ok(more > 1.3 && more < 1.6, `${large} - ${small}`);
});
