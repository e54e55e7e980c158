/** The charts of a run's predictions. */
import { scoreOf } from "../../evaluation/calibration.ts";
import { type CurvePoint, precisionRecallCurve, reliability, rocCurve } from "../../evaluation/curves.ts";
import type { Verdict } from "../../training/summary.ts";
import { AXIS_STYLE, cartesian } from "../chart_style.ts";
import { COLOURS } from "../colours.ts";
import { formatter } from "../formatters.ts";
import { LINE_HEIGHT, mostLines, wrapped } from "../labels.ts";
import { plain } from "../markdown.ts";
import type { ChartOption, Plot } from "../plot.ts";
import { outsideText, spanOf, within } from "../span.ts";
import { foldStyles } from "./fold_style.ts";
import type { Judgement } from "./judgement.ts";
import { figure } from "./verdict_tables.ts";

/** Pixels from which a browser has room for long names beside a chart. */
const NARROW = 600;

const SQUARE = { width: 480, height: 440 };

/** Every chart that the predictions have something for. */
export function judgementPlots(judgement: Judgement): Plot[] {
  return [
    intervalPlot(judgement),
    rocPlot(judgement),
    precisionRecallPlot(judgement),
    reliabilityPlot(judgement),
    scorePlot(judgement),
  ].filter((plot) => plot !== null);
}

/** Letters in a line of a criterion's id, and where a screen is narrow. */
const ID_LETTERS = { wide: 40, narrow: 16 };

function intervalPlot({ summary }: Judgement): Plot {
  const verdict: Verdict<{ fold: number; metrics: { f1: number } }> = summary.cross_fitted ?? summary;
  const { intervals } = verdict;
  const rows = [
    { name: "all pairs", f1: verdict.overall.f1, interval: intervals.overall.f1 },
    ...verdict.folds.map(({ fold, metrics }) => {
      return { name: `fold ${fold}`, f1: metrics.f1, interval: intervals.folds[fold].f1 };
    }),
    ...Object.entries(verdict.per_criterion).map(([id, { f1 }]) => {
      return { name: plain(id), f1, interval: intervals.per_criterion[id].f1 };
    }),
  ].reverse();
  const axisLabel = (letters: number) => ({
    ...AXIS_STYLE.axisLabel,
    color: COLOURS.ink,
    interval: 0,
    hideOverlap: false,
    formatter: formatter({
      $format: "labels",
      labels: rows.map(({ name, f1 }, i) => [i, `${wrapped(name, letters)}   ${f1.toFixed(3)}`]),
    }),
  });
  const heightOf = (letters: number) => {
    const most = mostLines(rows.map(({ name }) => wrapped(name, letters)));
    return 64 + (12 + LINE_HEIGHT * most) * rows.length;
  };
  const option: ChartOption = {
    grid: { left: 16, right: 24, top: 8, bottom: 40, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    xAxis: {
      ...AXIS_STYLE,
      type: "value",
      name: "F1",
      nameLocation: "middle",
      nameGap: 26,
      scale: true,
      max: rows.some(({ f1, interval }) => (interval?.[1] ?? f1) > 0.99) ? 1 : undefined,
    },
    yAxis: {
      ...AXIS_STYLE,
      type: "category",
      // Two of one name would share a row.
      data: rows.map((_, i) => `${i}`),
      axisTick: { show: false },
      splitLine: { show: false },
      axisLabel: axisLabel(ID_LETTERS.wide),
    },
    media: [
      { query: { minWidth: NARROW }, option: { yAxis: { axisLabel: axisLabel(ID_LETTERS.wide) } } },
      { query: { maxWidth: NARROW - 1 }, option: { yAxis: { axisLabel: axisLabel(ID_LETTERS.narrow) } } },
    ],
    series: [
      {
        type: "lines",
        coordinateSystem: "cartesian2d",
        lineStyle: { color: COLOURS.blue, width: 2, opacity: 0.6 },
        data: rows.flatMap(({ interval }, i) =>
          interval === null ? [] : [{ coords: interval.map((end) => [end, i]) as [number, number][] }]
        ),
        silent: true,
      },
      // Axes are not fitted to a series of lines, so the ends are there as points that cannot be seen.
      {
        type: "scatter",
        symbol: "none",
        data: rows.flatMap(({ interval }, i) => interval?.map((end) => [end, i]) ?? []),
      },
      {
        type: "scatter",
        symbolSize: 9,
        itemStyle: { color: COLOURS.blue },
        dimensions: ["F1", "_row", "from", "to"],
        data: rows.map(({ name, f1, interval }, i) => ({ name, value: [f1, i, ...interval ?? []] })),
      },
    ],
  };
  return {
    name: "f1",
    title: "F1 and its intervals",
    caption:
      `Lines: ${Math.round(intervals.level * 100)} % by bootstrap over posts. How sure the figure of a fold or a ` +
      `criterion is depends on how many posts and positives it has.`,
    option,
    size: { width: 960, height: heightOf(ID_LETTERS.wide) },
    narrowHeight: heightOf(ID_LETTERS.narrow),
    pointer: "item",
  };
}

/** Names in a line of a square's legend. */
const LEGEND_NAMES = 5;

/** A square of shares, from 0 to 1 both ways. */
function unitSquare(x: string, y: string, legend: { name: string; colour: string }[]): ChartOption {
  const { xAxis, yAxis, ...rest } = cartesian(x, y, legend);
  const unit = {
    min: 0,
    max: 1,
    interval: 0.2,
    minInterval: 0,
    splitLine: { show: true, lineStyle: { color: COLOURS.grid } },
  };
  return {
    ...rest,
    grid: {
      left: 12,
      right: 20,
      top: 16 + 36 * Math.ceil(legend.length / LEGEND_NAMES),
      bottom: 40,
      outerBoundsMode: "same",
      outerBoundsContain: "axisLabel",
    },
    xAxis: { ...xAxis, ...unit } as ChartOption["xAxis"],
    yAxis: { ...yAxis, ...unit } as ChartOption["yAxis"],
  };
}

/** Steps of a curve at most; neighbours on one line need no points between them. */
const MOST_POINTS = 400;

function drawnPoints(points: readonly CurvePoint[]): [number, number][] {
  const isCorner = (i: number): boolean => {
    const [a, b, c] = [points[i - 1], points[i], points[i + 1]];
    return a === undefined || c === undefined ||
      Math.abs((b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])) > 1e-12;
  };
  const corners = points.filter((_, i) => isCorner(i));
  const every = Math.ceil(corners.length / MOST_POINTS);
  return corners.filter((_, i) => i % every === 0 || i === corners.length - 1).map(([x, y]) => [x, y]);
}

