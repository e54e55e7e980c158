/** Charts as SVG text: ECharts without a browser, in one look. */
import {
  BarChart,
  DatasetComponent,
  GridComponent,
  HeatmapChart,
  init,
  LegendComponent,
  LineChart,
  LinesChart,
  ParallelChart,
  ParallelComponent,
  ScatterChart,
  SVGRenderer,
  TitleComponent,
  use,
  VisualMapContinuousComponent,
} from "../packages/echarts.ts";
import { CHART_BASE } from "./chart_style.ts";
import { revived } from "./formatters.ts";
import type { Plot } from "./plot.ts";

use([
  BarChart,
  HeatmapChart,
  LineChart,
  LinesChart,
  ParallelChart,
  ScatterChart,
  DatasetComponent,
  GridComponent,
  LegendComponent,
  ParallelComponent,
  TitleComponent,
  VisualMapContinuousComponent,
  SVGRenderer,
]);

/**
 * Draws a chart on a white sheet: the same chart, the same text. Its name becomes part of the names inside, which are
 * unique where several charts stand in one page.
 */
export function renderSvg({ name, option, size }: Pick<Plot, "name" | "option" | "size">): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, ...size });
  try {
    chart.setOption(revived({ ...CHART_BASE, ...option }));
    return compact(chart.renderToSVGString()).replace(/(\bid="|url\(#)zr\d+-/g, `$1${name}-`);
  } finally {
    chart.dispose();
  }
}

/** Without what only a pointer would notice, and to tenths of a pixel: thousands of curves get half as long. */
function compact(svg: string): string {
  // Numbers below 1 belong to shapes of size 1 that are scaled.
  const rounded = (path: string) => path.replace(/-?[1-9]\d*\.\d{2,}/g, (text) => Number(text).toFixed(1));
  return svg
    .replace(/<style\b.*?<\/style>\s*/s, "")
    .replace(/ (ecmeta_\w+|class|pointer-events)="[^"]*"/g, "")
    .replace(/ d="([^"]*)"/g, (_, path) => ` d="${rounded(path)}"`);
}
