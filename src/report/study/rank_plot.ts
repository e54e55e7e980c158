/** Ranks: trials over two parameters, coloured by how well they rank. */
import { chartLegend } from "../chart_style.ts";
import { SCALE } from "../colours.ts";
import type { ChartOption, Plot } from "../plot.ts";
import { pairAxes, pairedParameters, pairedRows, pairText } from "./pairs.ts";
import type { PlottedStudy } from "./plotted_study.ts";
import { drawable, rankShares, scaleStep } from "./series.ts";

export function rankPlot(study: PlottedStudy): Plot | null {
  const { direction, valueName } = study;
  const trials = drawable(study.trials);
  const paired = pairedParameters(study, trials);
  if (trials.length === 0 || paired.pairs.length === 0) return null;
  const steps = rankShares(trials.map(({ value }) => value!), direction).map(scaleStep);
  const { dimensions, rows } = pairedRows(paired, trials, valueName);
  const kinds = SCALE.map((colour, step) => ({ name: stepName(step), colour }));
  const shared: ChartOption = {
    legend: chartLegend(kinds.toReversed()),
    dataset: kinds.map((_, step) => ({ dimensions, source: rows.filter((_, i) => steps[i] === step) })),
  };
  const choices = paired.pairs.map((pair) => ({
    name: pairText(paired, pair),
    option: {
      ...pairAxes(paired.axes[pair[0]], paired.axes[pair[1]], { top: 36 }),
      series: kinds.map(({ name, colour }, datasetIndex) => ({
        name,
        type: "scatter" as const,
        datasetIndex,
        encode: { x: pair[0], y: pair[1] },
        symbolSize: trials.length > 500 ? 5 : 9,
        itemStyle: { color: colour, opacity: 0.85 },
      })),
    },
  }));
  return {
    name: "rank",
    title: "Ranks",
    caption: `Complete trials over two parameters, the warmer the better they rank by ${valueName}; those without ` +
      "one of the parameters are left out.",
    option: { ...shared, ...choices[0].option },
    size: { width: 960, height: 460 },
    pointer: "item",
    choices,
  };
}

/** The part of all trials, from the best, that has a colour. */
function stepName(step: number): string {
  const [from, to] = [SCALE.length - step - 1, SCALE.length - step].map((end) =>
    Math.round((100 * end) / SCALE.length)
  );
  return from === 0 ? `best ${to} %` : `${from}–${to} %`;
}
