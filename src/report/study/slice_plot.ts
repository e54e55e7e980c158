/** Slices: the value over each parameter alone. */
import { AXIS_STYLE } from "../chart_style.ts";
import { COLOURS } from "../colours.ts";
import { besideEachOther, LINE_HEIGHT, mostLines, wrapped } from "../labels.ts";
import { panels } from "../panels.ts";
import type { ChartOption, Plot } from "../plot.ts";
import { clipping, outsideText, reachingAll, type Row } from "../span.ts";
import { unitAxis } from "./axis_style.ts";
import { type PlottedStudy, someText, topParameters } from "./plotted_study.ts";
import { drawable, valueSpan } from "./series.ts";
import { parameterAxis } from "./unit_axis.ts";

/** Of what is left for the points where a screen is narrow. */
const PLOT_WIDTH = 270;
/** Letters in a line of a title. */
const TITLE_LETTERS = 48;

export function slicePlot(study: PlottedStudy): Plot | null {
  const { direction, valueName } = study;
  const trials = drawable(study.trials);
  const names = topParameters(study);
  if (trials.length === 0 || names.length === 0) return null;
  const axes = names.map((name) => parameterAxis(name, trials));
  const span = valueSpan(trials, direction);
  const titles = axes.map(({ name }) => wrapped(name, TITLE_LETTERS));
  const labels = axes.map(({ ticks }) => besideEachOther(ticks.map(({ label }) => label), PLOT_WIDTH));
  const clipped = axes.map(({ positions }, panel) => {
    const rows = trials.map(({ number, value }, i): Row => [positions[i], value!, number]);
    return clipping(`beyond_${panel}`, span, rows, ["_position", valueName, "trial"]);
  });
  const { option: grids, size, narrowHeight } = panels(
    axes.map((_, i) => ({
      chart: 130 + labels[i].height,
      above: 32,
      below: 26 + LINE_HEIGHT * mostLines([titles[i]]),
    })),
    0,
  );
  const option: ChartOption = {
    ...grids,
    dataset: {
      dimensions: [...axes.map((_, i) => `_${i}`), valueName, "trial"],
      source: trials.map(({ number, value }, at) => [...axes.map(({ positions }) => positions[at]), value!, number]),
    },
    xAxis: axes.map((axis, gridIndex) => ({
      ...unitAxis(axis, labels[gridIndex]),
      gridIndex,
      name: titles[gridIndex],
      nameLocation: "middle",
      nameGap: 12 + labels[gridIndex].height,
    })),
    yAxis: axes.map((_, gridIndex) => ({
      ...AXIS_STYLE,
      gridIndex,
      type: "value",
      scale: true,
      splitNumber: 4,
      ...clipped[gridIndex].axis,
      name: valueName,
      nameGap: 8,
    })),
    series: axes.flatMap((_, i) => [
      {
        name: titles[i],
        type: "scatter" as const,
        xAxisIndex: i,
        yAxisIndex: i,
        symbolSize: trials.length > 500 ? 3 : 5,
        // One path for all points: a page with thousands of trials stays small.
        large: true,
        largeThreshold: 0,
        encode: { x: i, y: axes.length },
        itemStyle: { color: COLOURS.blue, opacity: 0.6 },
      },
      ...clipped[i].marks.map((marks) => ({ ...marks, xAxisIndex: i, yAxisIndex: i })),
    ]),
  };
  return {
    name: "slices",
    title: "Slices",
    caption: `The ${valueName} of complete trials over each parameter.${someText(study)}` +
      outsideText(span, trials.map(({ value }) => value!), "are triangles at the edge"),
    option,
    size,
    narrowHeight,
    pointer: "item",
    // Each trial is in every panel.
    beyond: clipped[0].count === 0 ? undefined : { ...reachingAll(clipped)!, count: clipped[0].count },
  };
}
