/** Charts of reports. */
export { BarChart, LineChart, LinesChart, ParallelChart, ScatterChart } from "npm:echarts@6.1.0/charts";
export { GridComponent, LegendComponent, ParallelComponent, TitleComponent } from "npm:echarts@6.1.0/components";
export { init, use } from "npm:echarts@6.1.0/core";
export type { EChartsOption } from "npm:echarts@6.1.0";
export { SVGRenderer } from "npm:echarts@6.1.0/renderers";
