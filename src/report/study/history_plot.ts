/** Optimization history: what every trial came to, and the best so far. */
import { bestSoFar, cartesian } from "../chart_style.ts";
import { COLOURS } from "../colours.ts";
import type { ChartOption, Plot } from "../plot.ts";
import { clipping, reachingAll, type Row, spanOf } from "../span.ts";
import type { PlottedStudy } from "./plotted_study.ts";
import { drawable, type Point, runningBest } from "./series.ts";

export function historyPlot({ trials, direction, valueName }: PlottedStudy): Plot | null {
  const complete = drawable(trials).map(({ number, value }): Point => [number, value!]);
  const pruned = trials
    .filter(({ state, value }) => state === "PRUNED" && Number.isFinite(value))
    .map(({ number, value }): Point => [number, value!]);
  if (complete.length + pruned.length === 0) return null;
  const symbolSize = trials.length > 500 ? 4 : 7;
  const best = runningBest(trials, direction);
  const values = [...pruned, ...complete].map(([, value]) => value);
  const clipped = clipping(
    "beyond",
    spanOf(values, best.slice(-1).map(([, value]) => value)),
    [...pruned, ...complete].map(([number, value]): Row => [number, value, number]),
    ["_number", valueName, "trial"],
  );
  const dots = [
    { name: "pruned", symbol: "diamond", colour: COLOURS.grey, points: pruned },
    { name: "complete", symbol: "circle", colour: COLOURS.blue, points: complete },
  ].filter(({ points }) => points.length > 0);
  const legend = best.length > 0 ? [...dots, { name: "best so far", colour: COLOURS.orange }] : dots;
  const base = cartesian("trial", valueName, legend);
  const option: ChartOption = {
    ...base,
    yAxis: { ...base.yAxis, ...clipped.axis } as ChartOption["yAxis"],
    series: [
      ...dots.map(({ name, symbol, colour, points }) => ({
        name,
        type: "scatter" as const,
        symbol,
        symbolSize,
        dimensions: ["_number", valueName, "trial"],
        itemStyle: { color: colour, opacity: 0.7 },
        data: points.map(([number, value]) => [number, value, number]),
      })),
      bestSoFar(best),
      ...clipped.marks,
    ],
  };
  return {
    name: "history",
    title: "Optimization history",
    caption: `Every complete trial's ${valueName}, that of pruned trials when they were stopped, and the best so far.` +
      clipped.text,
    option,
    size: { width: 960, height: 400 },
    pointer: "item",
    beyond: reachingAll([clipped]),
  };
}
