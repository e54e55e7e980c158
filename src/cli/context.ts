/** What commands share: the configuration, `--cfg job`, the device. */
import { composeTree, type Config } from "../config/config.ts";
import { checkedConfig } from "../config/validation.ts";
import { type Gpu, openGpu } from "../gpu/device.ts";
import { tuneLevel } from "../training/tune_session.ts";
import { fastest, tuningCache } from "../tuning/cache.ts";
import { checkConfigOptions, printAsked } from "./config_info.ts";
import type { CommonOptions } from "./options.ts";
import { say } from "./say.ts";

/** The configuration of a command line; null after `--cfg` or `--info` has been answered and the command is to stop. */
export function resolveConfig(overrides: string[], options: CommonOptions): Config | null {
  checkConfigOptions(options);
  const written = composeTree(overrides, options);
  const config = checkedConfig(written);
  return printAsked(config, written, overrides, options) ? null : config;
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
