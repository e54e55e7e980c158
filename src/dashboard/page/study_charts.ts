/** The charts of a study that goes on. */
import type { ChartOption } from "../../report/plot.ts";
import { bestSoFar, cartesian } from "../../report/chart_style.ts";
import { COLOURS, HUES } from "../../report/colours.ts";
import { spanOf } from "../../report/span.ts";
import type { StudySummary, TrialRow } from "./api.ts";
import { tooltip } from "./chart.ts";
import { figure } from "./dom.ts";

type Point = readonly [x: number, y: number, trial: number];

const isFinite = (value: number | null): value is number => value !== null && Number.isFinite(value);

const isBetter = (direction: string, a: number, b: number) => direction === "maximize" ? a > b : a < b;

/** The part of an axis that shows what matters: without what a few bad trials would flatten the rest for. */
function axisOf(values: readonly number[], kept: readonly number[]): { min?: number; max?: number } {
  if (values.length === 0) return {};
  const { low, high } = spanOf(values, kept);
  const [least, most] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
  return { ...(low > least ? { min: low } : {}), ...(high < most ? { max: high } : {}) };
}

const withAxis = (base: ChartOption, axis: { min?: number; max?: number }): ChartOption =>
  ({ ...base, yAxis: { ...base.yAxis, ...axis } }) as ChartOption;

/** Every trial's value, and the best so far. */
export function historyChart(study: StudySummary, rows: readonly TrialRow[]): [option: ChartOption, says: string] {
  const name = study.objective;
  const points = (state: string) =>
    rows.filter((row) => row.state === state && isFinite(row.value)).map(({ number, value }): Point => [
      number,
      value!,
      number,
    ]);
  const dots = [
    { name: "pruned", symbol: "diamond", colour: COLOURS.grey, data: points("PRUNED") },
    { name: "complete", symbol: "circle", colour: COLOURS.blue, data: points("COMPLETE") },
  ].filter(({ data }) => data.length > 0);
  const best: [number, number][] = [];
  for (const { number, value, state, infeasible } of rows) {
    if (state !== "COMPLETE" || infeasible || !isFinite(value)) continue;
    if (best.length === 0 || isBetter(study.direction, value, best[best.length - 1][1])) best.push([number, value]);
  }
  if (best.length > 0 && rows.length > 0) best.push([rows[rows.length - 1].number, best[best.length - 1][1]]);
  const values = dots.flatMap(({ data }) => data.map(([, value]) => value));
  const legend = [...dots, ...best.length > 0 ? [{ name: "best so far", colour: COLOURS.orange }] : []];
  return [
    {
      ...withAxis(cartesian("trial", name, legend), axisOf(values, best.slice(-1).map(([, value]) => value))),
      tooltip: tooltip(({ data }) => {
        const [number, value] = data as Point;
        return `trial ${number}\n${name} ${figure(value)}`;
      }),
      series: [
        ...dots.map(({ name, symbol, colour, data }) => ({
          name,
          type: "scatter" as const,
          symbol,
          symbolSize: rows.length > 500 ? 4 : 7,
          itemStyle: { color: colour, opacity: 0.7 },
          data: data as unknown as number[][],
        })),
        bestSoFar(best),
      ],
    },
    `${name} of ${values.length} trials` +
    (best.length === 0 ? "" : `, the best ${figure(best[best.length - 1][1])}`),
  ];
}

/** What trials reported on their way: those under way and chosen ones in colour, others behind them. */
export function curvesChart(
  study: StudySummary,
  rows: readonly TrialRow[],
  chosen: number | null,
): [option: ChartOption, says: string] {
  const reports = (row: TrialRow): Point[] =>
    Object.entries(row.intermediate_values ?? {}).map(([step, value]): Point => [Number(step), value, row.number])
      .filter(([, value]) => Number.isFinite(value));
  const isShown = (row: TrialRow) => row.state === "RUNNING" || row.number === chosen;
  const shown = rows.filter(isShown).map((row) => ({ row, data: reports(row) }));
  const others = rows.filter((row) => !isShown(row)).map((row) => ({ row, data: reports(row) }))
    .filter(({ data }) => data.length > 0);
  const series = shown.map(({ row, data }, i) => ({
    name: `trial ${row.number}${row.state === "RUNNING" ? " (running)" : ""}`,
    colour: HUES[i % HUES.length],
    data,
  }));
  const all = [...shown, ...others].flatMap(({ data }) => data.map(([, value]) => value));
  const steps = [...shown, ...others].flatMap(({ data }) => data.map(([step]) => step));
  const kept = shown.flatMap(({ data }) => data.map(([, value]) => value));
  const legend = [
    ...series.slice(0, MOST_NAMED),
    ...others.length > 0 ? [{ name: "other trials", colour: COLOURS.grey }] : [],
  ];
  const base = withAxis(cartesian("step", study.objective, legend), axisOf(all, kept));
  return [
    {
      ...base,
      // The axis is fitted to series of points alone.
      xAxis: {
        ...base.xAxis,
        ...(steps.length === 0
          ? {}
          : { min: steps.reduce((a, b) => Math.min(a, b)), max: steps.reduce((a, b) => Math.max(a, b)) }),
      } as ChartOption["xAxis"],
      tooltip: tooltip(({ data }) => {
        const [step, value, number] = data as Point;
        return `trial ${number}\nstep ${step}: ${figure(value)}`;
      }),
      series: [
        ...others.map(({ data }) => ({
          name: "other trials",
          type: "line" as const,
          symbol: "none",
          silent: true,
          itemStyle: { color: COLOURS.grey },
          lineStyle: { color: COLOURS.grey, width: 1, opacity: 0.3 },
          data: data as unknown as number[][],
        })),
        ...series.map(({ name, colour, data }) => ({
          name,
          type: "line" as const,
          symbol: "circle",
          symbolSize: 6,
          itemStyle: { color: colour },
          lineStyle: { color: colour, width: 2.5 },
          data: data as unknown as number[][],
        })),
      ],
    },
    `${study.objective} by step: ` +
    (series.length === 0
      ? `${others.length} trials, none of them running`
      : series.slice(0, MOST_NAMED).map(({ name, data }) => {
        const last = data.at(-1);
        return `${name} ${last === undefined ? "has not reported yet" : `${figure(last[1])} at step ${last[0]}`}`;
      }).join(", ")),
  ];
}

/** Curves with names of their own. */
const MOST_NAMED = 6;
