/** Contours: the value over two parameters, smoothed between trials. */
import type { Direction, FrozenTrial } from "../../studies/frozen_trial.ts";
import { COLOURS, SCALE } from "../colours.ts";
import { formatter } from "../formatters.ts";
import type { ChartOption, Plot } from "../plot.ts";
import { outsideText, within } from "../span.ts";
import { pairAxes, type Paired, pairedParameters, pairedRows, pairText } from "./pairs.ts";
import type { PlottedStudy } from "./plotted_study.ts";
import { drawable, valueSpan } from "./series.ts";
import type { UnitAxis } from "./unit_axis.ts";

export interface ContourCell {
  readonly x: number;
  readonly y: number;
  /** The best of the trials in one place. */
  readonly value: number;
}

/** The places of trials that have both parameters, each once. `xs`, `ys`: null for a trial without the parameter. */
export function contourCells(
  trials: readonly FrozenTrial[],
  xs: readonly (number | null)[],
  ys: readonly (number | null)[],
  direction: Direction,
): ContourCell[] {
  const cells = new Map<string, ContourCell>();
  trials.forEach(({ value }, i) => {
    const [x, y] = [xs[i], ys[i]];
    if (x === null || y === null) return;
    const before = cells.get(`${x} ${y}`);
    if (before !== undefined && (direction === "maximize" ? before.value >= value! : before.value <= value!)) return;
    cells.set(`${x} ${y}`, { x, y, value: value! });
  });
  return [...cells.values()];
}

/** Places on an axis of numbers that the surface has a value for. */
const PLACES = 33;
/** The standard deviation of the kernel, as a share of an axis: Scott's rule (1992) for places that lie evenly. */
export const kernelWidth = (cells: number): number => Math.sqrt(1 / 12) * cells ** (-1 / 6);
/** Where the kernels of all trials come to less there is no value. */
const LEAST_WEIGHT = Math.exp(-(2.5 ** 2) / 2);

/** The ends of an axis and the middles of its places: choices are places of their own. */
function placesOf({ ticks, isChoice }: UnitAxis) {
  const count = isChoice ? ticks.length : PLACES;
  const half = isChoice ? (count === 1 ? 0.5 : 0.5 / (count - 1)) : 0.05;
  const first = isChoice && count === 1 ? 0.5 : isChoice ? 0 : -0.05 + 0.55 / PLACES;
  const distance = isChoice ? 2 * half : 1.1 / PLACES;
  return {
    ends: { min: isChoice && count === 1 ? 0 : -half, max: isChoice && count === 1 ? 1 : 1 + half },
    middles: Array.from({ length: count }, (_, i) => first + i * distance),
  };
}

/**
 * The weighted mean of the cells' values at each place, [x, y, value], where any trial is near: Nadaraya (1964) and Watson
 * (1964), with a Gaussian kernel between numbers and none between choices.
 */
export function surface(cells: readonly ContourCell[], x: UnitAxis, y: UnitAxis): [number, number, number][] {
  const width = kernelWidth(cells.length);
  const kernel = ({ isChoice }: UnitAxis, distance: number) =>
    isChoice ? Number(Math.abs(distance) < 1e-6) : Math.exp(-0.5 * (distance / width) ** 2);
  const weights = (axis: UnitAxis, of: "x" | "y") =>
    placesOf(axis).middles.map((middle) => Float64Array.from(cells, (cell) => kernel(axis, cell[of] - middle)));
  const [ofX, ofY] = [weights(x, "x"), weights(y, "y")];
  return ofY.flatMap((own, j) =>
    ofX.flatMap((others, i): [number, number, number][] => {
      let [sum, weight] = [0, 0];
      for (let k = 0; k < cells.length; k++) {
        const share = own[k] * others[k];
        weight += share;
        sum += share * cells[k].value;
      }
      return weight < LEAST_WEIGHT ? [] : [[i, j, Number((sum / weight).toPrecision(5))]];
    })
  );
}

export function contourPlot(study: PlottedStudy): Plot | null {
  const { direction, valueName } = study;
  const trials = drawable(study.trials);
  const paired = pairedParameters(study, trials);
  if (trials.length === 0) return null;
  const span = valueSpan(trials, direction);
  const choices = paired.pairs.flatMap((pair) => {
    const [xs, ys] = pair.map((i) => paired.places[i]);
    const cells = contourCells(trials, xs, ys, direction).map((cell) => ({ ...cell, value: within(span, cell.value) }));
    if ([xs, ys].some((places) => new Set(places).size < 2)) return [];
    return [{
      name: pairText(paired, pair),
      option: contourOf(paired, pair, { cells, direction, trials: trials.length }),
    }];
  });
  if (choices.length === 0) return null;
  const { dimensions, rows } = pairedRows(paired, trials, valueName);
  return {
    name: "contour",
    title: "Contour",
    caption:
      `The ${valueName} over two parameters, the warmer the better: a mean of near trials, nothing where none is ` +
      "near. Dots are complete trials; those without one of the parameters are left out." +
      outsideText(span, trials.map(({ value }) => value!)),
    option: { dataset: { dimensions, source: rows }, ...choices[0].option },
    size: { width: 960, height: 460 },
    pointer: "item",
    choices,
  };
}

function contourOf(
  { axes }: Paired,
  pair: Paired["pairs"][number],
  { cells, direction, trials }: { cells: readonly ContourCell[]; direction: Direction; trials: number },
): ChartOption {
  const [x, y] = pair.map((i) => axes[i]);
  const values = surface(cells, x, y);
  const { xAxis, yAxis, grid } = pairAxes(x, y, { top: 60 });
  const [placesX, placesY] = [placesOf(x), placesOf(y)];
  const hidden = ({ middles }: typeof placesX) => ({
    type: "category" as const,
    show: false,
    data: middles.map((_, i) => `${i}`),
  });
  const ends = [Math.min, Math.max].map((end) => values.map(([, , value]) => value).reduce((a, b) => end(a, b)));
  return {
    grid,
    xAxis: [{ ...xAxis, ...placesX.ends }, hidden(placesX)],
    yAxis: [{ ...yAxis, ...placesY.ends }, hidden(placesY)],
    visualMap: {
      type: "continuous",
      seriesIndex: 0,
      dimension: 2,
      min: ends[0],
      max: ends[1],
      calculable: true,
      orient: "horizontal",
      right: 24,
      top: 0,
      itemWidth: 12,
      itemHeight: 160,
      textStyle: { color: COLOURS.ink, fontSize: 12 },
      formatter: formatter({ $format: "tick" }) as () => string,
      inRange: { color: direction === "maximize" ? [...SCALE] : SCALE.toReversed() },
    },
    series: [
      {
        name: "surface",
        type: "heatmap",
        xAxisIndex: 1,
        yAxisIndex: 1,
        silent: true,
        data: values,
      },
      {
        name: "complete trials",
        type: "scatter",
        encode: { x: pair[0], y: pair[1] },
        symbolSize: trials > 500 ? 3 : 6,
        itemStyle: { color: COLOURS.ink, opacity: 0.8 },
      },
    ],
  };
}
