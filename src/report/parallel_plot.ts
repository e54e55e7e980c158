/** Parallel coordinates: every parameter on an axis of its own, every trial a line through them. */
import type { Direction, FrozenTrial } from "../studies/frozen_trial.ts";
import { numericAxis, parameterAxis, type UnitAxis } from "./axis.ts";
import { type ChartOption, renderSvg } from "./chart.ts";
import { lineOpacity, narrowName, unitAxis } from "./chart_style.ts";
import { blend, COLOURS } from "./colours.ts";

/** So many of the best, but no more than a quarter, are drawn boldly. */
const MOST_BOLD = 10;
const AXIS_WIDTH = 112;

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
    numericAxis(valueName, order.map(({ value }) => value)),
    ...names.map((name) => parameterAxis(name, order)),
  ];
  const colours = rankColours(order.map(({ value }) => value!));
  const bold = Math.min(MOST_BOLD, Math.ceil(order.length / 4));
  const option: ChartOption = {
    parallel: { left: 48, right: 64, top: 56, bottom: 24 },
    parallelAxis: axes.map((axis, dim) => ({ dim, ...unitAxis(axis), name: narrowName(axis.name) })),
    series: [{
      type: "parallel",
      lineStyle: { width: 1.2, opacity: lineOpacity(order.length) },
      data: order.map((_, i) => ({
        value: axes.map(({ positions }) => positions[i]),
        lineStyle: i < order.length - bold ? { color: colours[i] } : { color: colours[i], opacity: 0.9, width: 1.8 },
      })),
    }],
  };
  return renderSvg(id, option, { width: Math.max(960, AXIS_WIDTH * axes.length), height: 440 });
}

/** From grey for the worst to warm for the best of values in order, the worst first; equal values look alike. */
function rankColours(values: readonly number[]): string[] {
  return values.map((value) => {
    const share = values.length > 1 ? values.lastIndexOf(value) / (values.length - 1) : 1;
    return blend(COLOURS.pruned, COLOURS.best, share);
  });
}
