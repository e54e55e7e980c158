/** The timeline: when each trial ran. */
import { constraintViolation, type FrozenTrial, type TrialState } from "../../studies/frozen_trial.ts";
import { AXIS_STYLE, cartesian } from "../chart_style.ts";
import { COLOURS } from "../colours.ts";
import type { ChartOption, Plot } from "../plot.ts";
import type { PlottedStudy } from "./plotted_study.ts";

export interface TimelineBar {
  readonly number: number;
  /** In milliseconds since 1970. */
  readonly start: number;
  readonly end: number;
  readonly kind: TrialState | "INFEASIBLE";
}

/** A running trial that has taken so many times as long as any other is taken for dead. */
const DEAD_AFTER = 5;
const SECOND = 1000;

/**
 * When each trial ran. A running one reaches to now, or, if it seems dead, to the end of the last; what a trial does not
 * have is as in Optuna's `plot_timeline`.
 */
export function timelineBars(trials: readonly FrozenTrial[], now: Date): TimelineBar[] {
  const latest = latestTime(trials, now.getTime());
  return trials.map((trial) => {
    const { number, state, datetimeStart, datetimeComplete } = trial;
    const start = datetimeStart?.getTime() ?? latest;
    const end = state === "RUNNING" ? latest + SECOND : datetimeComplete?.getTime() ?? start + SECOND;
    const isFeasible = state !== "COMPLETE" || constraintViolation(trial) === 0;
    return { number, start, end, kind: isFeasible ? state : "INFEASIBLE" };
  });
}

function latestTime(trials: readonly FrozenTrial[], now: number): number {
  let [longest, last] = [-Infinity, -Infinity];
  for (const { datetimeStart, datetimeComplete } of trials) {
    if (datetimeComplete === null) continue;
    last = Math.max(last, datetimeComplete.getTime());
    if (datetimeStart !== null) longest = Math.max(longest, datetimeComplete.getTime() - datetimeStart.getTime());
  }
  const isAlive = ({ state, datetimeStart }: FrozenTrial) =>
    state === "RUNNING" &&
    (longest === -Infinity || datetimeStart !== null && now - datetimeStart.getTime() < DEAD_AFTER * longest);
  return trials.some(isAlive) || last === -Infinity ? now : last;
}

const KINDS: readonly [kind: TimelineBar["kind"], name: string, colour: string][] = [
  ["COMPLETE", "complete", COLOURS.blue],
  ["INFEASIBLE", "violates a constraint", COLOURS.purple],
  ["PRUNED", "pruned", COLOURS.orange],
  ["FAIL", "failed", COLOURS.red],
  ["RUNNING", "running", COLOURS.green],
  ["WAITING", "waiting", COLOURS.grey],
];

const HEIGHT = 400;
/** Pixels of a bar at least and at most. */
const [THINNEST, THICKEST] = [1.5, 10];

export function timelinePlot({ trials, now }: PlottedStudy): Plot | null {
  const bars = timelineBars(trials, now);
  if (bars.length === 0) return null;
  const width = Math.min(THICKEST, Math.max(THINNEST, (HEIGHT - 80) / bars.length * 0.7));
  const kinds = KINDS.map(([kind, name, colour]) => ({ name, colour, own: bars.filter((bar) => bar.kind === kind) }))
    .filter(({ own }) => own.length > 0);
  const ends = [
    [bars.map(({ start }) => start).reduce((a, b) => Math.min(a, b)), bars[0].number],
    [bars.map(({ end }) => end).reduce((a, b) => Math.max(a, b)), bars[bars.length - 1].number],
  ];
  const base = cartesian("", "trial", kinds);
  const option: ChartOption = {
    ...base,
    useUTC: true,
    xAxis: { ...AXIS_STYLE, type: "time", axisLabel: { ...AXIS_STYLE.axisLabel } },
    yAxis: { ...base.yAxis, minInterval: 1, inverse: true, nameLocation: "start" } as ChartOption["yAxis"],
    series: [
      ...kinds.map(({ name, colour, own }) => ({
        name,
        type: "lines" as const,
        coordinateSystem: "cartesian2d" as const,
        itemStyle: { color: colour },
        lineStyle: { color: colour, width, opacity: 1 },
        data: own.map(({ number, start, end }) => ({
          name: `trial ${number}`,
          coords: [[start, number], [end, number]],
        })),
      })),
      // Axes are not fitted to a series of lines.
      { type: "scatter", symbol: "none", data: ends },
    ],
  };
  return {
    name: "timeline",
    title: "Timeline",
    caption: "When each trial ran, UTC.",
    option,
    size: { width: 960, height: HEIGHT },
    pointer: "item",
  };
}
