/** The device that a configuration asks for. */
import type { Config } from "../config/schema.ts";
import { type Gpu, openGpu } from "../gpu/device.ts";
import { fastest, tuningCache } from "../tuning/cache.ts";
import { tuneLevel } from "./tune_session.ts";

/** Opens the adapter that `gpu.*` asks for, with the variants of kernels that gpu.tune has found for it before. */
export async function configuredGpu(
  config: Pick<Config, "gpu" | "training">,
  warn: (line: string) => void,
): Promise<Gpu> {
  const { gpu } = config;
  const opened = await openGpu({
    backend: gpu.backend,
    allowSoftware: gpu.allow_software,
    powerPreference: gpu.power_preference ?? undefined,
    workspaceMb: gpu.workspace_mb,
  });
  if (tuneLevel(config) === "off") return opened;
  return { ...opened, tuned: fastest(await tuningCache(opened, warn).read()) };
}