/** Curves of every fold, thin, and of all pairs together. */
function curvesOf(
  { judged }: Judgement,
  curve: (pairs: Judgement["judged"]) => CurvePoint[],
  dimensions: readonly [x: string, y: string],
) {
  const folds = [...Map.groupBy(judged, ({ fold }) => fold)].map(([fold, own]) => ({ fold, points: curve(own) }));
  const styles = foldStyles(folds);
  const legend = [...styles.legend, { name: "all pairs", colour: COLOURS.ink }];
  const series = [
    ...folds.map(({ fold, points }) => ({
      name: styles.of(fold).name,
      type: "line" as const,
      symbol: "none",
      dimensions: [...dimensions],
      itemStyle: { color: styles.of(fold).colour },
      lineStyle: { color: styles.of(fold).colour, width: 1, opacity: 0.7 },
      data: drawnPoints(points),
    })),
    {
      name: "all pairs",
      type: "line" as const,
      symbol: "none",
      dimensions: [...dimensions],
      itemStyle: { color: COLOURS.ink },
      lineStyle: { color: COLOURS.ink, width: 2 },
      data: drawnPoints(curve(judged)),
    },
  ];
  return { legend, series };
}

const straight = (from: [number, number], to: [number, number]) => ({
  type: "line" as const,
  symbol: "none",
  silent: true,
  tooltip: { show: false },
  lineStyle: { color: COLOURS.grey, width: 1, type: "dashed" as const },
  data: [from, to],
});

const ROC = ["false positive rate", "true positive rate"] as const;
const PRECISION_RECALL = ["recall", "precision"] as const;

function rocPlot(judgement: Judgement): Plot | null {
  if (rocCurve(judgement.judged).length === 0) return null;
  const { legend, series } = curvesOf(judgement, rocCurve, ROC);
  const option = {
    ...unitSquare(...ROC, legend),
    series: [straight([0, 0], [1, 1]), ...series],
  };
  const { auc } = (judgement.summary.cross_fitted ?? judgement.summary).overall;
  return {
    name: "roc",
    title: "ROC curve",
    caption: `Area below it, over all pairs: ${figure(auc)}. Dashed: chance.`,
    option,
    size: SQUARE,
    pointer: "axis",
  };
}

