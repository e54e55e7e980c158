/** How much of its pairs a run does not read. */
import type { RunResults } from "../../training/run_results.ts";
import { AXIS_STYLE } from "../chart_style.ts";
import { COLOURS } from "../colours.ts";
import type { ChartOption, Plot } from "../plot.ts";
import { linearTicks } from "../ticks.ts";

const MOST_BINS = 20;

/** How many pairs lose how many tokens, in bins of round widths from 1 up; all of one width. */
export function lostBins(lost: readonly number[]): { from: number; to: number; pairs: number }[] {
  const most = lost.reduce((a, b) => Math.max(a, b), 0);
  const [first, second] = linearTicks(0, (most * 5) / MOST_BINS);
  const width = Math.max(1, Math.ceil(second - first) || 1);
  const bins = Array.from({ length: Math.ceil(most / width) }, (_, i) => {
    return { from: i * width + 1, to: (i + 1) * width, pairs: 0 };
  });
  for (const tokens of lost) if (tokens > 0) bins[Math.ceil(tokens / width) - 1].pairs++;
  return bins;
}

/** Nothing where nothing is cut off. */
export function lengthPlots({ lengths }: Pick<RunResults, "lengths">): Plot[] {
  const bins = lostBins((lengths ?? []).map(({ lost }) => lost));
  if (bins.length === 0) return [];
  const cut = bins.reduce((sum, { pairs }) => sum + pairs, 0);
  const option: ChartOption = {
    grid: { left: 12, right: 24, top: 36, bottom: 36, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    xAxis: {
      ...AXIS_STYLE,
      type: "category",
      name: "tokens cut off",
      nameLocation: "middle",
      nameGap: 28,
      splitLine: { show: false },
      data: bins.map(({ from, to }) => from === to ? `${from}` : `${from}–${to}`),
    },
    yAxis: {
      ...AXIS_STYLE,
      type: "value",
      minInterval: 1,
      name: "pairs",
      nameTextStyle: { ...AXIS_STYLE.nameTextStyle, align: "left" },
    },
    series: [{
      type: "bar",
      barCategoryGap: "10%",
      itemStyle: { color: COLOURS.blue },
      data: bins.map(({ pairs }) => pairs),
    }],
  };
  return [{
    name: "truncation",
    title: "Tokens cut off",
    caption: `How many tokens each of ${cut} pairs loses whose post does not fit; the other ${
      lengths!.length - cut
    } lose none.`,
    option,
    size: { width: 960, height: 300 },
    pointer: "item",
  }];
}
