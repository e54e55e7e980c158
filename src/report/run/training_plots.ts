/** The charts of a run's training: what its steps and epochs logged. */
import { METRIC_TITLES } from "./verdict_tables.ts";
import type { EpochEntry } from "../../training/metrics_log.ts";
import type { FoldResults } from "../../training/run_results.ts";
import { type ChartOption, renderSvg } from "../chart.ts";
import { AXIS_STYLE, cartesian } from "../chart_style.ts";
import { COLOURS } from "../colours.ts";
import { tickText } from "../labels.ts";
import type { Plot } from "../plot.ts";
import { beyondText, spanOf, within } from "../span.ts";
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
  const axisLabel = { ...AXIS_STYLE.axisLabel, formatter: tickText };
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
  const values = curves.flatMap(({ training, validation }) => [...training, ...validation].map(([, loss]) => loss));
  const starts = curves.flatMap(({ training }) => training.slice(0, 1).map(([, loss]) => loss));
  const span = spanOf(values, starts);
  const drawn = ([epoch, loss]: Point): [number, number] => [epoch, within(span, loss)];
  const skipped = curves.flatMap((curve) => curve.skipped);
  const skippedName = "skipped step";
  const styles = foldStyles(folds);
  const option: ChartOption = {
    ...overEpochs("loss", folds, skipped.length > 0 ? [{ name: skippedName, colour: COLOURS.red }] : []),
    series: [
      ...curves.map(({ fold, training }) => ({
        name: styles.of(fold).name,
        type: "line" as const,
        symbol: "none",
        lineStyle: { color: styles.of(fold).colour, width: 1, opacity: 0.5 },
        data: training.map(drawn),
      })),
      ...curves.map(({ fold, validation }) => ({
        name: styles.of(fold).name,
        type: "line" as const,
        symbol: "circle",
        symbolSize: 6,
        itemStyle: { color: styles.of(fold).colour },
        lineStyle: { color: styles.of(fold).colour, width: 2 },
        data: validation.map(drawn),
      })),
      {
        name: skippedName,
        type: "scatter",
        symbol: "triangle",
        symbolSize: 8,
        itemStyle: { color: COLOURS.red },
        data: skipped.map((epoch) => [epoch, 0]),
      },
    ],
  };
  const updates = folds.reduce((most, { steps }) => Math.max(most, steps.length), 0);
  const each = updates > MOST_POINTS ? `, each point the mean of ${Math.ceil(updates / MOST_POINTS)} or fewer` : "";
  return {
    name: "loss",
    title: "Loss",
    caption: `Thin: the loss of optimizer steps${each}. With dots: that of the validation pairs after each epoch.` +
      (skipped.length === 0 ? "" : ` Triangles: ${skipped.length} steps that overflowed and updated nothing.`) +
      beyondText(span, values),
    svg: renderSvg("loss", option, SIZE),
  };
}

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
      lineStyle: { color: styles.of(fold).colour, width: 1.5 },
      data: thinned(steps.map(({ epoch, learning_rate }): Point => [epoch, learning_rate])).map((point) => [...point]),
    })),
  };
  return {
    name: "learning_rate",
    title: "Learning rate",
    caption: "The rate that each optimizer step used.",
    svg: renderSvg("learning_rate", option, { ...SIZE, height: 280 }),
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
const COLUMNS = 2;
const CELL = { width: SIZE.width / COLUMNS, height: 220 };
const LEGEND_HEIGHT = 32;

function epochsPlot(folds: readonly FoldResults[]): Plot | null {
  const panels = PANELS.map(([key, title]) => ({
    title,
    curves: folds.map(({ fold, epochs }) => ({
      fold,
      points: epochs.flatMap((entry): Point[] => entry[key] == null ? [] : [[entry.epoch, entry[key]]]),
    })),
  })).filter(({ curves }) => curves.some(({ points }) => points.length > 0)).map((panel) => {
    const values = panel.curves.flatMap(({ points }) => points.map(([, value]) => value));
    return { ...panel, values, span: spanOf(values) };
  });
  if (panels.length === 0) return null;
  const styles = foldStyles(folds);
  const { legend } = overEpochs("", folds);
  const isWhole = folds.every(({ epochs }) => epochs.every(({ epoch }) => Number.isInteger(epoch)));
  const option: ChartOption = {
    legend,
    grid: panels.map((_, i) => ({
      left: (i % COLUMNS) * CELL.width + 12,
      top: LEGEND_HEIGHT + Math.floor(i / COLUMNS) * CELL.height + 32,
      width: CELL.width - 36,
      height: CELL.height - 72,
      outerBoundsMode: "same",
      outerBoundsContain: "axisLabel",
    })),
    xAxis: panels.map((_, gridIndex) => ({
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
    yAxis: panels.map(({ title, span }, gridIndex) => ({
      ...AXIS_STYLE,
      gridIndex,
      type: "value",
      scale: true,
      splitNumber: 4,
      max: span.high === 1 ? 1 : undefined,
      name: title,
      nameLocation: "end",
      nameGap: 12,
      nameTextStyle: { ...AXIS_STYLE.nameTextStyle, align: "left", color: COLOURS.ink },
    })),
    series: panels.flatMap(({ curves, span }, i) =>
      curves.map(({ fold, points }) => ({
        name: styles.of(fold).name,
        type: "line" as const,
        xAxisIndex: i,
        yAxisIndex: i,
        symbol: "circle",
        symbolSize: points.length > 30 ? 3 : 5,
        itemStyle: { color: styles.of(fold).colour },
        lineStyle: { color: styles.of(fold).colour, width: 1.5 },
        data: points.map(([epoch, value]) => [epoch, within(span, value)]),
      }))
    ),
  };
  const rows = Math.ceil(panels.length / COLUMNS);
  const isClipped = panels.some(({ values, span }) => values.some((value) => value !== within(span, value)));
  return {
    name: "epochs",
    title: "Validation",
    caption:
      "What the validation pairs of each fold came to after each epoch, by decisions chosen on themselves where " +
      "any are chosen." + (isClipped ? " Values far from the others are drawn at the edge." : ""),
    svg: renderSvg("epochs", option, { width: SIZE.width, height: LEGEND_HEIGHT + rows * CELL.height }),
  };
}
