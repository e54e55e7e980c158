/** The charts of a study. Loads the drawing library, so import it only where a report is made. */
import type { Direction, FrozenTrial } from "../../studies/frozen_trial.ts";
import { type ChartOption, renderSvg } from "../chart.ts";
import { AXIS_STYLE, cartesian, lineOpacity } from "../chart_style.ts";
import { COLOURS } from "../colours.ts";
import { LINE_HEIGHT, mostLines, wrapped } from "../labels.ts";
import { plain } from "../markdown.ts";
import type { Plot } from "../plot.ts";
import { beyondText, spanOf, within } from "../span.ts";
import { parallelPlot } from "./parallel_plot.ts";
import { curves, drawable, type Point, runningBest, valueSpan } from "./series.ts";
import { slicePlot } from "./slice_plot.ts";

export interface PlottedStudy {
  readonly trials: readonly FrozenTrial[];
  readonly direction: Direction;
  /** By parameter, the largest first. */
  readonly importances: readonly (readonly [name: string, share: number])[];
  /** What a value is called: "F1" or "value". */
  readonly valueName: string;
  /** What the intermediate values are; null where nothing says. */
  readonly reported: string | null;
}

/** Parameters that charts with a place for each one show; the most important ones where there are more. */
const MOST_PARAMETERS = 16;
const WIDTH = 960;
/** Letters in a line of a parameter's name beside its bar. */
const NAME_LETTERS = 40;

/** Every chart that the study has something for. */
export function studyPlots(study: PlottedStudy): Plot[] {
  return [historyPlot(study), importancePlot(study), intermediatePlot(study), ...parameterPlots(study)]
    .filter((plot) => plot !== null);
}

function historyPlot({ trials, direction, valueName }: PlottedStudy): Plot | null {
  const complete = drawable(trials).map(({ number, value }): Point => [number, value!]);
  const pruned = trials
    .filter(({ state, value }) => state === "PRUNED" && Number.isFinite(value))
    .map(({ number, value }): Point => [number, value!]);
  if (complete.length + pruned.length === 0) return null;
  const symbolSize = trials.length > 500 ? 4 : 7;
  const best = runningBest(trials, direction);
  const values = [...pruned, ...complete].map(([, value]) => value);
  const span = spanOf(values, best.slice(-1).map(([, value]) => value));
  const dots = [
    { name: "pruned", symbol: "diamond", colour: COLOURS.grey, points: pruned },
    { name: "complete", symbol: "circle", colour: COLOURS.blue, points: complete },
  ].filter(({ points }) => points.length > 0);
  const legend = best.length > 0 ? [...dots, { name: "best so far", colour: COLOURS.orange }] : dots;
  const option: ChartOption = {
    ...cartesian("trial", valueName, legend),
    series: [
      ...dots.map(({ name, symbol, colour, points }) => ({
        name,
        type: "scatter" as const,
        symbol,
        symbolSize,
        itemStyle: { color: colour, opacity: 0.7 },
        data: points.map(([number, value]) => ({
          value: [number, within(span, value)],
          ...(value === within(span, value) ? {} : { symbol: "triangle", symbolRotate: value < span.low ? 180 : 0 }),
        })),
      })),
      {
        name: "best so far",
        type: "line",
        step: "end",
        symbol: "none",
        lineStyle: { color: COLOURS.orange, width: 2 },
        data: best.map(([number, value]) => [number, within(span, value)]),
      },
    ],
  };
  return {
    name: "history",
    title: "Optimization history",
    caption: `Every complete trial's ${valueName}, that of pruned trials when they were stopped, and the best so far.` +
      beyondText(span, values),
    svg: renderSvg("history", option, { width: WIDTH, height: 400 }),
  };
}

