/// <reference lib="dom" />
/** In the page of a report: unpacks the charts and puts each into its place; where that fails the pictures stay. */
import type { PageCharts } from "../page.ts";
import { explore, type Surroundings } from "./explore.ts";

/** The text that is packed in an element of the page: gzip as base64. */
async function unpacked(id: string): Promise<string> {
  const packed = atob(document.getElementById(id)!.textContent!);
  const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
  return await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

async function start(): Promise<void> {
  const { plots, trials } = JSON.parse(await unpacked("charts")) as PageCharts;
  const script = document.createElement("script");
  script.textContent = await unpacked("library");
  document.head.append(script);
  const { echarts } = globalThis as unknown as Partial<Surroundings>;
  if (echarts === undefined) throw new Error("the drawing library did not run");
  const detailsOf = (trial: number): [string, string][] =>
    (trials?.rows[trial] ?? []).flatMap((text, i): [string, string][] =>
      text === null ? [] : [[trials!.names[i], text]]
    );
  const charts = plots.map((plot) =>
    explore(document.getElementById(`plot-${plot.name}`)!, plot, { echarts, detailsOf })
  );
  addEventListener("beforeprint", () => charts.forEach((chart) => chart.draw()));
}

try {
  await start();
} catch (error) {
  for (const place of document.querySelectorAll(".plot")) {
    const picture = place.querySelector("noscript");
    if (picture !== null) place.innerHTML = picture.textContent!;
  }
  throw error;
}
