import type { EChartsOption } from "../packages/echarts.ts";

export type ChartOption = EChartsOption;

/** A chart as a report, a dashboard or a file shows it: nothing but data, drawn by `renderSvg` or in a browser. */
export interface Plot {
  /** The file's name without its ending. */
  readonly name: string;
  readonly title: string;
  /** What is to be seen, in a sentence. */
  readonly caption: string;
  /** Of ECharts. Where it has functions there are marks (formatters.ts), so that it can be sent as JSON. */
  readonly option: ChartOption;
  /** In pixels, of the picture; in a browser the width is that of the page. */
  readonly size: { readonly width: number; readonly height: number };
  /** In pixels, where a browser has room for one column only. */
  readonly narrowHeight?: number;
  /** Pixels below which a browser scrolls. */
  readonly minWidth?: number;
  /** What a pointer is told of: the nearest thing, or all curves at its place on the horizontal axis. */
  readonly pointer: "item" | "axis";
  /** Values outside of the axes, and what is merged into the option to see them too. */
  readonly beyond?: { readonly count: number; readonly option: ChartOption };
  /** Charts of the kind, by what a reader chooses: each takes the place of parts of the option. The first is the option's. */
  readonly choices?: readonly { readonly name: string; readonly option: ChartOption }[];
}
