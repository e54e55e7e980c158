/** What commands share: the configuration, `--cfg job`, the device. */
import { composeTree, type Config } from "../config/config.ts";
import { checkedConfig } from "../config/validation.ts";
import type { Gpu } from "../gpu/device.ts";
import { configuredGpu } from "../training/configured_gpu.ts";
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

/** The adapter that `gpu.*` asks for. */
export const openConfiguredGpu = (config: Config): Promise<Gpu> => configuredGpu(config, say);
