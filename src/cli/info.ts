/** `info`: the adapter, its features and limits, and the kernel variants that it would get. */
import { usualVariants } from "../nn/plan.ts";
import { mebibytes } from "../gpu/tensor.ts";
import { choosePrecision, describePrecision } from "../training/precision.ts";
import { openConfiguredGpu, resolveConfig } from "./context.ts";
import type { CommonOptions } from "./options.ts";
import { printTable } from "./terminal.ts";

export async function info(overrides: string[], options: CommonOptions & { json?: boolean }): Promise<void> {
  const config = resolveConfig(overrides, options);
  if (!config) return;
  const gpu = await openConfiguredGpu(config);
  const variants = usualVariants(gpu);
  const { precision } = config.training.optimization;
  const { maxBindingBytes, maxBufferBytes, maxWorkgroupBytes } = gpu;
  if (options.json) {
    const { name, vendor, kind, can, features, hasTimestamps } = gpu;
    const limits = { maxBindingBytes, maxBufferBytes, maxWorkgroupBytes };
    const adapter = { name, vendor, kind, backend: gpu.backend.name, can, features, timestamps: hasTimestamps, limits };
    const precisions = { precision: choosePrecision(gpu, precision), asked: precision };
    console.log(JSON.stringify({ adapter, deno: Deno.version.deno, ...precisions, kernels: variants }, null, 2));
  } else {
    printTable(["property", "value"], [
      ["adapter", gpu.name],
      ["backend", gpu.backend.name],
      ["kind", gpu.kind === "software" ? "software (runs on the CPU)" : "hardware"],
      ["Deno", Deno.version.deno],
      [
        "kernels may use",
        Object.entries(gpu.can).filter(([, can]) => can).map(([what]) => what).join(", ") || "the core",
      ],
      ["precision", describePrecision(gpu, precision)],
      ["timestamps", gpu.hasTimestamps ? "yes" : "no"],
      ["one binding", mebibytes(maxBindingBytes)],
      ["one buffer", mebibytes(maxBufferBytes)],
      ["workgroup memory", `${maxWorkgroupBytes} bytes`],
      ["features", gpu.features.join(" ")],
      ...Object.entries(variants).map(([kernel, variant]) => [`${kernel} kernels`, variant]),
    ]);
  }
  gpu.close();
}