function precisionRecallPlot(judgement: Judgement): Plot | null {
  const { judged } = judgement;
  if (precisionRecallCurve(judged).length === 0) return null;
  const { legend, series } = curvesOf(judgement, precisionRecallCurve, PRECISION_RECALL);
  const share = judged.filter(({ label }) => label === 1).length / judged.length;
  const option = {
    ...unitSquare(...PRECISION_RECALL, legend),
    series: [straight([0, share], [1, share]), ...series],
  };
  const { pr_auc } = (judgement.summary.cross_fitted ?? judgement.summary).overall;
  return {
    name: "precision_recall",
    title: "Precision and recall",
    caption: `Average precision over all pairs: ${figure(pr_auc)}. Dashed: chance, the share of positive pairs.`,
    option,
    size: SQUARE,
    pointer: "axis",
  };
}

function reliabilityPlot({ uncalibrated, temperature: { crossFitted } }: Judgement): Plot {
  const kinds = [
    { name: `as scored, ECE ${figure(uncalibrated.metrics.ece)}`, colour: COLOURS.blue, pairs: uncalibrated.pairs },
    {
      name: `with a temperature, ECE ${figure(crossFitted.metrics.ece)}`,
      colour: COLOURS.orange,
      pairs: crossFitted.pairs,
    },
  ];
  const option: ChartOption = {
    ...unitSquare("mean probability", "share of positives", kinds),
    series: [
      straight([0, 0], [1, 1]),
      ...kinds.map(({ name, colour, pairs }) => ({
        name,
        type: "line" as const,
        symbol: "circle",
        dimensions: ["mean probability", "share of positives", "pairs"],
        itemStyle: { color: colour },
        lineStyle: { color: colour, width: 1.5 },
        data: reliability(pairs).map(({ count, probability, share }) => ({
          value: [probability, share, count],
          symbolSize: 4 + 12 * Math.sqrt(count / pairs.length),
        })),
      })),
    ],
  };
  return {
    name: "reliability",
    title: "Calibration",
    caption:
      "How often pairs of about one probability are positive; the larger a dot, the more pairs. Dashed: perfectly " +
      "calibrated. The temperature is cross-fitted: chosen on other pairs than it is shown for.",
    option,
    size: SQUARE,
    pointer: "item",
  };
}

const HISTOGRAM_BINS = 40;

function scorePlot({ judged, summary }: Judgement): Plot {
  const scores = judged.map(({ score }) => score);
  const span = spanOf(scores);
  const width = (span.high - span.low) / HISTOGRAM_BINS || 1;
  const binOf = (score: number) => Math.min(Math.floor((within(span, score) - span.low) / width), HISTOGRAM_BINS - 1);
  const kinds = [
    { name: "negative", label: 0, colour: COLOURS.blue },
    { name: "positive", label: 1, colour: COLOURS.orange },
  ].map((kind) => {
    const own = judged.filter(({ label }) => label === kind.label);
    const shares = new Array<number>(HISTOGRAM_BINS).fill(0);
    for (const { score } of own) shares[binOf(score)] += 1 / own.length;
    return { ...kind, count: own.length, shares };
  }).filter(({ count }) => count > 0);
  const tallest = Math.max(...kinds.flatMap(({ shares }) => shares));
  // Scores from which pairs are positive, where criteria have no thresholds of their own.
  const thresholds = new Set(
    summary.folds.filter(({ decision }) => decision.criterion_thresholds === null)
      .map(({ decision: { temperature, threshold } }) => temperature * scoreOf(threshold)),
  );
  const base = cartesian("score (log-odds)", "share of the class", kinds);
  const option: ChartOption = {
    ...base,
    xAxis: { ...base.xAxis, minInterval: 0 } as ChartOption["xAxis"],
    series: [
      ...kinds.map(({ name, colour, shares }) => ({
        name,
        type: "line" as const,
        step: "end" as const,
        symbol: "none",
        dimensions: ["score from", "share of the class"],
        itemStyle: { color: colour },
        lineStyle: { color: colour, width: 1.5 },
        areaStyle: { color: colour, opacity: 0.25 },
        data: [...shares, shares.at(-1)!].map((share, i) => [span.low + i * width, share]),
      })),
      ...[...thresholds].filter((at) => at >= span.low && at <= span.high).map((at) =>
        straight([at, 0], [at, tallest])
      ),
    ],
  };
  const dashed = [
    "",
    " Dashed: from where a pair is positive.",
    " Dashed: from where a pair of each fold is positive.",
  ];
  const counts = kinds.map(({ name, count }) => `${count} ${name}`).join(" and ");
  return {
    name: "scores",
    title: "Scores by class",
    caption:
      `How the scores of ${counts} pairs are spread, each class adding up to 1.${
        dashed[Math.min(thresholds.size, 2)]
      }` +
      outsideText(span, scores),
    option,
    size: SQUARE,
    pointer: "axis",
  };
}
