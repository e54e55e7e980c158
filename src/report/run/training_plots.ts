/** The charts of a run's training: what its steps and epochs logged. */
import { METRIC_TITLES } from "./verdict_tables.ts";
import type { EpochEntry } from "../../training/metrics_log.ts";
import type { FoldResults } from "../../training/run_results.ts";
import { AXIS_STYLE, cartesian } from "../chart_style.ts";
import { COLOURS } from "../colours.ts";
import { formatter } from "../formatters.ts";
import { panels } from "../panels.ts";
import type { ChartOption, Plot } from "../plot.ts";
import { clipping, reachingAll, type Row, spanOf } from "../span.ts";
import { foldStyles } from "./fold_style.ts";

type Point = readonly [epoch: number, value: number];

const SIZE = { width: 960, height: 400 };

/** Every chart that the folds have something for. */
export function trainingPlots(folds: readonly FoldResults[]): Plot[] {
  return [lossPlot(folds), ratePlot(folds), epochsPlot(folds)].filter((plot) => plot !== null);
}

/** Points of a curve at most: each is the mean of neighbours where there are more. */
const MOST_POINTS = 120;

/** The means of runs of neighbouring points, so that there are at most `most`. */
export function thinned(points: readonly Point[], most = MOST_POINTS): Point[] {
  const size = Math.ceil(points.length / most);
  return Array.from({ length: size === 0 ? 0 : Math.ceil(points.length / size) }, (_, i) => {
    const own = points.slice(i * size, (i + 1) * size);
    const mean = (at: 0 | 1) => own.reduce((sum, point) => sum + point[at], 0) / own.length;
    return [mean(0), mean(1)];
  });
}

/** Epochs need not be whole; losses and rates begin at 0. */
const overEpochs = (y: string, folds: readonly FoldResults[], more: { name: string; colour: string }[] = []) => {
  const base = cartesian("epoch", y, [...foldStyles(folds).legend, ...more]);
  const axisLabel = { ...AXIS_STYLE.axisLabel, formatter: formatter({ $format: "tick" }) };
  return {
    ...base,
    xAxis: { ...base.xAxis, minInterval: 0 },
    yAxis: { ...base.yAxis, scale: false, axisLabel },
  } as ChartOption;
};

function lossPlot(folds: readonly FoldResults[]): Plot | null {
  const curves = folds.map(({ fold, steps, epochs }) => ({
    fold,
    training: thinned(steps.flatMap(({ epoch, loss }): Point[] => loss === null ? [] : [[epoch, loss]])),
    validation: epochs.map(({ epoch, eval_loss }): Point => [epoch, eval_loss]),
    skipped: steps.filter(({ skipped }) => skipped).map(({ epoch }) => epoch),
  })).filter(({ training, validation }) => training.length + validation.length > 0);
  if (curves.length === 0) return null;
  const points = curves.flatMap(({ training, validation }) => [...training, ...validation]);
  const starts = curves.flatMap(({ training }) => training.slice(0, 1).map(([, loss]) => loss));
  const dimensions = ["epoch", "loss"] as const;
  const clipped = clipping("beyond", spanOf(points.map(([, loss]) => loss), starts), points, dimensions);
  const skipped = curves.flatMap((curve) => curve.skipped);
  const skippedName = "skipped step";
  const styles = foldStyles(folds);
  const base = overEpochs("loss", folds, skipped.length > 0 ? [{ name: skippedName, colour: COLOURS.red }] : []);
  const option: ChartOption = {
    ...base,
    yAxis: { ...base.yAxis, ...clipped.axis } as ChartOption["yAxis"],
    series: [
      ...curves.map(({ fold, training }) => ({
        name: styles.of(fold).name,
        type: "line" as const,
        symbol: "none",
        dimensions: ["epoch", "loss of steps"],
        lineStyle: { color: styles.of(fold).colour, width: 1, opacity: 0.5 },
        itemStyle: { color: styles.of(fold).colour },
        data: items(training),
      })),
      ...curves.map(({ fold, validation }) => ({
        name: styles.of(fold).name,
        type: "line" as const,
        symbol: "circle",
        symbolSize: 6,
        dimensions: ["epoch", "validation loss"],
        itemStyle: { color: styles.of(fold).colour },
        lineStyle: { color: styles.of(fold).colour, width: 2 },
        data: items(validation),
      })),
      {
        name: skippedName,
        type: "scatter",
        symbol: "triangle",
        symbolSize: 8,
        dimensions: ["epoch", "_edge"],
        itemStyle: { color: COLOURS.red },
        data: skipped.map((epoch) => [epoch, 0]),
      },
      ...clipped.marks,
    ],
  };
  const updates = folds.reduce((most, { steps }) => Math.max(most, steps.length), 0);
  const each = updates > MOST_POINTS ? `, each point the mean of ${Math.ceil(updates / MOST_POINTS)} or fewer` : "";
  return {
    name: "loss",
    title: "Loss",
    caption: `Thin: the loss of optimizer steps${each}. With dots: that of the validation pairs after each epoch.` +
      (skipped.length === 0 ? "" : ` Triangles: ${skipped.length} steps that overflowed and updated nothing.`) +
      clipped.text,
    option,
    size: SIZE,
    pointer: "axis",
    beyond: reachingAll([clipped]),
  };
}

