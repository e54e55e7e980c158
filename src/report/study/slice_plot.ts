/** Slices: the value over each parameter alone. */
import type { Direction, FrozenTrial } from "../../studies/frozen_trial.ts";
import { type ChartOption, renderSvg } from "../chart.ts";
import { AXIS_STYLE } from "../chart_style.ts";
import { COLOURS } from "../colours.ts";
import { LETTER_WIDTH, LINE_HEIGHT, mostLines, wrapped } from "../labels.ts";
import { within } from "../span.ts";
import { unitAxis } from "./axis_style.ts";
import { valueSpan } from "./series.ts";
import { parameterAxis } from "./unit_axis.ts";

const COLUMNS = 2;
const CELL = { width: 480, height: 200 };
/** Of what is left for the points. */
const PLOT_WIDTH = 390;
/** Letters in a line of a title, and the least in one of a label. */
const TITLE_LETTERS = 60;
const LETTERS = 8;

/** `trials`: COMPLETE with finite values, at least one. */
export function slicePlot(
  id: string,
  trials: readonly FrozenTrial[],
  names: readonly string[],
  direction: Direction,
  valueName: string,
): string {
  const axes = names.map((name) => parameterAxis(name, trials));
  const span = valueSpan(trials, direction);
  const titles = axes.map(({ name }) => wrapped(name, TITLE_LETTERS));
  // Choices share the width of their axis.
  const letters = axes.map(({ ticks }) => Math.max(LETTERS, Math.floor(PLOT_WIDTH / ticks.length / LETTER_WIDTH)));
  const labelLines = mostLines(axes.flatMap(({ ticks }, i) => ticks.map(({ label }) => wrapped(label, letters[i]))));
  const below = LINE_HEIGHT * (labelLines + mostLines(titles) - 2);
  const height = CELL.height + below;
  const option: ChartOption = {
    grid: axes.map((_, i) => ({
      left: (i % COLUMNS) * CELL.width + 12,
      top: Math.floor(i / COLUMNS) * height + 32,
      width: CELL.width - 32,
      height: CELL.height - 60,
      outerBoundsMode: "same",
      outerBoundsContain: "axisLabel",
    })),
    xAxis: axes.map((axis, gridIndex) => ({
      ...unitAxis(axis, letters[gridIndex]),
      gridIndex,
      name: titles[gridIndex],
      nameLocation: "middle",
      nameGap: 10 + LINE_HEIGHT * labelLines,
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
      itemStyle: { color: COLOURS.blue, opacity: 0.6 },
      data: trials.map(({ value }, at) => [positions[at], within(span, value!)]),
    })),
  };
  const rows = Math.ceil(names.length / COLUMNS);
  return renderSvg(id, option, { width: COLUMNS * CELL.width, height: rows * height });
}
