/** The empirical distribution function: which share of trials came to at most a value. */
import { AXIS_STYLE, cartesian } from "../chart_style.ts";
import { COLOURS } from "../colours.ts";
import { formatter } from "../formatters.ts";
import type { ChartOption, Plot } from "../plot.ts";
import { outsideText, roundSpan } from "../span.ts";
import type { PlottedStudy } from "./plotted_study.ts";
import { drawable, type Point, valueSpan } from "./series.ts";

/** The steps of the function, by rising value: the share of `values` that is at most so much. */
export function edfSteps(values: readonly number[]): Point[] {
  const sorted = Float64Array.from(values).sort();
  return [...sorted].flatMap((value, i): Point[] => value === sorted[i + 1] ? [] : [[value, (i + 1) / sorted.length]]);
}

export function edfPlot({ trials, direction, valueName }: PlottedStudy): Plot | null {
  const shown = drawable(trials);
  if (shown.length === 0) return null;
  const values = shown.map(({ value }) => value!);
  const span = valueSpan(shown, direction);
  const steps = edfSteps(values);
  const count = values.filter((value) => value < span.low || value > span.high).length;
  const ends = count === 0 ? {} : { min: roundSpan(span).low, max: roundSpan(span).high };
  const base = cartesian(valueName, "share of complete trials", []);
  const option: ChartOption = {
    ...base,
    xAxis: {
      ...base.xAxis,
      minInterval: 0,
      axisLabel: { ...AXIS_STYLE.axisLabel, formatter: formatter({ $format: "tick" }) },
      ...ends,
    } as ChartOption["xAxis"],
    yAxis: { ...base.yAxis, min: 0, max: 1 } as ChartOption["yAxis"],
    series: [{
      name: "complete trials",
      type: "line",
      step: "end",
      symbol: "none",
      dimensions: [valueName, "share at most so much"],
      itemStyle: { color: COLOURS.blue },
      lineStyle: { color: COLOURS.blue, width: 2 },
      data: [[steps[0][0], 0], ...steps.map((step) => [...step])],
    }],
  };
  return {
    name: "edf",
    title: "Empirical distribution",
    caption: `The share of complete trials whose ${valueName} is at most so much: the further ` +
      `${direction === "maximize" ? "right and lower" : "left and higher"} the line, the better the trials.` +
      outsideText(span, values, "are left out"),
    option,
    size: { width: 960, height: 320 },
    pointer: "axis",
    beyond: count === 0
      ? undefined
      : { count, option: { xAxis: { min: null, max: null } as unknown as { min?: number } } },
  };
}