function importancePlot({ importances }: PlottedStudy): Plot | null {
  const shares = importances.toReversed();
  if (shares.length === 0) return null;
  const names = shares.map(([name]) => wrapped(plain(name), NAME_LETTERS));
  const option: ChartOption = {
    grid: { left: 32, right: 64, top: 8, bottom: 8, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    xAxis: { type: "value", min: 0, axisLabel: { show: false }, splitLine: { show: false } },
    yAxis: {
      ...AXIS_STYLE,
      type: "category",
      data: names,
      axisTick: { show: false },
      splitLine: { show: false },
      axisLabel: { ...AXIS_STYLE.axisLabel, color: COLOURS.ink, interval: 0 },
    },
    series: [{
      type: "bar",
      barMaxWidth: 18,
      itemStyle: { color: COLOURS.blue },
      label: {
        show: true,
        position: "right",
        color: COLOURS.ink,
        formatter: ({ value }) => Number(value).toFixed(3),
      },
      data: shares.map(([, share]) => share),
    }],
  };
  return {
    name: "importances",
    title: "Hyper-parameter importances",
    caption: "The share that each parameter has in whether a trial is among the best tenth.",
    svg: renderSvg("importances", option, {
      width: WIDTH,
      height: 32 + (14 + LINE_HEIGHT * mostLines(names)) * shares.length,
    }),
  };
}

function intermediatePlot({ trials, direction, valueName, reported }: PlottedStudy): Plot | null {
  const opacity = lineOpacity(trials.length);
  const kinds = [
    { name: "pruned, failed or running", colour: COLOURS.grey, opacity: opacity / 2, complete: false },
    { name: "complete", colour: COLOURS.blue, opacity, complete: true },
  ].map((kind) => ({
    ...kind,
    pieces: trials.filter(({ state }) => (state === "COMPLETE") === kind.complete).flatMap(curves),
  })).filter(({ pieces }) => pieces.length > 0);
  if (kinds.length === 0) return null;
  const all = kinds.flatMap(({ pieces }) => pieces.flat());
  const values = all.map(([, value]) => value);
  const span = spanOf(values, [values.reduce((a, b) => direction === "maximize" ? Math.max(a, b) : Math.min(a, b))]);
  const drawn = ([step, value]: Point): [number, number] => [step, within(span, value)];
  const lines = kinds.map(({ name, colour, opacity, pieces }) => ({
    name,
    type: "lines" as const,
    coordinateSystem: "cartesian2d" as const,
    polyline: true,
    lineStyle: { color: colour, opacity, width: 1.2 },
    data: pieces.filter((piece) => piece.length > 1).map((piece) => ({ coords: piece.map(drawn) })),
  }));
  // A single report is no line.
  const dots = kinds.map(({ name, colour, opacity, pieces }) => ({
    name,
    type: "scatter" as const,
    symbolSize: 5,
    itemStyle: { color: colour, opacity },
    data: pieces.filter((piece) => piece.length === 1).map(([point]) => drawn(point)),
  }));
  // Axes are not fitted to a series of lines, so its corners are there as points that cannot be seen.
  const corners = [Math.min, Math.max].map((end) =>
    [0, 1].map((i) => all.map((point) => drawn(point)[i]).reduce((a, b) => end(a, b)))
  );
  const option: ChartOption = {
    ...cartesian("step", valueName, kinds.map(({ name, colour }) => ({ name, colour }))),
    series: [...lines, ...dots, { type: "scatter", symbol: "none", data: corners }],
  };
  return {
    name: "intermediate",
    title: "Intermediate values",
    caption: `What every trial reported on its way${reported === null ? "" : `: ${reported}`}.` +
      beyondText(span, values),
    svg: renderSvg("intermediate", option, { width: WIDTH, height: 400 }),
  };
}

function parameterPlots({ trials, direction, importances, valueName }: PlottedStudy): Plot[] {
  const shown = drawable(trials);
  const names = importances.slice(0, MOST_PARAMETERS).map(([name]) => name);
  if (shown.length === 0 || names.length === 0) return [];
  const some = names.length < importances.length ? ` The ${names.length} most important parameters.` : "";
  const beyond = beyondText(valueSpan(shown, direction), shown.map(({ value }) => value!));
  return [
    {
      name: "parallel",
      title: "Parallel coordinates",
      caption: `One line per complete trial, the warmer the better it ranks by ${valueName}. A trial without a ` +
        `parameter goes through “absent”.${some}${beyond}`,
      svg: parallelPlot("parallel", shown, names, direction, valueName),
    },
    {
      name: "slices",
      title: "Slices",
      caption: `The ${valueName} of complete trials over each parameter.${some}${beyond}`,
      svg: slicePlot("slices", shown, names, direction, valueName),
    },
  ];
}
