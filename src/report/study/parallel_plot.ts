/** Parallel coordinates: every parameter on an axis of its own, every trial a line through them. */
import type { Direction, FrozenTrial } from "../../studies/frozen_trial.ts";
import { type ChartOption, renderSvg } from "../chart.ts";
import { lineOpacity } from "../chart_style.ts";
import { blend, COLOURS } from "../colours.ts";
import { LETTER_WIDTH, LINE_HEIGHT, mostLines, wrapped } from "../labels.ts";
import { unitAxis } from "./axis_style.ts";
import { valueSpan } from "./series.ts";
import { numericAxis, parameterAxis, type UnitAxis } from "./unit_axis.ts";

/** So many of the best, but no more than a quarter, are drawn boldly. */
const MOST_BOLD = 10;
/** Letters in a line of a label, more where that takes more than so many lines. */
const LETTERS = 15;
const MOST_LINES = 3;

/** `trials`: COMPLETE with finite values, at least one. */
export function parallelPlot(
  id: string,
  trials: readonly FrozenTrial[],
  names: readonly string[],
  direction: Direction,
  valueName: string,
): string {
  // The best last, so that nothing hides them.
  const order = [...trials].sort((a, b) => direction === "maximize" ? a.value! - b.value! : b.value! - a.value!);
  const axes: UnitAxis[] = [
    numericAxis(valueName, order.map(({ value }) => value), { span: valueSpan(order, direction) }),
    ...names.map((name) => parameterAxis(name, order)),
  ];
  const colours = rankColours(order.map(({ value }) => value!));
  const bold = Math.min(MOST_BOLD, Math.ceil(order.length / 4));
  const longest = axes.flatMap(({ name, ticks }) => [name, ...ticks.map(({ label }) => label)])
    .reduce((most, label) => Math.max(most, label.length), 0);
  const letters = Math.max(LETTERS, Math.ceil(longest / MOST_LINES));
  const titles = axes.map(({ name }) => wrapped(name, letters));
  const width = letters * LETTER_WIDTH;
  const top = 28 + LINE_HEIGHT * mostLines(titles);
  const option: ChartOption = {
    parallel: { left: 16 + width / 2, right: 16 + width, top, bottom: 24 },
    parallelAxis: axes.map((axis, dim) => ({ dim, ...unitAxis(axis, letters), name: titles[dim] })),
    series: [{
      type: "parallel",
      lineStyle: { width: 1.2, opacity: lineOpacity(order.length) },
      data: order.map((_, i) => ({
        value: axes.map(({ positions }) => positions[i]),
        lineStyle: i < order.length - bold ? { color: colours[i] } : { color: colours[i], opacity: 0.9, width: 1.8 },
      })),
    }],
  };
  return renderSvg(id, option, { width: Math.max(960, (width + 16) * (axes.length + 0.5)), height: 384 + top });
}

/** From grey for the worst to warm for the best of values in order, the worst first; equal values look alike. */
function rankColours(values: readonly number[]): string[] {
  return values.map((value) => {
    const share = values.length > 1 ? values.lastIndexOf(value) / (values.length - 1) : 1;
    return blend(COLOURS.grey, COLOURS.orange, share);
  });
}
