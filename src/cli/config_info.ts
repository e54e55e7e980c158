/** `--cfg job` and `--info`: the configuration, and where it comes from. */
import { type Config, configSources, showConfig } from "../config/config.ts";
import type { Tree } from "../config/tree.ts";
import { EntailError } from "../errors.ts";
import type { CommonOptions } from "./options.ts";
import { printTable } from "./terminal.ts";

/** Usage error where options do not go together; they are those of Hydra. */
export function checkConfigOptions({ cfg, info, resolve, package: place }: CommonOptions): void {
  if (cfg && info) throw new EntailError("usage", "--cfg and --info: one of them at a time");
  if (cfg || info === "all" || info === "config") return;
  const idle = resolve ? "--resolve" : place === undefined ? null : "--package";
  if (idle !== null) throw new EntailError("usage", `${idle}: is a part of --cfg job; add that`);
}

/** Prints what is asked for; false where it is nothing. `written` is the configuration with its interpolations. */
export function printAsked(config: Config, written: Tree, overrides: string[], options: CommonOptions): boolean {
  const { cfg, info, resolve, package: place } = options;
  if (!cfg && !info) return false;
  const show = () =>
    console.log(showConfig(config, { written: resolve ? undefined : written, package: place }).trimEnd());
  if (cfg) {
    show();
    return true;
  }
  const { folders, files } = configSources(overrides, options);
  const isAsked = (kind: CommonOptions["info"]) => info === "all" || info === kind;
  if (isAsked("searchpath") || info === "config") printTable(["search path"], folders.map((folder) => [folder]));
  if (isAsked("defaults") || info === "config") {
    const rows = files.map(({ file, package: at, parent }) => [file, at === "" ? "_global_" : at, parent ?? "–"]);
    printTable(["file", "package", "named by"], rows);
  }
  if (isAsked("config")) show();
  return true;
}
