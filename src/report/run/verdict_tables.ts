/** How good a run is, as tables: for a terminal and for a document. Ids stand in the first column, as they are. */
import type { Intervals } from "../../evaluation/intervals.ts";
import { METRIC_NAMES, type MetricName, type Metrics } from "../../evaluation/metrics.ts";
import { epochsText } from "../../formats/human.ts";
import type { FoldFacts, Verdict } from "../../training/summary.ts";

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export const METRIC_TITLES: Record<MetricName, string> = {
  f1: "F1",
  precision: "precision",
  recall: "recall",
  accuracy: "accuracy",
  auc: "AUC",
  pr_auc: "PR-AUC",
  ece: "ECE",
  brier: "Brier",
};

export const figure = (value: number | null): string => value === null || Number.isNaN(value) ? "–" : value.toFixed(4);
const figures = (metrics: Pick<Metrics, MetricName>): string[] => METRIC_NAMES.map((name) => figure(metrics[name]));
const bounds = ({ f1 }: Intervals): string[] => [figure(f1?.[0] ?? null), figure(f1?.[1] ?? null)];

/** Metrics per fold, their mean and those over all pairs; and per criterion. `bestEpochs` by fold, where they are shown. */
export function verdictTables<Fold extends { fold: number; metrics: Metrics }>(
  { folds, mean, std, overall, per_criterion, intervals }: Verdict<Fold>,
  bestEpochs?: readonly number[],
): { folds: Table; criteria: Table } {
  const percentile = (share: number) => `F1 ${Math.round(share * 1000) / 10}%`;
  const titles = METRIC_NAMES.map((name) => METRIC_TITLES[name]);
  const columns = [...titles, percentile((1 - intervals.level) / 2), percentile((1 + intervals.level) / 2)];
  const epoch = (text: string) => bestEpochs === undefined ? [] : [text];
  return {
    folds: {
      head: ["fold", ...epoch("best epoch"), ...columns],
      rows: [
        ...folds.map(({ fold, metrics }, i) => [
          `${fold}`,
          ...epoch(epochsText(bestEpochs?.[i] ?? NaN)),
          ...figures(metrics),
          ...bounds(intervals.folds[fold]),
        ]),
        ["mean", ...epoch(""), ...METRIC_NAMES.map((name) => figure(mean[name])), "", ""],
        ["std", ...epoch(""), ...METRIC_NAMES.map((name) => figure(std[name])), "", ""],
        ["all pairs", ...epoch(""), ...figures(overall), ...bounds(intervals.overall)],
      ],
    },
    criteria: {
      head: ["criterion", "pairs", ...columns],
      rows: Object.entries(per_criterion).map(([id, metrics]) => [
        id,
        `${metrics.count}`,
        ...figures(metrics),
        ...bounds(intervals.per_criterion[id]),
      ]),
    },
  };
}

/** What each fold decides by. The head names criteria from its fourth column on. */
export function decisionTable(folds: readonly Pick<FoldFacts, "fold" | "decision">[]): Table {
  const criteria = [...new Set(folds.flatMap(({ decision }) => Object.keys(decision.criterion_thresholds ?? {})))]
    .sort();
  return {
    head: ["fold", "temperature", "threshold", ...criteria],
    rows: folds.map(({ fold, decision: { temperature, threshold, criterion_thresholds: own } }) => [
      `${fold}`,
      ...[temperature, threshold, ...criteria.map((id) => own?.[id] ?? null)].map(figure),
    ]),
  };
}
