import assert from "node:assert/strict";
import type { Gpu } from "../../src/gpu/device.ts";
import { subgroupsWork } from "../../src/gpu/probe.ts";
import { gpuTest, negativeControl } from "../support/gpu.ts";

const works = async (gpu: Gpu, [subgroupMinSize, subgroupMaxSize] = [4, 128]) => {
  assert.ok(await subgroupsWork(gpu, { subgroupMinSize, subgroupMaxSize } as GPUAdapterInfo));
};

gpuTest("subgroupsWork: where they are offered, in a size that the adapter names", async (gpu) => {
  assert.equal(gpu.can.subgroups, gpu.device.features.has("subgroups"));
  await works(gpu);
  await assert.rejects(works(gpu, [256, 256]), assert.AssertionError);
});

// What a driver may get wrong:
negativeControl("probe.wgsl", "subgroupAdd(value)", "value", works);
negativeControl("probe.wgsl", "subgroupExclusiveAdd(1u)", "0u", works);
negativeControl("probe.wgsl", "subgroupShuffleXor(value, 2u)", "value", works);
negativeControl("probe.wgsl", "subgroupBroadcast(value, 3u)", "value", works);
negativeControl("probe.wgsl", "subgroupAdd(1u)", "4u", works);
negativeControl("probe.wgsl", "subgroupAdd(1u)", "subgroupAdd()", works); // does not compile
