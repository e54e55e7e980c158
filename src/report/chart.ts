/** Charts as SVG text: ECharts without a browser, in one look. */
import { BarChart, LineChart, LinesChart, ParallelChart, ScatterChart } from "echarts/charts";
import { GridComponent, LegendComponent, ParallelComponent, TitleComponent } from "echarts/components";
import { init, use } from "echarts/core";
import type { EChartsOption } from "echarts";
import { SVGRenderer } from "echarts/renderers";
import { COLOURS } from "./colours.ts";

use([
  BarChart,
  LineChart,
  LinesChart,
  ParallelChart,
  ScatterChart,
  GridComponent,
  LegendComponent,
  ParallelComponent,
  TitleComponent,
  SVGRenderer,
]);

export type ChartOption = EChartsOption;

const FONT = "system-ui, 'Segoe UI', Helvetica, Arial, sans-serif";

/**
 * Draws a chart on a white sheet. `id` becomes part of the names inside, which stay unique where several charts stand in
 * one page, and equal where the same chart is drawn again.
 */
export function renderSvg(id: string, option: ChartOption, size: { width: number; height: number }): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, ...size });
  try {
    chart.setOption({
      animation: false,
      backgroundColor: COLOURS.paper,
      textStyle: { fontFamily: FONT, color: COLOURS.ink },
      ...option,
    });
    return compact(chart.renderToSVGString()).replace(/ ecmeta_\w+="[^"]*"/g, "").replace(/\bzr\d+-/g, `${id}-`);
  } finally {
    chart.dispose();
  }
}

/** Tenths of a pixel are enough; thousands of curves get half as long. */
function compact(svg: string): string {
  const rounded = (numbers: string) =>
    numbers.replace(/-?\d+\.\d+/g, (text) => `${Math.round(Number(text) * 10) / 10}`);
  return svg.replace(/ d="([^"]*)"/g, (_, path) => ` d="${rounded(path)}"`);
}
