/** Slices: the value over each parameter alone. */
import type { FrozenTrial } from "../studies/frozen_trial.ts";
import { parameterAxis } from "./axis.ts";
import { type ChartOption, renderSvg } from "./chart.ts";
import { AXIS_STYLE, unitAxis } from "./chart_style.ts";
import { COLOURS } from "./colours.ts";

const COLUMNS = 3;
const CELL = { width: 320, height: 200 };

/** `trials`: COMPLETE with finite values, at least one. */
export function slicePlot(
  id: string,
  trials: readonly FrozenTrial[],
  names: readonly string[],
  valueName: string,
): string {
  const axes = names.map((name) => parameterAxis(name, trials));
  const option: ChartOption = {
    grid: axes.map((_, i) => ({
      left: (i % COLUMNS) * CELL.width + 12,
      top: Math.floor(i / COLUMNS) * CELL.height + 32,
      width: CELL.width - 32,
      height: CELL.height - 60,
      outerBoundsMode: "same",
      outerBoundsContain: "axisLabel",
    })),
    xAxis: axes.map((axis, gridIndex) => ({
      ...unitAxis(axis),
      gridIndex,
      name: axis.name,
      nameTruncate: { maxWidth: CELL.width - 80 },
      nameLocation: "middle",
      nameGap: 24,
    })),
    yAxis: axes.map((_, gridIndex) => ({
      ...AXIS_STYLE,
      gridIndex,
      type: "value",
      scale: true,
      splitNumber: 4,
      name: gridIndex % COLUMNS === 0 ? valueName : "",
      nameGap: 8,
    })),
    series: axes.map(({ positions }, i) => ({
      type: "scatter",
      xAxisIndex: i,
      yAxisIndex: i,
      symbolSize: trials.length > 500 ? 3 : 5,
      // One path for all points: a page with thousands of trials stays small.
      large: true,
      largeThreshold: 0,
      itemStyle: { color: COLOURS.complete, opacity: 0.6 },
      data: trials.map(({ value }, at) => [positions[at], value!]),
    })),
  };
  const rows = Math.ceil(names.length / COLUMNS);
  return renderSvg(id, option, { width: COLUMNS * CELL.width, height: rows * CELL.height });
}
