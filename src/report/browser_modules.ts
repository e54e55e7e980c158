/** What a page with charts runs: modules of this room without their types, and the drawing library. */
import { stripTypeScriptTypes } from "node:module";
import { BROWSER_SCRIPT } from "../packages/echarts.ts";

/** Those that a chart to explore consists of, each before those that import it; `explore` is what they are for. */
export const EXPLORE_MODULES = [
  "labels.ts",
  "colours.ts",
  "formatters.ts",
  "chart_style.ts",
  "browser/explore.ts",
] as const;

/** A module as a browser takes it. */
export const browserModule = async (place: URL): Promise<string> =>
  stripTypeScriptTypes(await Deno.readTextFile(place));

/** Modules of this room as one script that imports nothing: one after the other, all names in one room. */
export async function joinedModules(paths: readonly string[]): Promise<string> {
  const texts = await Promise.all(paths.map((path) => browserModule(new URL(path, import.meta.url))));
  return texts.join("\n").replace(/^import\b[^;]*;$/gm, "").replace(/^export /gm, "").replace(/^\s*\n/gm, "");
}

/** ECharts as a script that leaves `echarts` in a page. */
export const chartLibrary = (): Promise<string> => Deno.readTextFile(BROWSER_SCRIPT);
