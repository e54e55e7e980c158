/** What the page is made of: its own files, what it shares with the reports, and the drawing library. */
import { browserModule, chartLibrary } from "../report/browser_modules.ts";
import { COLOUR_STYLE } from "../report/colours.ts";
import { VERSION } from "../version.ts";

const SOURCE = new URL("../", import.meta.url);

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

const text = (path: string): Promise<string> => Deno.readTextFile(new URL(path, SOURCE));

/** By path. */
const ASSETS: Record<string, () => Promise<{ type: string; body: string; isKept?: boolean }>> = {
  "/": async () => ({
    type: "text/html",
    body: (await text("dashboard/page/index.html")).replaceAll("VERSION", VERSION),
  }),
  "/style.css": async () => ({
    type: "text/css",
    body: `${COLOUR_STYLE}${await text("dashboard/page/style.css")}`,
  }),
  "/echarts.js": async () => ({ type: "text/javascript", body: await chartLibrary(), isKept: true }),
  ...Object.fromEntries(PAGE_MODULES.map((path) => [
    `/src/${path}`,
    async () => ({ type: "text/javascript", body: await browserModule(new URL(path, SOURCE)) }),
  ])),
};

const served = new Map<string, Promise<{ type: string; body: string; isKept?: boolean }>>();

/** The file at that path of the page; null where there is none. */
export async function asset(path: string): Promise<Response | null> {
  if (!Object.hasOwn(ASSETS, path)) return null;
  if (!served.has(path)) served.set(path, ASSETS[path]());
  const { type, body, isKept } = await served.get(path)!;
  const headers = {
    "content-type": `${type}; charset=utf-8`,
    "cache-control": isKept ? "private, max-age=86400" : "no-cache",
  };
  return new Response(body, { headers });
}
