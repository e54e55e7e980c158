/** What commands share: the configuration, `--cfg job`, the device. */
import { composeConfig, type Config, printConfig } from "../config/config.ts";
import type { Gpu } from "../gpu/device.ts";
import { configuredGpu } from "../training/configured_gpu.ts";
import type { CommonOptions } from "./options.ts";
import { say } from "./say.ts";

/** The configuration of a command line; null after `--cfg job` has printed it and the command is to stop. */
export function resolveConfig(overrides: string[], { cfg, configDir }: CommonOptions): Config | null {
  const config = composeConfig(overrides, { configDir });
  if (cfg !== "job") return config;
  console.log(printConfig(config, { shown: true }).trimEnd());
  return null;
}

/** The adapter that `gpu.*` asks for. */
export const openConfiguredGpu = (config: Config): Promise<Gpu> => configuredGpu(config, say);
