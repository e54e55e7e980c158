/** Charts of reports and of the live page. */
export {
  BarChart,
  HeatmapChart,
  LineChart,
  LinesChart,
  ParallelChart,
  ScatterChart,
  type ScatterSeriesOption,
} from "npm:echarts@6.1.0/charts";
export {
  DatasetComponent,
  GridComponent,
  LegendComponent,
  type LegendComponentOption,
  ParallelComponent,
  TitleComponent,
  VisualMapContinuousComponent,
} from "npm:echarts@6.1.0/components";
export { init, use } from "npm:echarts@6.1.0/core";
export type { EChartsOption, EChartsType } from "npm:echarts@6.1.0";
export { SVGRenderer } from "npm:echarts@6.1.0/renderers";

/** Where the script is that draws charts in a browser. */
export const BROWSER_SCRIPT = new URL(import.meta.resolve("npm:echarts@6.1.0/dist/echarts.min"));
