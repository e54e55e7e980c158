/** What the charts have in common to look at. */
import type { ChartOption } from "./plot.ts";
import type { LegendComponentOption } from "../packages/echarts.ts";
import { COLOURS } from "./colours.ts";
import { LINE_HEIGHT } from "./labels.ts";

/** What every chart begins with. */
export const CHART_BASE = {
  animation: false,
  backgroundColor: COLOURS.paper,
  textStyle: { fontFamily: "system-ui, 'Segoe UI', Helvetica, Arial, sans-serif", color: COLOURS.ink },
} as const;

export const AXIS_STYLE = {
  axisLine: { show: true, onZero: false, lineStyle: { color: COLOURS.line } },
  axisTick: { show: true, lineStyle: { color: COLOURS.line } },
  axisLabel: { color: COLOURS.faint, fontSize: 12, lineHeight: LINE_HEIGHT, hideOverlap: true },
  splitLine: { show: true, lineStyle: { color: COLOURS.grid } },
  nameTextStyle: { color: COLOURS.faint, fontSize: 12, lineHeight: LINE_HEIGHT },
} as const;

/** A legend above, at the right; a browser has its own in its place. */
export const chartLegend = (legend: readonly { name: string; colour: string }[]): LegendComponentOption => ({
  top: 4,
  right: 24,
  itemGap: 24,
  itemWidth: 18,
  itemHeight: 6,
  icon: "roundRect",
  textStyle: { color: COLOURS.ink, fontSize: 12 },
  data: legend.map(({ name, colour }) => ({ name, itemStyle: { color: colour, opacity: 1 } })),
});

/** The best value of a study so far, by number of trial. */
export const bestSoFar = (data: readonly (readonly number[])[]) => ({
  name: "best so far",
  type: "line" as const,
  step: "end" as const,
  symbol: "none",
  silent: true,
  itemStyle: { color: COLOURS.orange },
  lineStyle: { color: COLOURS.orange, width: 2 },
  data: data.map((point) => [...point]),
});

/** Two axes, whole numbers on the horizontal one, and a legend above. */
export function cartesian(x: string, y: string, legend: readonly { name: string; colour: string }[]): ChartOption {
  return {
    grid: { left: 12, right: 24, top: 44, bottom: 36, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    legend: chartLegend(legend),
    xAxis: {
      ...AXIS_STYLE,
      type: "value",
      name: x,
      nameLocation: "middle",
      nameGap: 28,
      scale: true,
      minInterval: 1,
      splitLine: { show: false },
    },
    yAxis: {
      ...AXIS_STYLE,
      type: "value",
      name: y,
      nameLocation: "end",
      nameGap: 12,
      // From the axis to the right, where there is room for it.
      nameTextStyle: { ...AXIS_STYLE.nameTextStyle, align: "left" },
      scale: true,
    },
  };
}

/** So that what many lines have in common can be seen through them. */
export const lineOpacity = (lines: number): number => Math.min(0.75, Math.max(0.08, 40 / lines));
