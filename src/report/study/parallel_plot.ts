/** Parallel coordinates: every parameter on an axis of its own, every trial a line through them. */
import type { FrozenTrial } from "../../studies/frozen_trial.ts";
import { lineOpacity } from "../chart_style.ts";
import { SCALE } from "../colours.ts";
import { LETTER_WIDTH, LINE_HEIGHT, mostLines, wrapped } from "../labels.ts";
import type { ChartOption, Plot } from "../plot.ts";
import { outsideText, type Span } from "../span.ts";
import { unitAxis } from "./axis_style.ts";
import { type PlottedStudy, someText, topParameters } from "./plotted_study.ts";
import { drawable, rankShares, scaleStep, valueSpan } from "./series.ts";
import { numericAxis, parameterAxis, type UnitAxis } from "./unit_axis.ts";

/** So many of the best, but no more than a quarter, are drawn boldly. */
const MOST_BOLD = 10;
/** Letters in a line of a label, more where that takes more than so many lines. */
const LETTERS = 15;
const MOST_LINES = 3;

export function parallelPlot(study: PlottedStudy): Plot | null {
  const { direction, valueName } = study;
  const trials = drawable(study.trials);
  const names = topParameters(study);
  if (trials.length === 0 || names.length === 0) return null;
  // The best last, so that nothing hides them.
  const order = [...trials].sort((a, b) => direction === "maximize" ? a.value! - b.value! : b.value! - a.value!);
  const values = order.map(({ value }) => value!);
  const span = valueSpan(order, direction);
  const parameters = names.map((name) => parameterAxis(name, order));
  const axesOver = (span: Span): UnitAxis[] => [numericAxis(valueName, values, { span }), ...parameters];
  const shares = rankShares(values, direction);

  const axes = axesOver(span);
  const longest = axes.flatMap(({ name, ticks }) => [name, ...ticks.map(({ label }) => label)])
    .reduce((most, label) => Math.max(most, label.length), 0);
  const letters = Math.max(LETTERS, Math.ceil(longest / MOST_LINES));
  const titles = axes.map(({ name }) => wrapped(name, letters));
  const width = letters * LETTER_WIDTH;
  const top = 28 + LINE_HEIGHT * mostLines(titles);
  // Where there are many choices their labels need room below each other.
  const height = axes.flatMap(({ ticks }) => {
    return ticks.reduce((sum, { label }) => sum + LINE_HEIGHT * mostLines([wrapped(label, letters)]) + 4, 0);
  }).reduce((a, b) => Math.max(a, b), 360);
  const linesThrough = (axes: readonly UnitAxis[]) => ({
    parallelAxis: axes.map((axis, dim) => ({ dim, ...unitAxis(axis, { letters }), name: titles[dim] })),
    series: [{ id: "trials", type: "parallel" as const, data: lineItems(order, axes, shares) }],
  });
  const { parallelAxis, series: [series] } = linesThrough(axes);
  const option: ChartOption = {
    parallel: { left: 16 + width / 2, right: 16 + width, top, bottom: 24 },
    parallelAxis,
    series: [{ ...series, lineStyle: { width: 1.2, opacity: lineOpacity(order.length) } }],
  };
  const outside = outsideText(span, values, "end at the edge");
  const size = { width: Math.max(960, Math.ceil((width + 16) * (axes.length + 0.5))), height: height + 24 + top };
  const count = values.filter((value) => value < span.low || value > span.high).length;
  const [a, b] = [values[0], values[values.length - 1]];
  const all = linesThrough(axesOver({ low: Math.min(a, b), high: Math.max(a, b) }));
  return {
    name: "parallel",
    title: "Parallel coordinates",
    caption: `One line per complete trial, the warmer the better it ranks by ${valueName}. A trial without a ` +
      `parameter goes through “absent”.${someText(study)}${outside}`,
    option,
    size,
    minWidth: size.width,
    pointer: "item",
    beyond: count === 0 ? undefined : { count, option: all },
  };
}

function lineItems(order: readonly FrozenTrial[], axes: readonly UnitAxis[], shares: readonly number[]) {
  const bold = Math.min(MOST_BOLD, Math.ceil(order.length / 4));
  return order.map(({ number }, i) => {
    const color = SCALE[scaleStep(shares[i])];
    return {
      name: `trial ${number}`,
      value: axes.map(({ positions }) => positions[i]),
      lineStyle: i < order.length - bold ? { color } : { color, opacity: 0.9, width: 1.8 },
    };
  });
}
