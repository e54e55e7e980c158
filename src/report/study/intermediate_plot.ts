/** Intermediate values: the curve of every trial. */
import { cartesian, lineOpacity } from "../chart_style.ts";
import { COLOURS } from "../colours.ts";
import type { ChartOption, Plot } from "../plot.ts";
import { clipping, reachingAll, type Row, spanOf } from "../span.ts";
import type { PlottedStudy } from "./plotted_study.ts";
import { curves } from "./series.ts";

export function intermediatePlot({ trials, direction, valueName, reported }: PlottedStudy): Plot | null {
  const opacity = lineOpacity(trials.length);
  const kinds = [
    { name: "pruned, failed or running", colour: COLOURS.grey, opacity: opacity / 2, complete: false },
    { name: "complete", colour: COLOURS.blue, opacity, complete: true },
  ].map((kind) => ({
    ...kind,
    pieces: trials.filter(({ state }) => (state === "COMPLETE") === kind.complete)
      .flatMap((trial) => curves(trial).map((points) => ({ number: trial.number, points }))),
  })).filter(({ pieces }) => pieces.length > 0);
  if (kinds.length === 0) return null;
  const all = kinds.flatMap(({ pieces }) =>
    pieces.flatMap(({ number, points }) => points.map(([step, value]): Row => [step, value, number]))
  );
  const values = all.map(([, value]) => value);
  const best = values.reduce((a, b) => direction === "maximize" ? Math.max(a, b) : Math.min(a, b));
  const clipped = clipping("beyond", spanOf(values, [best]), all, ["step", valueName, "trial"]);
  const lines = kinds.map(({ name, colour, opacity, pieces }) => ({
    name,
    type: "lines" as const,
    coordinateSystem: "cartesian2d" as const,
    polyline: true,
    itemStyle: { color: colour },
    lineStyle: { color: colour, opacity, width: 1.2 },
    emphasis: { lineStyle: { opacity: 1, width: 3 } },
    data: pieces.filter(({ points }) => points.length > 1)
      .map(({ number, points }) => ({ name: `trial ${number}`, coords: points.map((point) => [...point]) })),
  }));
  // A single report is no line.
  const dots = kinds.map(({ name, colour, opacity, pieces }) => ({
    name,
    type: "scatter" as const,
    symbolSize: 5,
    dimensions: ["step", valueName, "trial"],
    itemStyle: { color: colour, opacity },
    data: pieces.filter(({ points }) => points.length === 1)
      .map(({ number, points: [point] }) => [...point, number]),
  }));
  // Axes are not fitted to a series of lines, so its corners are there as points that cannot be seen.
  const corners = [Math.min, Math.max].map((end) =>
    [0, 1].map((i) => all.map((row) => row[i]).reduce((a, b) => end(a, b)))
  );
  const base = cartesian("step", valueName, kinds.map(({ name, colour }) => ({ name, colour })));
  const option: ChartOption = {
    ...base,
    yAxis: { ...base.yAxis, ...clipped.axis } as ChartOption["yAxis"],
    series: [...lines, ...dots, { type: "scatter", symbol: "none", data: corners }, ...clipped.marks],
  };
  return {
    name: "intermediate",
    title: "Intermediate values",
    caption: `What every trial reported on its way${reported === null ? "" : `: ${reported}`}.` + clipped.text,
    option,
    size: { width: 960, height: 400 },
    pointer: "item",
    beyond: reachingAll([clipped]),
  };
}
