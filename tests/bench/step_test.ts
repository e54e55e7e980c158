import assert from "node:assert/strict";
import { benchStep } from "../../src/bench/step.ts";
import { configFromArchitecture } from "../../src/models/config_json.ts";
import { stepPicture } from "../../src/report/step_picture.ts";
import { gpuTest } from "../support/gpu.ts";

gpuTest("benchStep: says what the contract names, and how the device's time is spent", async (gpu) => {
  const architecture = {
    vocab_size: 50,
    hidden_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 16,
    relative_attention: true,
    position_buckets: 4,
    pos_att_type: ["p2c", "c2p"],
  };
  const config = configFromArchitecture(architecture, { numLabels: 2, classifierHead: "max_pooling" });
  const sizes = { batchSize: 3, maxLength: 10, lossKind: "focal" } as const;
  const roof = { gflops: 1, gbps: 1 };
  const { ms, tokens_per_second, peak_bytes, busy, record_ms, dispatches, profile, parts, ...rest } = await benchStep(
    gpu,
    "tiny",
    config,
    sizes,
    roof,
  );
  assert.deepEqual(rest, {
    kernel: "train_step",
    model: "tiny",
    batch_size: 3,
    max_length: 10,
    tokens: 30,
    precision: "fp32",
    recompute: false,
  });
  assert.ok(ms > 0 && peak_bytes > 0);
  assert.ok(Math.abs(tokens_per_second - 30 / ms * 1000) < 1e-6 * tokens_per_second);
  assert.ok(busy !== null && busy > 0 && busy <= 1, `${busy}`);
  const kernels = profile.map(({ kernel }) => kernel);
  assert.equal(new Set(kernels).size, kernels.length);
  for (const name of ["embedding.forward", "adamw.step", "step_log.record"]) assert.ok(kernels.includes(name), name);
  assert.deepEqual(profile, profile.toSorted((a, b) => b.ms - a.ms));
  assert.ok(record_ms > 0);
  assert.equal(parts!.reduce((sum, { calls }) => sum + calls, 0), dispatches);
  const svg = stepPicture(parts!, { title: "tiny", roof });
  const [{ kernel: slowest }] = parts!.toSorted((a, b) => b.ms! - a.ms!);
  for (const text of ["tiny", slowest.replace(/\.product$/, ""), "measured"]) {
    assert.ok(svg.includes(text), text);
  }
});
