/** Pairs of parameters, and the two axes that a chart of a pair has. */
import type { FrozenTrial } from "../../studies/frozen_trial.ts";
import { besideEachOther, LINE_HEIGHT, mostLines, wrapped } from "../labels.ts";
import { unitAxis } from "./axis_style.ts";
import { type PlottedStudy, topParameters } from "./plotted_study.ts";
import { parameterAxis, type UnitAxis } from "./unit_axis.ts";

/** Parameters that are paired with each other; the most important ones where there are more. */
const MOST_PAIRED = 6;
/** Pixels for the labels of a horizontal axis where a screen is narrow, and letters in a line of a vertical one's. */
const LABELS_WIDTH = 250;
const LETTERS = 16;

/** The most important parameters, and the places of trials on their axes. */
export interface Paired {
  readonly axes: readonly UnitAxis[];
  /** By axis and trial; null for a trial without the parameter. */
  readonly places: readonly (readonly (number | null)[])[];
  /** Each two of the axes, by their numbers, the most important first. */
  readonly pairs: readonly (readonly [x: number, y: number])[];
}

export function pairedParameters(study: PlottedStudy, trials: readonly FrozenTrial[]): Paired {
  const names = topParameters(study, MOST_PAIRED);
  const having = names.map((name) => trials.filter(({ params }) => Object.hasOwn(params, name)));
  const axes = names.map((name, i) => parameterAxis(name, having[i]));
  return {
    axes,
    places: axes.map(({ positions }, i) => {
      const placed = new Map(having[i].map((trial, at) => [trial, positions[at]]));
      return trials.map((trial) => placed.get(trial) ?? null);
    }),
    pairs: names.flatMap((_, x) => names.slice(x + 1).map((_, i) => [x, x + 1 + i] as const))
      .sort((a, b) => a[0] + a[1] - b[0] - b[1]),
  };
}

/** Trials as rows of a dataset: their places on each axis, their value and their number. */
export function pairedRows({ axes, places }: Paired, trials: readonly FrozenTrial[], valueName: string) {
  return {
    dimensions: [...axes.map((_, i) => `_${i}`), valueName, "trial"],
    rows: trials.map(({ number, value }, at) => [...places.map((own) => own[at]), value!, number]),
  };
}

export const pairText = ({ axes }: Paired, [x, y]: Paired["pairs"][number]): string =>
  `${axes[x].name} × ${axes[y].name}`;

/** The axes and the grid of a pair. */
export function pairAxes(x: UnitAxis, y: UnitAxis, { top }: { top: number }) {
  const labels = besideEachOther(x.ticks.map(({ label }) => label), LABELS_WIDTH);
  const names = [x, y].map(({ name }) => wrapped(name, 44));
  const above = top + LINE_HEIGHT * mostLines([names[1]]);
  const vertical = unitAxis(y, { letters: LETTERS });
  return {
    xAxis: {
      ...unitAxis(x, labels),
      name: names[0],
      nameLocation: "middle" as const,
      nameGap: 12 + labels.height,
    },
    yAxis: {
      ...vertical,
      name: names[1],
      nameLocation: "end" as const,
      nameGap: 10,
      nameTextStyle: { ...vertical.nameTextStyle, align: "left" as const },
    },
    grid: {
      left: 16,
      right: 24,
      top: above,
      bottom: 20 + LINE_HEIGHT * mostLines([names[0]]),
      outerBoundsMode: "same" as const,
      outerBoundsContain: "axisLabel" as const,
    },
  };
}
