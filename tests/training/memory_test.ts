/** Device memory by plan, without a device that has it. */
import assert from "node:assert/strict";
import type { Adapter } from "../../src/models/adapter.ts";
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
  { workspaceMb = 256, precision = "fp32", recompute, bits }: {
    workspaceMb?: number;
    precision?: Precision;
    recompute?: boolean;
    /** Adapters beside a base that is held so; absent: none. */
    bits?: Adapter["bits"];
  } = {},
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
  const training = { capacity, lossKind: "cross_entropy", freezeEncoder: false, recompute } as const;
  const base = { weights: "", name: "", revision: null };
  const settings = { rank: 16, alpha: 32, dropout: 0.1, targets: "qkvd", save: "merged", base } as const;
  const config = { ...BASE, adapter: bits && { ...settings, bits } };
  return await sessionBytes(large, config, { inference: capacity, training, precision }) / 1e9;
}

for (const [precision, most, least] of [["fp32", 9, 5], ["fp16", 6, 4], ["bf16", 6, 4]] as const) {
  gpuTest(
    `sessionBytes: DeBERTa-v3-base trains 24 × 512 tokens in ${precision} in less than ${most} GB, or ${least} recomputing`,
    async (gpu) => {
      const kept = await plannedGigabytes(gpu, 24, 512, { precision });
      const recomputed = await plannedGigabytes(gpu, 24, 512, { precision, recompute: true });
      assert.ok(kept < most && recomputed < least, `${kept}, ${recomputed}`);
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

gpuTest("sessionBytes: linear in the tokens of a sequence, but for gpu.workspace_mb", async (gpu) => {
  const [workspaceMb, workspace] = [256, 0.269];
  for (const precision of ["fp32", "fp16"] as const) {
    const planned = (tokens: number) => plannedGigabytes(gpu, 1, tokens, { precision, workspaceMb });
    const [one, two, four, eight] = [
      await planned(3072),
      await planned(6144),
      await planned(12288),
      await planned(24576),
    ];
    // The tokens' own share is that between one and two, give or take the workspace; all pairs would make it 64 times four.
    const perLength = two - one;
    assert.ok(perLength > 0.3, `${perLength}`);
    assert.ok(four < two + 2 * perLength + workspace, `${[one, two, four]}`);
    assert.ok(eight < four + 4 * perLength + workspace, `${[one, two, four, eight]}`);
  }
});

gpuTest(
  "sessionBytes: of a frozen base there are no gradients, moments or second copies, and few bits take few",
  async (gpu) => {
    const planned = (options: { precision?: Precision; bits?: Adapter["bits"] } = {}) =>
      plannedGigabytes(gpu, 1, 64, options);
    // 184 million parameters, 85 million of them weights of products; adapters, head and the rest of the plan are small.
    const [all, products] = [0.184, 0.085];
    const near = (actual: number, wanted: number) =>
      assert.ok(Math.abs(actual - wanted) < 0.035, `${actual}, ${wanted}`);
    const full = await planned();
    const frozen = await planned({ bits: "none" });
    near(full - frozen, 3 * 4 * all);
    // Not even the values of which bf16 has the copies.
    const half = await planned({ precision: "bf16" }) - await planned({ bits: "none", precision: "bf16" });
    near(half, 3 * 4 * all + 4 * products);
    near(frozen - await planned({ bits: "8bit" }), 3 * products);
    near(frozen - await planned({ bits: "4bit" }), (4 - 0.5 - 4 / 64) * products);
  },
);
