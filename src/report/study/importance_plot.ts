/** Importances as bars. */
import { AXIS_STYLE } from "../chart_style.ts";
import { COLOURS } from "../colours.ts";
import { formatter } from "../formatters.ts";
import { LINE_HEIGHT, mostLines, wrapped } from "../labels.ts";
import { plain } from "../markdown.ts";
import type { ChartOption, Plot } from "../plot.ts";
import type { PlottedStudy } from "./plotted_study.ts";

/** Letters in a line of a parameter's name beside its bar, and where a screen is narrow. */
const NAME_LETTERS = { wide: 40, narrow: 18 };
/** Pixels from which a browser has room for long names beside a chart. */
const NARROW = 600;

export function importancePlot({ importances }: PlottedStudy): Plot | null {
  const shares = importances.toReversed();
  if (shares.length === 0) return null;
  const names = shares.map(([name]) => plain(name));
  const axisLabel = (letters: number) => ({
    ...AXIS_STYLE.axisLabel,
    color: COLOURS.ink,
    interval: 0,
    hideOverlap: false,
    formatter: formatter({ $format: "labels", labels: names.map((name, i) => [i, wrapped(name, letters)]) }),
  });
  const heightOf = (letters: number) =>
    32 + (14 + LINE_HEIGHT * mostLines(names.map((name) => wrapped(name, letters)))) * shares.length;
  const option: ChartOption = {
    grid: { left: 16, right: 64, top: 8, bottom: 8, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    xAxis: { type: "value", min: 0, axisLabel: { show: false }, splitLine: { show: false } },
    yAxis: {
      ...AXIS_STYLE,
      type: "category",
      // Two of one name would share a row.
      data: names.map((_, i) => `${i}`),
      axisTick: { show: false },
      splitLine: { show: false },
      axisLabel: axisLabel(NAME_LETTERS.wide),
    },
    media: [
      { query: { minWidth: NARROW }, option: { yAxis: { axisLabel: axisLabel(NAME_LETTERS.wide) } } },
      { query: { maxWidth: NARROW - 1 }, option: { yAxis: { axisLabel: axisLabel(NAME_LETTERS.narrow) } } },
    ],
    series: [{
      type: "bar",
      barMaxWidth: 18,
      itemStyle: { color: COLOURS.blue },
      dimensions: ["importance"],
      data: shares.map(([, share], i) => ({
        value: share,
        name: names[i],
        label: { show: true, position: "right" as const, color: COLOURS.ink, formatter: share.toFixed(3) },
      })),
    }],
  };
  return {
    name: "importances",
    title: "Hyper-parameter importances",
    caption: "The share that each parameter has in whether a trial is among the best tenth.",
    option,
    size: { width: 960, height: heightOf(NAME_LETTERS.wide) },
    narrowHeight: heightOf(NAME_LETTERS.narrow),
    pointer: "item",
  };
}
