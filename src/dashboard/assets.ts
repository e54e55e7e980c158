/** What the page is made of: its own files, what it shares with the reports, and the drawing library. */
import { browserModule, chartLibrary } from "../report/browser_modules.ts";
import { COLOUR_STYLE } from "../report/colours.ts";
import { VERSION } from "../version.ts";

/** Modules of the page, by their place below src/. The browser gets them without their types. */
export const PAGE_MODULES = [
  "dashboard/page/api.ts",
  "dashboard/page/app.ts",
  "dashboard/page/chart.ts",
  "dashboard/page/compare_view.ts",
  "dashboard/page/dom.ts",
  "dashboard/page/live.ts",
  "dashboard/page/overview_view.ts",
  "dashboard/page/run_charts.ts",
  "dashboard/page/run_view.ts",
  "dashboard/page/study_charts.ts",
  "dashboard/page/study_view.ts",
  "dashboard/page/trial_table.ts",
  "evaluation/metrics.ts",
  "formats/human.ts",
  "report/chart_style.ts",
  "report/colours.ts",
  "report/labels.ts",
  "report/run/verdict_tables.ts",
  "report/span.ts",
  "report/ticks.ts",
];

const pageFile = (name: string): Promise<string> => Deno.readTextFile(new URL(`page/${name}`, import.meta.url));

interface Asset {
  type: string;
  read: () => Promise<string>;
  /** The browser need not ask for it again. */
  isKept?: boolean;
}

/** By path. */
const ASSETS: Record<string, Asset> = {
  "/": { type: "text/html", read: async () => (await pageFile("index.html")).replaceAll("VERSION", VERSION) },
  "/style.css": { type: "text/css", read: async () => COLOUR_STYLE + await pageFile("style.css") },
  "/echarts.js": { type: "text/javascript", read: chartLibrary, isKept: true },
  ...Object.fromEntries(PAGE_MODULES.map((path): [string, Asset] => [
    `/src/${path}`,
    { type: "text/javascript", read: () => browserModule(new URL(`../${path}`, import.meta.url)) },
  ])),
};

const read = new Map<string, Promise<string>>();

/** The file at that path of the page; null where there is none. */
export async function asset(path: string): Promise<Response | null> {
  if (!Object.hasOwn(ASSETS, path)) return null;
  const { type, isKept } = ASSETS[path];
  if (!read.has(path)) read.set(path, ASSETS[path].read());
  const headers = {
    "content-type": `${type}; charset=utf-8`,
    "cache-control": isKept ? "private, max-age=86400" : "no-cache",
  };
  return new Response(await read.get(path), { headers });
}