/** As ECharts takes them. */
const items = (points: readonly Point[]): Point[number][][] => points.map((point) => [...point]);

function ratePlot(folds: readonly FoldResults[]): Plot | null {
  const shown = folds.filter(({ steps }) => steps.length > 0);
  if (shown.length === 0) return null;
  const styles = foldStyles(shown);
  const option: ChartOption = {
    ...overEpochs("learning rate", shown),
    series: shown.map(({ fold, steps }) => ({
      name: styles.of(fold).name,
      type: "line",
      symbol: "none",
      dimensions: ["epoch", "learning rate"],
      itemStyle: { color: styles.of(fold).colour },
      lineStyle: { color: styles.of(fold).colour, width: 1.5 },
      data: items(thinned(steps.map(({ epoch, learning_rate }): Point => [epoch, learning_rate]))),
    })),
  };
  return {
    name: "learning_rate",
    title: "Learning rate",
    caption: "The rate that each optimizer step used.",
    option,
    size: { ...SIZE, height: 280 },
    pointer: "axis",
  };
}

const PANELS: readonly [key: Exclude<keyof EpochEntry, "epoch">, title: string][] = [
  ["eval_f1", METRIC_TITLES.f1],
  ["eval_precision", METRIC_TITLES.precision],
  ["eval_recall", METRIC_TITLES.recall],
  ["eval_accuracy", METRIC_TITLES.accuracy],
  ["eval_auc", METRIC_TITLES.auc],
  ["eval_f1_cross_fitted", "F1, cross-fitted"],
];
const PANEL = { chart: 148, above: 32, below: 40 };
const LEGEND_HEIGHT = 32;

function epochsPlot(folds: readonly FoldResults[]): Plot | null {
  const shown = PANELS.map(([key, title]) => ({
    title,
    curves: folds.map(({ fold, epochs }) => ({
      fold,
      points: epochs.flatMap((entry): Point[] => entry[key] == null ? [] : [[entry.epoch, entry[key]]]),
    })),
  })).filter(({ curves }) => curves.some(({ points }) => points.length > 0)).map((panel, i) => {
    const rows = panel.curves.flatMap(({ points }): Row[] => [...points]);
    const span = spanOf(rows.map(([, value]) => value));
    return { ...panel, span, clipped: clipping(`beyond_${i}`, span, rows, ["epoch", panel.title]) };
  });
  if (shown.length === 0) return null;
  const styles = foldStyles(folds);
  const { legend } = overEpochs("", folds);
  const isWhole = folds.every(({ epochs }) => epochs.every(({ epoch }) => Number.isInteger(epoch)));
  const { option: grids, size, narrowHeight } = panels(shown.map(() => PANEL), LEGEND_HEIGHT);
  const option: ChartOption = {
    ...grids,
    legend,
    xAxis: shown.map((_, gridIndex) => ({
      ...AXIS_STYLE,
      gridIndex,
      type: "value",
      name: "epoch",
      nameLocation: "middle",
      nameGap: 26,
      scale: true,
      minInterval: isWhole ? 1 : 0,
      splitLine: { show: false },
    })),
    yAxis: shown.map(({ title, span, clipped }, gridIndex) => ({
      ...AXIS_STYLE,
      gridIndex,
      type: "value",
      scale: true,
      splitNumber: 4,
      ...(span.high === 1 ? { max: 1 } : {}),
      ...clipped.axis,
      name: title,
      nameLocation: "end",
      nameGap: 12,
      nameTextStyle: { ...AXIS_STYLE.nameTextStyle, align: "left", color: COLOURS.ink },
    })),
    series: shown.flatMap(({ title, curves, clipped }, i) => [
      ...curves.map(({ fold, points }) => ({
        name: styles.of(fold).name,
        type: "line" as const,
        xAxisIndex: i,
        yAxisIndex: i,
        symbol: "circle",
        symbolSize: points.length > 30 ? 3 : 5,
        dimensions: ["epoch", title],
        itemStyle: { color: styles.of(fold).colour },
        lineStyle: { color: styles.of(fold).colour, width: 1.5 },
        data: items(points),
      })),
      ...clipped.marks.map((marks) => ({ ...marks, xAxisIndex: i, yAxisIndex: i })),
    ]),
  };
  return {
    name: "epochs",
    title: "Validation",
    caption:
      "What the validation pairs of each fold came to after each epoch, by decisions chosen on themselves where " +
      "any are chosen." +
      (shown.some(({ clipped }) => clipped.count > 0) ? " Values far from the others are triangles at the edge." : ""),
    option,
    size,
    narrowHeight,
    pointer: "axis",
    beyond: reachingAll(shown.map(({ clipped }) => clipped)),
  };
}
