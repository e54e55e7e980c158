/** What the charts have in common to look at. */
import { ABSENT, type UnitAxis } from "./axis.ts";
import type { ChartOption } from "./chart.ts";
import { COLOURS } from "./colours.ts";

export const AXIS_STYLE = {
  axisLine: { show: true, onZero: false, lineStyle: { color: COLOURS.line } },
  axisTick: { show: true, lineStyle: { color: COLOURS.line } },
  axisLabel: { color: COLOURS.faint, fontSize: 12 },
  splitLine: { show: true, lineStyle: { color: COLOURS.grid } },
  nameTextStyle: { color: COLOURS.faint, fontSize: 12 },
} as const;

/** Two axes, whole numbers on the horizontal one, and a legend above. */
export function cartesian(x: string, y: string, legend: readonly { name: string; colour: string }[]): ChartOption {
  return {
    grid: { left: 12, right: 24, top: 44, bottom: 36, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    legend: {
      top: 4,
      right: 24,
      itemGap: 24,
      itemWidth: 18,
      itemHeight: 6,
      icon: "roundRect",
      textStyle: { color: COLOURS.ink, fontSize: 12 },
      data: legend.map(({ name, colour }) => ({ name, itemStyle: { color: colour, opacity: 1 } })),
    },
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
    yAxis: { ...AXIS_STYLE, type: "value", name: y, nameLocation: "end", nameGap: 12, scale: true },
  };
}

/** So that what many lines have in common can be seen through them. */
export const lineOpacity = (lines: number): number => Math.min(0.75, Math.max(0.08, 40 / lines));

/** Labels longer than this, in pixels or letters, are cut; tables have them in full. */
const LABEL_WIDTH = 92;
const LINE_LETTERS = 17;

/** A name for above a narrow axis: a long one on two lines, broken where a word ends. */
export function narrowName(name: string): string {
  if (name.length <= LINE_LETTERS) return name;
  const ends = [...name.matchAll(/[_. ]/g)].map(({ index }) => index + 1).filter((end) => end <= LINE_LETTERS);
  const cut = ends.at(-1) ?? LINE_LETTERS;
  const rest = name.slice(cut);
  return `${name.slice(0, cut)}\n${rest.length > LINE_LETTERS ? `${rest.slice(0, LINE_LETTERS - 1)}…` : rest}`;
}

/** The axis as ECharts takes it. Trials without the parameter, where there are any, have a place below its values. */
export function unitAxis({ ticks, positions }: UnitAxis) {
  const hasAbsent = positions.includes(ABSENT);
  const shown = hasAbsent ? [{ at: ABSENT, label: "absent" }, ...ticks] : ticks;
  const labels = new Map(shown.map(({ at, label }) => [at, label]));
  const customValues = [...labels.keys()];
  return {
    ...AXIS_STYLE,
    type: "value" as const,
    min: hasAbsent ? ABSENT - 0.05 : -0.05,
    max: 1.05,
    axisTick: { ...AXIS_STYLE.axisTick, customValues },
    axisLabel: {
      ...AXIS_STYLE.axisLabel,
      fontSize: 11,
      width: LABEL_WIDTH,
      overflow: "truncate" as const,
      // Lines run behind it.
      textBorderColor: COLOURS.paper,
      textBorderWidth: 3,
      customValues,
      formatter: (at: number) => labels.get(at) ?? "",
    },
    splitLine: { show: false },
    nameTextStyle: { ...AXIS_STYLE.nameTextStyle, color: COLOURS.ink },
  };
}
