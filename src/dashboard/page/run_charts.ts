/** The charts of a run that goes on. */
import type { ChartOption } from "../../report/plot.ts";
import { cartesian } from "../../report/chart_style.ts";
import { HUES } from "../../report/colours.ts";
import { tickText } from "../../report/labels.ts";
import type { FoldLogs } from "./api.ts";
import { tooltip } from "./chart.ts";

type Point = [epoch: number, value: number];

interface Curve {
  fold: number;
  data: Point[];
  /** Thin lines have many points, which are not to be seen. */
  isThin?: boolean;
}

const hueOf = (fold: number): string => HUES[fold % HUES.length];

function chartOf(y: string, folds: readonly number[], curves: readonly Curve[]): ChartOption {
  const base = cartesian("epoch", y, folds.map((fold) => ({ name: `fold ${fold}`, colour: hueOf(fold) })));
  return {
    ...base,
    xAxis: { ...base.xAxis, minInterval: 0, scale: false } as ChartOption["xAxis"],
    yAxis: {
      ...base.yAxis,
      axisLabel: { ...(base.yAxis as { axisLabel: object }).axisLabel, formatter: tickText },
    } as ChartOption["yAxis"],
    tooltip: tooltip(({ seriesName, data }) => {
      const [epoch, value] = data as Point;
      return `${seriesName}\nepoch ${Number(epoch.toFixed(2))}: ${tickText(value)}`;
    }),
    series: curves.map(({ fold, data, isThin }) => ({
      name: `fold ${fold}`,
      type: "line",
      symbol: isThin ? "none" : "circle",
      symbolSize: 6,
      itemStyle: { color: hueOf(fold) },
      lineStyle: { color: hueOf(fold), width: isThin ? 1 : 2, opacity: isThin ? 0.5 : 1 },
      data,
    })),
  };
}

const lastText = (curves: readonly Curve[]): string =>
  curves.flatMap(({ fold, data }) => data.length === 0 ? [] : `fold ${fold} ${tickText(data.at(-1)![1])}`).join(", ");

/** Of optimizer steps, and after each epoch that of the validation pairs. */
export function lossChart(logs: readonly FoldLogs[]): [option: ChartOption, says: string] {
  const training = logs.map(({ fold, steps }): Curve => ({
    fold,
    isThin: true,
    data: steps.flatMap(({ epoch, loss }): Point[] => loss === null ? [] : [[epoch, loss]]),
  }));
  const validation = logs.map(({ fold, epochs }): Curve => ({
    fold,
    data: epochs.map(({ epoch, eval_loss }) => [epoch, eval_loss]),
  }));
  const option = chartOf("loss", logs.map(({ fold }) => fold), [...training, ...validation]);
  return [
    { ...option, yAxis: { ...option.yAxis, scale: false, min: 0 } as ChartOption["yAxis"] },
    `Loss: ${lastText(training)}`,
  ];
}

export function scoreChart(logs: readonly FoldLogs[]): [option: ChartOption, says: string] {
  const curves = logs.map(({ fold, epochs }): Curve => ({
    fold,
    data: epochs.map(({ epoch, eval_f1 }) => [epoch, eval_f1]),
  }));
  return [chartOf("F1", logs.map(({ fold }) => fold), curves), `F1 of the validation pairs: ${lastText(curves)}`];
}

export function rateChart(logs: readonly FoldLogs[]): [option: ChartOption, says: string] {
  const curves = logs.map(({ fold, steps }): Curve => ({
    fold,
    isThin: true,
    data: steps.map(({ epoch, learning_rate }) => [epoch, learning_rate]),
  }));
  return [chartOf("learning rate", logs.map(({ fold }) => fold), curves), `Learning rate: ${lastText(curves)}`];
}
