/** Charts as SVG text: ECharts without a browser, in one look. */
import {
  BarChart,
  type EChartsOption,
  GridComponent,
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
} from "../packages/echarts.ts";
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
 * Draws a chart on a white sheet: the same chart, the same text. `id` becomes part of the names inside, which are unique
 * where several charts stand in one page.
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
    return compact(chart.renderToSVGString()).replace(/(\bid="|url\(#)zr\d+-/g, `$1${id}-`);
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
