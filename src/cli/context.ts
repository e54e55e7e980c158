/** What commands share: the configuration, `--cfg job`, the device. */
import { composeConfig, type Config, printConfig } from "../config/config.ts";
import { type Gpu, openGpu } from "../gpu/device.ts";
import { tuneLevel } from "../training/tune_session.ts";
import { fastest, tuningCache } from "../tuning/cache.ts";
import type { CommonOptions } from "./options.ts";
import { say } from "./say.ts";

/** The configuration of a command line; null after `--cfg job` has printed it and the command is to stop. */
export function resolveConfig(overrides: string[], { cfg, configDir }: CommonOptions): Config | null {
  const config = composeConfig(overrides, { configDir });
  if (cfg !== "job") return config;
  console.log(printConfig(config, { shown: true }).trimEnd());
  return null;
}

/** Opens the adapter that `gpu.*` asks for, with the variants of kernels that gpu.tune has found for it before. */
export async function openConfiguredGpu(config: Config): Promise<Gpu> {
  const { gpu } = config;
  const opened = await openGpu({
    backend: gpu.backend,
    allowSoftware: gpu.allow_software,
    powerPreference: gpu.power_preference ?? undefined,
    workspaceMb: gpu.workspace_mb,
  });
  if (tuneLevel(config) === "off") return opened;
  return { ...opened, tuned: fastest(await tuningCache(opened, say).read()) };
}
